"""Rings when work has ended: the browser asks for a number, and nothing is drawn anew until it grows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from metalm.errors import HomeError
from metalm.jobs import service

_URL = "/bell"


@dataclass(frozen=True)
class Rung:
    """A browser that has seen more work end: its name, and the number of the ending that it knew of."""

    reader: str
    after: int


def bell(*, last: int) -> Rung | None:
    """Mounts it; what rang in this very run of the script. last: the number of the latest ending."""
    told = _mount()(key="bell", data={"url": _URL, "last": last}, on_rang_change=lambda: None)
    rang = told.rang
    return Rung(str(rang["reader"]), int(rang["after"])) if rang else None


def routes() -> list[Route]:
    """The route that the bell asks."""
    return [Route(_URL, _last)]


async def _last(_: Request) -> JSONResponse:
    """A number and nothing else: whoever sees the pages may know it."""
    try:
        return JSONResponse({"last": service.current().jobs.endings.last})
    except HomeError:
        return JSONResponse({"last": 0})


@cache
def _mount():
    return st.components.v2.component(
        "metalm_bell",
        html="<div hidden></div>",
        js=Path(__file__).with_name("bell.js").read_text(encoding="utf-8"),
    )
