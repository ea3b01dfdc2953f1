"""The article's formula, P(theta|D) = 1/|T| sum_t P(theta|D_t), as a mixture of experts over tasks.

Each meta-train task t gives an expert, so that the uniform mixture of the tasks' posteriors predicts by a
linear pool of the experts' probabilities. It is used in three ways that must not be confused:
  pool            the mean of the experts' probabilities at each token; static
  posterior pool  the same with weights w_t proportional to p(S | D_t), tempered, frozen on the query; static
  bayes           the weights go on being updated by every token that is coded; online
The support set S counts for `bayes` as what was coded before the query.
Shapes: T tasks (an expert each), N tokens of a query.
"""

from __future__ import annotations

import numpy as np


def pool(nats_TN: np.ndarray, weights_T: np.ndarray | None = None) -> np.ndarray:
    """Nats of each token under the mixture of the experts with fixed weights; None: all the same. (N,)"""
    if weights_T is None:
        weights_T = uniform(len(nats_TN))
    return -_log_sum_exp(_log(weights_T)[:, None] - nats_TN)


def posterior_weights(support_nats_T: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """w_t proportional to p(S | D_t)^(1 / temperature): how much each expert is believed after the support.

    support_nats_T: nats of the whole support set under each expert. A high temperature comes near to uniform.
    Raises ValueError for a temperature of 0 or less.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    scaled_T = -np.asarray(support_nats_T, dtype=np.float64) / temperature
    return np.exp(scaled_T - _log_sum_exp(scaled_T[:, None]))


def bayes(nats_TN: np.ndarray, weights_T: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(nats_N, weights_TN): each token under the mixture whose weights follow from all tokens before it.

    weights_T: those before the first token; None: all the same. weights_TN: those with which each token was
    predicted. The sum of the nats is minus the logarithm of the weighted mean of the experts' sequence
    probabilities.
    """
    if weights_T is None:
        weights_T = uniform(len(nats_TN))
    # By each expert before each token.
    coded_TN = np.concatenate([np.zeros((len(nats_TN), 1)), np.cumsum(nats_TN, axis=1)[:, :-1]], axis=1)
    log_TN = _log(weights_T)[:, None] - coded_TN
    log_TN -= _log_sum_exp(log_TN)
    return -_log_sum_exp(log_TN - nats_TN), np.exp(log_TN)


def uniform(num_experts: int) -> np.ndarray:
    """The same weight for each expert."""
    return np.full(num_experts, 1 / num_experts)


def _log(weights_T: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # an expert of weight 0 says nothing
        return np.log(np.asarray(weights_T, dtype=np.float64))


def _log_sum_exp(x_TN: np.ndarray) -> np.ndarray:
    """Over the experts; -inf where all are."""
    most_N = x_TN.max(axis=0)
    shift_N = np.where(np.isfinite(most_N), most_N, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x_TN - shift_N).sum(axis=0)) + shift_N
