"""A tab without a browser: it speaks Streamlit's own protocol, so that the server is seen by itself.

The seconds of an answer go from the message that asks for a run of the script to the one that says that it is
over; its bytes are those of all messages between, as they go over the wire. A busy machine blurs the seconds
of the server's processor less.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from screens.apps import App
from screens.rows import Row, row

Choices = dict[str, str | Sequence[str]]


@dataclass
class Answer:
    """What came of one run of the script. elements: what it put on the page, as Streamlit calls it."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    num_bytes: int = 0
    elements: list[str] = field(default_factory=list)


def timed(work: str, answers: Sequence[Answer], target: float | None = None) -> Iterator[Row]:
    """Medians: seconds, and those of the processor."""
    yield row(work, statistics.median(answer.seconds for answer in answers), "s", target)
    cpu = statistics.median(answer.cpu_seconds for answer in answers)
    yield row(f"{work}, seconds of the processor", cpu, "s")


def visited(app: App, page: str, choices: Choices) -> Answer:
    """What a new tab gets."""
    tab = Tab(app)
    answer = tab.open(page, choices)
    tab.close()
    return answer


class Tab:
    """Like a browser's, it keeps what it was sent, and tells so."""

    def __init__(self, app: App) -> None:
        self._server = psutil.Process(app.process.pid)
        self._socket: ClientConnection = connect(
            f"ws{app.url.removeprefix('http')}/_stcore/stream",
            subprotocols=["streamlit"],
            max_size=None,
            compression=None,
        )
        self._page, self._query = "", ""
        self._live: dict[str, float] = {}  # fragment -> seconds between its reruns
        self._kept: set[str] = set()

    def open(self, page: str, choices: Choices) -> Answer:
        """The page with these choices in its address; again, with others, is what a click does."""
        self._query = urlencode(choices, doseq=True)
        self._live.clear()
        asked = {"page_script_hash": self._page} if self._page else {"page_name": page}
        return self._ask(ClientState(query_string=self._query, **asked))

    def refresh(self) -> Answer:
        """What the page asks for by itself, every few seconds, while a run goes on."""
        [fragment] = self._live
        return self._ask(
            ClientState(
                query_string=self._query,
                page_script_hash=self._page,
                fragment_id=fragment,
                is_auto_rerun=True,
            )
        )

    def close(self) -> None:
        self._socket.close()

    def _ask(self, state: ClientState) -> Answer:
        state.cached_message_hashes.extend(self._kept)
        answer = Answer()
        begin, begin_cpu = time.perf_counter(), self._cpu_seconds()
        self._socket.send(BackMsg(rerun_script=state).SerializeToString())
        while True:
            data = self._socket.recv(timeout=600)
            answer.num_bytes += len(data)
            message = ForwardMsg.FromString(data)
            self._note(message, answer)
            is_end = message.WhichOneof("type") == "script_finished"
            if is_end and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                answer.seconds = time.perf_counter() - begin
                answer.cpu_seconds = self._cpu_seconds() - begin_cpu
                return answer

    def _cpu_seconds(self) -> float:
        times = self._server.cpu_times()
        return times.user + times.system

    def _note(self, message: ForwardMsg, answer: Answer) -> None:
        """Takes what one message says of the page. Ends this program when the script failed."""
        kind = message.WhichOneof("type")
        if message.metadata.cacheable:
            self._kept.add(message.hash)
        if kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            self._live[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "delta" and message.delta.HasField("new_element"):
            element = message.delta.new_element
            answer.elements.append(element.WhichOneof("type"))
            if answer.elements[-1] == "exception":
                raise SystemExit(f"the page failed: {element.exception.message}")
