"""BPE learned in a process of its own: the library cannot be told to stop, and a process can be ended.

Run as a module it is that process: `python -m metalm.text.bpe_process VOCAB_SIZE RESULT` reads texts from
stdin, each after its length, and writes the library's JSON to the file RESULT.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from metalm.errors import CorpusError
from metalm.text.bpe import BpeTokenizer

_LENGTH = struct.Struct("<q")
_LOOK_SECONDS = 0.1  # between two calls of on_wait
_SOURCE = Path(__file__).parents[2]  # where the package lies; the process need not start there


def trained_beside(
    texts: Iterable[str], vocab_size: int, *, on_wait: Callable[[], None] = lambda: None
) -> BpeTokenizer:
    """`BpeTokenizer.trained`. `on_wait` is called often, and may raise whatever is to end it.

    Raises CorpusError when the process dies, of too little memory most likely.
    """
    with tempfile.TemporaryDirectory(prefix="metalm-bpe-") as folder:
        result = Path(folder) / "tokenizer.json"
        process = _started(vocab_size, result)
        try:
            _feed(process.stdin, texts, on_wait)
            while process.poll() is None:
                on_wait()
                _wait(process)
        finally:
            process.kill()  # nothing to a process that has ended
            process.wait()
        if process.returncode != 0:
            raise CorpusError(
                f"a bpe vocabulary of {vocab_size} tokens must be learned to its end, "
                f"its process ended with {process.returncode}; choose a smaller one, or less text"
            )
        return BpeTokenizer.from_library_json(result.read_text(encoding="utf-8"))


def _started(vocab_size: int, result: Path) -> subprocess.Popen:
    path = os.pathsep.join(filter(None, [str(_SOURCE), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "metalm.text.bpe_process", str(vocab_size), str(result)],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # a Ctrl-C is for the process that waits, which ends this one
    )


def _feed(pipe: IO[bytes], texts: Iterable[str], on_wait: Callable[[], None]) -> None:
    try:
        with pipe:
            for text in texts:
                on_wait()
                data = text.encode()
                pipe.write(_LENGTH.pack(len(data)))
                pipe.write(data)
    except BrokenPipeError:
        return  # it died; its return code says so


def _wait(process: subprocess.Popen) -> None:
    try:
        process.wait(_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return  # it still learns


def _texts(pipe: IO[bytes]) -> Iterator[str]:
    while header := pipe.read(_LENGTH.size):
        yield pipe.read(_LENGTH.unpack(header)[0]).decode()


def _main(vocab_size: str, result: str) -> None:
    tokenizer = BpeTokenizer.trained(_texts(sys.stdin.buffer), int(vocab_size))
    Path(result).write_text(tokenizer.to_json()["tokenizer"], encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
