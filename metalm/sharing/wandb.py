"""A history as an offline run of Weights & Biases, by its own library; `wandb sync` sends it, if ever."""

from __future__ import annotations

import itertools
from pathlib import Path

from metalm.sharing.histories import History

PROJECT = "metalm"


def write(history: History, folder: Path) -> Path:
    """Writes a history into `folder`/wandb, and nothing to any network; gives the run's own folder there."""
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
    )
    run = wandb.init(
        project=PROJECT,
        name=history.name,
        config={**history.params, "metalm": dict(history.told)},
        dir=str(folder),
        mode="offline",
        reinit="create_new",
        settings=settings,
    )
    try:
        # Its steps must rise; what was measured at one step is one entry.
        scalars = sorted(history.scalars, key=lambda scalar: scalar.step)
        for step, here in itertools.groupby(scalars, key=lambda scalar: scalar.step):
            run.log({scalar.name: scalar.value for scalar in here}, step=step)
        run.summary.update({f"results/{name}": value for name, value in history.results.items()})
        return Path(run.dir).parent
    finally:
        run.finish()
        wandb.teardown()  # only with the end of its helper process is the file sure to be whole
