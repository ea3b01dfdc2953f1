"""The application object that `streamlit run app.py` finds: the pages, the local API, one home for all."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from metalm import api
from metalm.dashboard.components import assets, bell
from metalm.errors import MetalmError
from metalm.jobs import service
from metalm.jobs.resources import keep_memory, let_threads_sleep


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Opens the home before the first visitor, and closes it, running work stopped, after the last."""
    let_threads_sleep()
    keep_memory()
    home_dir = Path(os.environ.get("METALM_HOME") or Path(__file__).with_name("runs"))
    address = f"http://127.0.0.1:{st.get_option('server.port')}"
    try:
        opened = service.open_for_app(home_dir, address)
    except MetalmError as error:
        # The server would print an exception from here with its traceback. Nothing is open yet.
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    service.use(opened)
    _tell_before_the_server(opened.jobs.halt)
    try:
        yield
    finally:
        service.use(None)
        opened.close()


def _tell_before_the_server(halt: Callable[[], None]) -> None:
    """Lets Ctrl-C and SIGTERM call `halt` first: the server waits for answers that follow a run."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handler(halt, signal.getsignal(number)))


def _handler(halt: Callable[[], None], then: Any) -> Callable[[int, Any], None]:
    def handle(number: int, frame: Any) -> None:
        halt()
        then(number, frame)

    return handle


app = st.App(
    "pages/navigation.py", lifespan=lifespan, routes=[*api.routes(), *assets.routes(), *bell.routes()]
)
