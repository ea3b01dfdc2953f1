"""Who is answered by the local API, and what a call gives."""

import dataclasses
import json

import httpx
import pytest
from homes import running_app, small_home
from starlette.applications import Starlette
from starlette.testclient import TestClient

from metalm import api
from metalm.jobs import service


@pytest.fixture
def app(tmp_path):
    small_home(tmp_path / "home", tmp_path / "texts").close()
    with running_app(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def ask(app):
    """Asks the routes as a client of this machine, unless told otherwise."""

    def post(name, arguments=None, *, token=app.token, host="localhost:8501", peer="127.0.0.1", **kwargs):
        client = TestClient(Starlette(routes=api.routes()), base_url=f"http://{host}", client=(peer, 50000))
        text = token if isinstance(token, bytes) else f"Bearer {token}"
        headers = {"authorization": text} if token is not None else {}
        kwargs = kwargs or {"json": arguments or {}}
        return client.post(f"/api/call/{name}", headers=headers, **kwargs)

    return post


def test_a_call_gives_a_line_an_answer(ask):
    answer = ask("corpora list")
    assert answer.status_code == 200
    names = [json.loads(line)["line"]["name"] for line in answer.text.splitlines()]
    assert {"alpha", "beta", "delta", "gamma"} <= set(names)


@pytest.mark.parametrize("token", [None, "", "wrong", b"Bearer \xe9"])
def test_without_the_token_nothing_is_answered(ask, token):
    answer = ask("corpora list", token=token)
    assert answer.status_code == 401
    assert "alpha" not in answer.text


def test_a_service_without_a_token_answers_nobody(app):
    service.use(dataclasses.replace(app, token=""))
    client = TestClient(Starlette(routes=api.routes()), base_url="http://localhost", client=("127.0.0.1", 5))
    for header in ("Bearer ", "Bearer", ""):
        answer = client.post("/api/call/corpora list", headers={"authorization": header}, json={})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost.evil"]
)
def test_a_name_of_another_site_is_refused(ask, host):
    assert ask("corpora list", host=host).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9000", "[::1]:8501", "LOCALHOST:8501"])
def test_loopback_names_are_answered(ask, host):
    assert ask("corpora list", host=host).status_code == 200


@pytest.mark.parametrize("peer", ["192.168.0.7", "8.8.8.8", "testclient", "::2"])
def test_other_machines_are_refused(ask, peer):
    assert ask("corpora list", peer=peer).status_code == 403


def test_an_error_is_the_last_line(ask):
    (line,) = ask("corpora show", {"corpus": "nothing"}).text.splitlines()
    error = json.loads(line)["error"]
    assert error["type"] == "NotFoundError"
    assert "nothing" in error["message"]


@pytest.mark.parametrize(
    ("name", "kwargs", "status"),
    [
        ("corpora eat", {"json": {}}, 404),
        ("corpora list", {"content": b"{"}, 400),
        ("corpora list", {"content": b"\xff"}, 400),
        ("corpora list", {"json": [1]}, 400),
    ],
)
def test_what_is_no_call_is_refused(ask, name, kwargs, status):
    assert ask(name, **kwargs).status_code == status


def test_arguments_that_an_operation_does_not_take_are_an_error(ask):
    (line,) = ask("corpora list", {"home": "x", "colour": "red"}).text.splitlines()
    assert json.loads(line)["error"]["type"] == "ConfigError"


def test_health_is_told_without_a_token_and_says_nothing_else(app):
    from metalm.home.owner import read_owner

    answer = httpx.get(f"{read_owner(app.home.path).address}/api/health", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_no_other_site_is_let_in(ask):
    answer = ask("corpora list")
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_operators_are_answered_without_a_token_from_this_machine_alone(app, path):
    def get(host="localhost:8501", peer="127.0.0.1"):
        client = TestClient(Starlette(routes=api.routes()), base_url=f"http://{host}", client=(peer, 50000))
        return client.get(path)

    assert get().status_code == 200
    assert get(peer="192.168.1.7").status_code == 403
    assert get(host="evil.example").status_code == 403
    app.jobs.halt()
    assert TestClient(
        Starlette(routes=api.routes()), base_url="http://localhost", client=("127.0.0.1", 50000)
    ).get("/healthz").json() == {"error": "the app is closing; nothing new begins"}
