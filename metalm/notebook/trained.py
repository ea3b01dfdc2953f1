"""A trained run at work in the notebook's own process: it adapts, scores and writes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from metalm import units
from metalm.config import RunConfig, length_for, run_config
from metalm.evaluate.live import adapt_live, character_nats
from metalm.evaluate.sampling import as_text, sample, sample_streams
from metalm.home.loading import Loaded, load_beside
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.rules import Rule
from metalm.learn.score import Stream, stream_nats
from metalm.learn.score import score as scored
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.task_weights import of_task, shared
from metalm.store.runs import Run
from metalm.text.tokenizers import from_json

if TYPE_CHECKING:
    from metalm.notebook.runs import Runs

Text = str | bytes


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """What a text cost a model: summed nats with the counts that they were charged for."""

    nats: float
    tokens: int
    bytes: int
    chars: int

    @property
    def bits_per_byte(self) -> float:
        """Comparable with any model's, whatever its vocabulary."""
        return units.bits_per_byte(self.nats, self.bytes)

    @property
    def bits_per_character(self) -> float:
        """By Unicode code points."""
        return units.bits_per_character(self.nats, self.chars)

    @property
    def perplexity(self) -> float:
        """Of a token: comparable among runs of one vocabulary only."""
        return units.perplexity(self.nats, self.tokens)


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A run after adaptation to a support set; `weights` are its fast weights."""

    loaded: Loaded
    support: bytes
    rule: Rule
    weights: Weights

    def score(self, text: Text) -> TextScore:
        """What a text costs that follows the support set. Every byte is charged."""
        engine, query = engine_for(self.loaded.model), _encoded(text)
        cost = scored(engine, self.weights, self.loaded.tokenizer, self.support, query)
        return TextScore(nats=cost.nats, tokens=cost.tokens, bytes=cost.bytes, chars=cost.chars)

    def characters(self, text: Text) -> pd.DataFrame:
        """What each character costs: a row each, `character` and `bits`; they add up to the score."""
        query = _encoded(text)
        stream = Stream.of(self.loaded.tokenizer, self.support, query)
        [nats] = stream_nats(engine_for(self.loaded.model), shared(self.weights, 1), [stream])
        costs = units.bits(character_nats(stream.query, nats, query))
        return pd.DataFrame({"character": list(query.decode()), "bits": costs})

    def steps(self, text: Text) -> pd.DataFrame:
        """What a text costs after each step from 0 on: step, nats, bytes, bits_per_byte, seconds."""
        live = adapt_live(
            self.loaded.model,
            self.loaded.weights,
            self.loaded.tokenizer,
            self.support,
            _encoded(text),
            self.rule,
        )
        rows = [(each.step, each.score.nats, each.score.bytes, each.seconds) for each in live]
        table = pd.DataFrame(rows, columns=["step", "nats", "bytes", "seconds"])
        return table.assign(bits_per_byte=units.bits_per_byte(table["nats"], table["bytes"]))

    def generate(
        self, num_bytes: int = 400, *, prompt: Text = "", temperature: float = 1.0, seed: int = 0
    ) -> str:
        """What it writes after the support set and the prompt, which is not repeated."""
        options = {"num_bytes": num_bytes, "temperature": temperature, "seed": seed}
        read = {"support": self.support, "prompt": _encoded(prompt)}
        pieces = sample(self.loaded.model, self.weights, self.loaded.tokenizer, **read, **options)
        return "".join(as_text(pieces))

    def samples(
        self,
        number: int,
        num_bytes: int = 400,
        *,
        prompt: Text = "",
        temperature: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """Several texts side by side, of draws of their own; the first is what `generate` writes."""
        streams = sample_streams(
            self.loaded.model,
            self.weights,
            self.loaded.tokenizer,
            num_streams=number,
            support=self.support,
            prompt=_encoded(prompt),
            num_bytes=num_bytes,
            temperature=temperature,
            seed=seed,
        )
        texts = zip(*streams, strict=True)
        return ["".join(as_text(pieces)) for pieces in texts] or [""] * number


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """A run with its best weights. `score`, `generate` and the like are as before any adaptation."""

    runs: Runs
    loaded: Loaded

    @classmethod
    def of(cls, runs: Runs, recipe: dict[str, Any], *, device: str) -> Self:
        """From what the operation `runs recipe` tells. Raises RunStateError when there are no weights."""
        tokenizer = from_json(recipe["tokenizer"]) if recipe["tokenizer"] else None
        run = _run(recipe["run"])
        return cls(runs=runs, loaded=load_beside(runs.home_dir, run, tokenizer, device=device))

    @property
    def name(self) -> str:
        """As the home knows it."""
        return self.loaded.run.name

    @property
    def config(self) -> RunConfig:
        """What it was told."""
        return run_config(self.loaded.run.config)

    def adapt(self, support: Text, *, steps: int | None = None, lr: float | None = None) -> Adapted:
        """The run after adaptation to a text. steps, lr: None is what the run tuned on meta-validation, the
        steps for a support set of about that size.
        """
        loaded, data = self.loaded, _encoded(support)
        tuned = length_for(len(data), loaded.lengths, loaded.inner.steps)
        rule = loaded.rule.with_inner(steps=tuned) if steps is None else loaded.rule_for(steps)
        rule = rule if lr is None else rule.with_inner(lr=lr)
        place = loaded.weights["embedding.weight"].device
        windows = SupportSet.of_text(loaded.tokenizer, data, rule.inner.window, place)
        fast = adapt(engine_for(loaded.model), shared(loaded.weights, 1), [windows], rule)
        return Adapted(loaded=loaded, support=data, rule=rule, weights=of_task(fast, 0))

    def score(self, text: Text) -> TextScore:
        """What a text costs before any adaptation and with nothing read before."""
        return self._zero_shot().score(text)

    def generate(self, num_bytes: int = 400, **options: Any) -> str:
        """What it writes before any adaptation: see `Adapted.generate`."""
        return self._zero_shot().generate(num_bytes, **options)

    def curve(self, name: str = "validation", **options: Any) -> pd.DataFrame:
        """Its curve: see `Runs.curve`."""
        return self.runs.curve(self.loaded.run.id, name=name, **options)

    def evaluations(self, **options: Any) -> pd.DataFrame:
        """Its scores, and no others: see `Runs.evaluations`."""
        return self.runs.evaluations(self.loaded.run.id, **{"baselines": False, **options})

    def _zero_shot(self) -> Adapted:
        loaded = self.loaded
        return Adapted(loaded=loaded, support=b"", rule=loaded.rule, weights=loaded.weights)


def _encoded(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _run(told: dict[str, Any]) -> Run:
    """The run that the operation told as JSON."""
    times = ("heartbeat", "created_at", "started_at", "finished_at")
    values = {field.name: told[field.name] for field in fields(Run)}
    values |= {name: values[name] and datetime.fromisoformat(values[name]) for name in times}
    values |= {name: tuple(values[name]) for name in ("tags", "seen", "validated")}
    return Run(**values)
