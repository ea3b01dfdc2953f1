"""What the network costs, in floating-point operations: estimated from its shapes, products only.

A product with a weight is two operations a number of the weight; looking up an embedding is none, and what is
done element by element is left out (a few percent).
"""

from __future__ import annotations

from metalm.model.gru import GRULM

# A backward pass has two products for each of the forward pass: one by the weight, one by its input.
GRADIENT = 3
# A Hessian product has the gradient's three and their derivatives along the direction: each product there has
# two factors that change, so twice as many. (Where the gradient is not wanted one of the nine is saved.)
HESSIAN_PRODUCT = 9
# The same as gradients: in this unit compute is compared between runs.
GRADIENTS_PER_HESSIAN_PRODUCT = HESSIAN_PRODUCT // GRADIENT


def forward_flops(model: GRULM) -> int:
    """Operations to predict one token."""
    config = model.config
    layers = sum(
        3 * config.hidden * ((config.embedding if layer == 0 else config.hidden) + config.hidden)
        for layer in range(config.layers)
    )
    return 2 * (layers + config.hidden * model.vocab_size)


def flops(model: GRULM, *, scored: int = 0, gradients: int = 0, hessian_products: int = 0) -> int:
    """Operations for so many tokens: only predicted, with a gradient, with a Hessian product (and it)."""
    passes = scored + GRADIENT * gradients + HESSIAN_PRODUCT * hessian_products
    return passes * forward_flops(model)
