"""How long an evaluation takes: the shipped `languages` split, all default sizes, one torch thread.

    PYTHONPATH=. python benchmarks/evaluation.py [--preset small] [--steps 10] [--tasks 8]

Weights are untrained: time does not depend on them. Prints seconds in all, and what one scored token costs.
"""

from __future__ import annotations

import argparse
import time

import torch

from metalm.config import PRESETS, InnerLoop
from metalm.evaluate.contenders import AdaptingGru
from metalm.evaluate.protocol import Protocol, evaluate
from metalm.learn.rules import Rule
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.text.samples import SAMPLE_SPLITS, sample_corpora
from metalm.text.tasks import TaskText, tasks_of
from metalm.text.tokenizers import ByteTokenizer


def meta_test_texts() -> list[TaskText]:
    """The meta-test tasks of the shipped `languages` split, read where they were shipped."""
    roles = SAMPLE_SPLITS[0].roles
    pairs = [(path, corpus) for path, corpus in sample_corpora() if roles.get(corpus.name) == "meta-test"]
    return [TaskText(task, path) for path, corpus in pairs for task in tasks_of([corpus])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--steps", type=int, default=10, help="adaptation steps")
    parser.add_argument("--tasks", type=int, default=8, help="at most 8")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = new_model(PRESETS[asked.preset], 256, seed=0)
    rule = Rule(InnerLoop(steps=asked.steps))
    contender = AdaptingGru(model=model, weights=slow_weights(model), tokenizer=ByteTokenizer(), rule=rule)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = list(evaluate(contender, meta_test_texts()[: asked.tasks], Protocol(split_id="languages")))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    adapting = sum(row.seconds for row in rows if row.adaptation_step == asked.steps)
    read = sum(row.bytes + row.support_bytes for row in rows)
    print(f"{asked.preset}: {len(rows)} scores of {read:,} bytes in {wall:.1f} s ({cpu:.1f} s of one core)")
    print(f"adaptation {adapting:.1f} s, scoring {1e6 * (wall - adapting) / read:.1f} us a byte")


if __name__ == "__main__":
    main()
