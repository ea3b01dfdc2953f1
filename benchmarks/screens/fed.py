"""The app, with runs that go on without a training: apps.fed_app runs this, and tells it when.

`METALM_HOME=... python -m screens.fed NUM PORT`: the newest NUM runs of those that made.py made are running.
Each makes an outer step whenever a line comes in on stdin; `stepped` goes out once it can be read.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from streamlit.web import cli

from metalm.errors import HomeError
from metalm.home import Home
from metalm.home.owner import boot_id
from metalm.jobs import service
from screens import made
from screens.apps import ROOT


def feed(num: int) -> None:
    """Takes the orders; ends with them."""
    home = _home()
    runs = [run for run in home.runs() if made.TAG in run.tags][:num]
    for run in runs:
        home.store.runs.start(
            run.id, step=run.step, owes_validation=False, device="cpu", pid=os.getpid(), boot_id=boot_id()
        )
    for count, _ in enumerate(iter(lambda: os.read(0, 64), b""), start=1):
        for run in runs:
            home.store.metrics.add(run.id, made.points(run.seed, run.step + count))
            home.store.runs.progress(run.id, step=run.step + count, tokens=0, seconds=0.0, progress=0.5)
        home.store.flush()
        print("stepped", flush=True)


def _home() -> Home:
    """The app's own, once it is open."""
    while True:
        try:
            return service.current().home
        except HomeError:
            time.sleep(0.05)


if __name__ == "__main__":
    threading.Thread(target=feed, args=(int(sys.argv[1]),), daemon=True).start()
    flags = ["--server.port", sys.argv[2], "--server.address", "127.0.0.1", "--server.headless", "true"]
    cli.main(["run", str(ROOT / "app.py"), *flags])
