"""The article's formula as contenders: the mixture of the meta-train tasks' posteriors meets a new text.

Every sample of every posterior is a component; the text is read once by each. What their probabilities come
to is `metalm.evaluate.mixture`'s: `pool` and `posterior pool` are static, `bayes` is online. The weight of a
task is that of its samples together.
Shapes: T tasks, K samples of each, C = T * K components (one task's after another's), S tokens of a support
set, N of a query.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from metalm.config import Settings, setting
from metalm.evaluate import mixture
from metalm.evaluate.contenders import Case, Judged, Track
from metalm.learn.inner import blocks
from metalm.learn.posterior import Experts
from metalm.learn.score import Score, Stream, stream_nats
from metalm.learn.stopping import ShouldStop, never
from metalm.learn.validation import validation_tasks
from metalm.model.engines import engine_for
from metalm.model.gru import GRULM
from metalm.model.task_weights import shared
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Encoded, Tokenizer
from metalm.units import bits_per_byte

ExpertMethod = Literal["pool", "posterior pool", "bayes"]

# What is tried of `posterior pool`: temperatures, and such as are multiplied by the support set's tokens.
TEMPERATURES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
PER_TOKEN = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_SUPPORT_BYTES, _QUERY_BYTES = (512, 2048), 2048  # of each task, in tuning


@dataclass(frozen=True, kw_only=True)
class Mixing(Settings):
    """How experts are mixed. The temperature is that of `posterior pool` alone."""

    section = "mixing"
    samples: int = setting(
        2,
        "samples of each expert's posterior, each of which reads the text; 0: its mode alone",
        at_least=0,
        at_most=1000,
    )
    temperature: float = setting(
        0.3,
        "weights go by the probability of the support set to the power of 1 / temperature",
        at_least=1e-6,
        at_most=1e9,
    )
    per_token: bool = setting(
        True, "the temperature is multiplied by the tokens of the support set: large ones sway no more"
    )


@dataclass(frozen=True)
class Mixed:
    """What the mixture says of a query. nats_N: the cost of each token, but for unknown characters.

    after_support_T: how much each task is believed after the support set. weights_TN: that by which each
    token was predicted; on the static track the same for all.
    """

    nats_N: np.ndarray
    after_support_T: np.ndarray
    weights_TN: np.ndarray


@dataclass(frozen=True)
class Read:
    """A text as all components read it: nats of every token, first those of the support set."""

    stream: Stream
    nats_CX: np.ndarray

    @property
    def support_nats_C(self) -> np.ndarray:  # noqa: N802 (the suffix is the shape)
        """Of the whole support set."""
        return self.nats_CX[:, : self.stream.num_support].sum(axis=1)

    @property
    def query_nats_CN(self) -> np.ndarray:  # noqa: N802
        """Of every token of the query."""
        return self.nats_CX[:, self.stream.num_support :]


@dataclass(frozen=True, kw_only=True)
class ExpertMixture:
    """A mixture of experts, as one of the three methods. It takes no adaptation steps.

    split_id: whose meta-train tasks the experts are of. seed: of the run whose slow weights they surround.
    """

    method: ExpertMethod
    model: GRULM
    experts: Experts
    tokenizer: Tokenizer
    split_id: str
    settings: Mixing = Mixing()
    seed: int = 0

    @property
    def track(self) -> Track:
        """Online where the weights go on being updated."""
        return "online" if self.method == "bayes" else "static"

    @property
    def adaptation(self) -> dict[str, Any]:
        """How the experts were made and are mixed; the temperature where it counts."""
        mixing = (
            asdict(self.settings) if self.method == "posterior pool" else {"samples": self.settings.samples}
        )
        return {
            **mixing,
            "posterior": asdict(self.experts.settings),
            "posterior_seed": self.experts.seed,
            "experts": len(self.experts),
            "split": self.split_id,
        }

    def steps(self, _support_bytes: int) -> tuple[int, ...]:
        """Step 0 only."""
        return (0,)

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """See `Contender.judged`."""
        asked = [number for number, case in enumerate(cases) if 0 in case.steps]
        begin = time.perf_counter()
        texts = self.read([(cases[n].support, cases[n].query) for n in asked], should_stop)
        costs = [self.nats(text) for text in texts]
        seconds = (time.perf_counter() - begin) / max(1, len(asked))
        for number, text, nats in zip(asked, texts, costs, strict=True):
            stream = text.stream
            cost = Score(nats, len(stream.query.ids), stream.bytes, stream.chars, seconds)
            yield Judged(number, 0, seconds, cost)

    def read(self, texts: Sequence[tuple[bytes, bytes]], should_stop: ShouldStop = never) -> list[Read]:
        """(support, query) texts as all components read them, side by side. Raises Stopped."""
        streams = [Stream.of(self.tokenizer, *text) for text in texts]
        # To be charged for the support set too: all of it is query.
        wholes = [replace(stream, query=_all_of(stream)) for stream in streams]
        engine, rows = engine_for(self.model), []
        if len(wholes) == 1 and not self.settings.samples:  # the modes side by side: twice as fast
            wholes *= len(self.experts)
            nats = stream_nats(engine, self.experts.weights, wholes, should_stop=should_stop)
            return [Read(streams[0], np.stack(nats))]
        for weights in self.experts.components(self.settings.samples):
            rows.append(stream_nats(engine, shared(weights, len(wholes)), wholes, should_stop=should_stop))
        return [Read(stream, np.stack(nats)) for stream, *nats in zip(streams, *rows, strict=True)]

    def nats(self, text: Read) -> float:
        """What the query of a text costs in all, unknown characters included."""
        return float(self.mixed(text).nats_N.sum() + text.stream.extra_nats)

    def mixed(self, text: Read) -> Mixed:
        """The mixture's view of a text that was read."""
        nats_CN, weights_C = text.query_nats_CN, self._weights_C(text)
        after_support_T = self._by_task(weights_C)
        if self.method == "bayes":
            nats_N, weights_CN = mixture.bayes(nats_CN, weights_C)
            return Mixed(nats_N, after_support_T, self._by_task(weights_CN))
        weights_TN = np.broadcast_to(after_support_T[:, None], (len(self.experts), nats_CN.shape[1]))
        return Mixed(mixture.pool(nats_CN, weights_C), after_support_T, weights_TN)

    def view(self, support: bytes, query: bytes, should_stop: ShouldStop = never) -> Mixed:
        """`mixed` of a single text; the tasks are named by `experts.names`. Raises Stopped."""
        [text] = self.read([(support, query)], should_stop)
        return self.mixed(text)

    def _weights_C(self, text: Read) -> np.ndarray:  # noqa: N802 (the suffix is the shape)
        """How much each component is believed after the support set."""
        sums_C = text.support_nats_C
        if self.method == "bayes":
            return mixture.posterior_weights(sums_C)
        if self.method == "pool":
            return mixture.uniform(len(sums_C))
        sums_KT = sums_C.reshape(len(self.experts), -1).T
        tokens = text.stream.num_support if self.settings.per_token else 1
        # The marginal p(S | D_t) is the mean over the samples, and a pool too, of whole texts.
        weights_T = mixture.posterior_weights(
            mixture.pool(sums_KT), self.settings.temperature * max(1, tokens)
        )
        return np.repeat(weights_T / len(sums_KT), len(sums_KT))

    def _by_task(self, weights_CX: np.ndarray) -> np.ndarray:
        return weights_CX.reshape(len(self.experts), -1, *weights_CX.shape[1:]).sum(axis=1)


