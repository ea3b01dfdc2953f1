"""plotly.js for the browser, straight from the installed plotly wheel: no copy, no outside request."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route


def plotly_url() -> str:
    """Where the page finds plotly.js; with the version in it, so that browsers may keep the file for ever."""
    return f"/assets/plotly-{importlib.metadata.version('plotly')}.min.js"


def plotly_file() -> Path:
    """plotly.min.js of the installed wheel. plotly itself is not imported: it takes a second."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly must be installed to draw charts")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def routes() -> list[Route]:
    """The routes that the application object needs for the charts."""
    return [Route(plotly_url(), _plotly)]


async def _plotly(_: Request) -> FileResponse:
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(plotly_file(), media_type="text/javascript", headers=headers)
