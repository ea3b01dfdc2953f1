"""The local API: routes of the application object, by which commands reach the process that owns the home.

`POST /api/call/{name}` runs one operation and answers in NDJSON: `{"line": {...}}` each, at the end perhaps
`{"error": {"type", "message"}}`; an empty line is a sign of life. Only this machine is answered (the peer's
address), only under a loopback name (a page of another site that rebinds its name to 127.0.0.1 sends its
own), and only with the token of `owner.json`. There are no CORS headers: no other site reads an answer.
`GET /healthz` and `GET /metrics`, for whoever keeps the app running, want no token.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Generator
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from metalm.errors import MetalmError
from metalm.jobs import health, service
from metalm.operations import OPERATIONS, call

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "[::1]"}


def routes() -> list[Route]:
    """What the application object serves beside the pages."""
    return [
        Route("/api/health", _health, methods=["GET"]),
        Route("/api/call/{name}", _call, methods=["POST"]),
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
    ]


async def _health(request: Request) -> Response:
    return _stranger(request) or JSONResponse({"status": "ok"})


async def _healthz(request: Request) -> Response:
    """200 while the app works and its store answers, else 503 and why."""
    return _stranger(request) or await _watched(lambda: JSONResponse(health.check(service.current())))


async def _metrics(request: Request) -> Response:
    def figures() -> Response:
        return Response(health.prometheus(service.current()), media_type=health.CONTENT_TYPE)

    return _stranger(request) or await _watched(figures)


async def _watched(answer: Callable[[], Response]) -> Response:
    """What `answer` gives, made in a thread: it reads the store."""
    try:
        return await anyio.to_thread.run_sync(answer)
    except MetalmError as error:
        return _error(503, str(error))


async def _call(request: Request) -> Response:
    refusal = _stranger(request) or _without_token(request)
    if refusal is not None:
        return refusal
    name = request.path_params["name"]
    if name not in OPERATIONS:
        return _error(404, f"no operation {name!r}")
    try:
        arguments = await request.json()
    except ValueError:
        return _error(400, "the body must be JSON")
    if not isinstance(arguments, dict):
        return _error(400, f"the body must be a JSON object, got {type(arguments).__name__}")
    running = service.current()
    lines = _answers(name, running.home, running.jobs, arguments)
    return StreamingResponse(_in_threads(lines), media_type="application/x-ndjson")


def _stranger(request: Request) -> Response | None:
    """The refusal of somebody who is not on this machine, or comes under another site's name; else None."""
    if request.client is None or not _is_loopback(request.client.host):
        return _error(403, "only this machine is answered")
    name = request.headers.get("host", "").lower()
    if name.rsplit(":", 1)[0] not in _LOOPBACK_NAMES and name not in _LOOPBACK_NAMES:
        return _error(403, f"host must be a loopback name, got {name!r}")
    return None


def _without_token(request: Request) -> Response | None:
    """The refusal of somebody who cannot read the home's owner.json; else None."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = service.current().token
    if (
        not expected
        or scheme.lower() != "bearer"
        or not hmac.compare_digest(token.encode(), expected.encode())
    ):
        return _error(401, "no valid token; it stands in the home's owner.json")
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)


def _answers(name: str, home: Home, jobs: JobManager, arguments: dict[str, Any]) -> Generator[bytes]:
    """The lines of the operation as they are sent."""
    try:
        for line in call(name, home, jobs, arguments):
            yield b"\n" if line is None else _encoded({"line": line})
    except MetalmError as error:
        yield _encoded({"error": {"type": type(error).__name__, "message": str(error)}})


def _encoded(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode() + b"\n"


async def _in_threads(lines: Generator[bytes]) -> AsyncIterator[bytes]:
    """What `lines` gives, each waited for in a thread. When the client goes away, `lines` is closed."""
    # A limiter of its own: followers of long runs wait, and the shared threads serve the pages' files.
    limiter = anyio.CapacityLimiter(1)
    try:
        while (line := await anyio.to_thread.run_sync(next, lines, None, limiter=limiter)) is not None:
            yield line
    finally:
        lines.close()