def _all_of(stream: Stream) -> Encoded:
    """Support set and query as one query."""
    return Encoded(ids=stream.ids, widths=np.ones_like(stream.ids))


@dataclass(frozen=True, kw_only=True)
class TemperaturePoint:
    """What a temperature came to; bits_per_byte: mean over texts."""

    temperature: float
    per_token: bool
    bits_per_byte: float


@dataclass(frozen=True, kw_only=True)
class TunedMixing:
    """The settings found for `posterior pool`. is_edge: the best is the first or the last of its kind."""

    settings: Mixing
    grid: tuple[TemperaturePoint, ...] = ()
    is_edge: bool = False


def tuned_posterior_pool(
    contender: ExpertMixture, validation: Sequence[TaskText], *, should_stop: ShouldStop = never
) -> TunedMixing:
    """The temperature that costs the fewest bits per byte on meta-validation texts.

    Each text is read once, whatever is tried. Without texts the settings stand. Raises Stopped.
    """
    pairs = [
        (task.support, task.query)
        for size in _SUPPORT_BYTES
        for task in validation_tasks(validation, size, _QUERY_BYTES)
    ]
    if not pairs:
        return TunedMixing(settings=contender.settings)
    texts = [text for block in blocks(pairs) for text in contender.read(block, should_stop)]
    grid = []
    for temperature, per_token in (*((t, False) for t in TEMPERATURES), *((t, True) for t in PER_TOKEN)):
        settings = replace(contender.settings, temperature=temperature, per_token=per_token)
        tried = replace(contender, method="posterior pool", settings=settings)
        bits = [bits_per_byte(tried.nats(text), text.stream.bytes) for text in texts]
        point = TemperaturePoint(
            temperature=temperature, per_token=per_token, bits_per_byte=float(np.mean(bits))
        )
        grid.append(point)
    best = min(grid, key=lambda point: point.bits_per_byte)
    ends = PER_TOKEN if best.per_token else TEMPERATURES
    return TunedMixing(
        settings=replace(contender.settings, temperature=best.temperature, per_token=best.per_token),
        grid=tuple(grid),
        is_edge=best.temperature in (ends[0], ends[-1]),
    )
