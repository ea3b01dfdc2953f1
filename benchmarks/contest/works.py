"""What is measured: the works, their shapes, their targets, and how many FLOPs they take. Needs no torch.

The process that starts the workers imports nothing heavy: on Linux a child's peak memory begins at that of
its parent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from metalm.config import PRESETS

Kind = Literal["meta-step", "joint", "adaptation", "live", "sampling", "small-gemm", "large-gemm"]

OURS, PLAIN, LIMIT = "metalm", "plain torch", "the limit"
LIBRARIES = ("learn2learn", "higher", "torchopt")
BYTES = 256  # the vocabulary of texts read as bytes
ADAPTATION_BYTES = 2048  # a pasted text
CUDA_TASKS = 16
SWEEP = (1, 2, 4, 8, 16, 32)  # tasks of a meta-step
LARGE = 2048  # rows and columns of the large product

# What is computed for each matrix product of the network, in FLOPs of that product. A gradient: itself, and
# backward by its input and by its weight. A Hessian product: itself and the one by its input again (what a
# gradient leaves behind is not kept: memory must not grow with the adaptation steps), and the two that the
# product rule makes of each of the three.
GRADIENT_PRODUCTS, HESSIAN_PRODUCTS = 3, 2 + 3 * 2


@dataclass(frozen=True, kw_only=True)
class Work:
    """One thing that is done the same by every side, timed, and compared.

    faster: how many times as fast as the fastest peer it must be. memory: how much of that peer's peak memory
    it may take at most; first_within: seconds until the first result; 0 does not judge it. tokens: how many
    tokens/s count, if any.
    """

    name: str
    kind: Kind
    faster: float
    peers: tuple[str, ...] = (PLAIN,)
    memory: float = 0.0
    first_within: float = 0.0
    tokens: int = 0
    embedding: int = 64
    hidden: int = 256
    layers: int = 1
    vocabulary: int = 128
    tasks: int = 8
    steps: int = 3
    batch: int = 8
    window: int = 64
    lr: float = 0.5
    second_order: bool = False
    device: str = "cpu"
    streams: int = 1


FIRST_ORDER = Work(
    name="first-order meta-step", kind="meta-step", faster=4, memory=1.6, peers=(PLAIN, *LIBRARIES)
)
SECOND_ORDER = replace(FIRST_ORDER, name="second-order meta-step", memory=0.5, second_order=True)


def sized(work: Work, preset: str, **changes: object) -> Work:
    """The work with the network of a preset, over bytes."""
    model = PRESETS[preset]
    shape = {"embedding": model.embedding, "hidden": model.hidden, "layers": model.layers}
    return replace(work, vocabulary=BYTES, **shape, **changes)


def joint(preset: str, device: str = "cpu") -> Work:
    """Joint training of a preset: 4 tasks x 8 windows of 64 bytes a step."""
    where, faster = (" on CUDA", 0.95) if device == "cuda" else ("", 1.5)
    work = Work(name=f"joint training, {preset}{where}", kind="joint", faster=faster, lr=1e-3, device=device)
    return sized(work, preset, tasks=4, tokens=4 * work.batch * work.window)


def sampling(streams: int, tokens: int) -> Work:
    """`tokens` tokens of each of some streams."""
    many = "one stream" if streams == 1 else f"{streams} streams"
    work = Work(name=f"sampling, {many}", kind="sampling", faster=3, streams=streams)
    return sized(work, "small", tokens=tokens * streams)


ADAPTING = sized(
    Work(name="adaptation to a 2 kB text", kind="adaptation", faster=3, tasks=1, steps=10, lr=0.3), "base"
)
ON_CUDA = tuple(
    replace(
        sized(work, "base", tasks=CUDA_TASKS, device="cuda"),
        name=f"{work.name} on CUDA",
        peers=(PLAIN, "learn2learn"),
        faster=10,
        memory=0.0,
    )
    for work in (FIRST_ORDER, SECOND_ORDER)
)
WORKS = (
    FIRST_ORDER,
    SECOND_ORDER,
    *(joint(preset) for preset in ("small", "base", "large")),
    ADAPTING,
    replace(ADAPTING, name="adaptation to a 2 kB text, each step scored", kind="live", first_within=1.0),
    sampling(1, 400),
    sampling(64, 100),
    *ON_CUDA,
    *(joint(preset, "cuda") for preset in ("small", "base", "large")),
)
SWEPT = (FIRST_ORDER, SECOND_ORDER)
SMALL_GEMM = replace(FIRST_ORDER, name="batched sgemm of the recurrence", kind="small-gemm")
LARGE_GEMM = replace(FIRST_ORDER, name="large sgemm", kind="large-gemm")


def forward_flops(work: Work) -> int:
    """FLOPs of one task's matrix products forward, a multiplication and an addition counted as one each.

    State to gates in every layer, input to gates (in the first layer of every token of the vocabulary, once),
    state to logits.
    """
    tokens, gates = work.batch * work.window, 3 * work.hidden
    states = work.layers * tokens * work.hidden * gates
    inputs = work.vocabulary * work.embedding * gates + (work.layers - 1) * tokens * work.hidden * gates
    logits = tokens * work.hidden * work.vocabulary
    return 2 * (states + inputs + logits)


def meta_step_flops(work: Work) -> int:
    """FLOPs of a meta-step: a gradient for each adaptation step and for the query; in the second order a
    Hessian product for each adaptation step beside."""
    products = GRADIENT_PRODUCTS * (work.steps + 1)
    products += HESSIAN_PRODUCTS * work.steps if work.second_order else 0
    return work.tasks * products * forward_flops(work)


def gemm_flops(work: Work) -> int:
    """FLOPs of one round of `SMALL_GEMM` or `LARGE_GEMM`."""
    if work.kind == "large-gemm":
        return 2 * LARGE**3
    return 2 * 2 * work.window * work.tasks * work.batch * work.hidden * 3 * work.hidden
