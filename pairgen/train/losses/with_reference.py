"""Losses that compare with a reference model. Notation: see the package."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pairgen.train.losses.reference_free import logsigmoid, sft

if TYPE_CHECKING:
    from torch import Tensor

    from pairgen.train.config import Config
    from pairgen.train.scores.pair_logps import PairLogps


def dpop_penalty(logps: PairLogps, config: Config) -> Tensor:
    """[P] p, before lambda: max(0, rw - w) of the completion, or summed over its tokens (``dpop_level="token"``).

    The token level follows the paper's derivation in appendix B.2, which takes the maximum at each token: tokens above
    the reference cannot make up for tokens below it. It is never smaller than the completion level.

    A difference of at most ``logps.rounding`` counts as 0. At the first step policy and reference are equal, and DPOP's
    gradient just below the reference is 1 + lambda times the gradient at it: rounding alone would decide which pairs
    get the larger one.
    """
    of_tokens = config.dpop_level == "token"
    policy = logps.policy[: logps.pairs] if of_tokens else logps.chosen
    reference = logps.reference_tokens[: logps.pairs] if of_tokens else logps.reference_chosen
    fall = (reference - policy).relu()
    if logps.rounding:
        fall = fall.where(fall > logps.rounding * reference.abs().clamp(min=1), 0)
    return fall.where(logps.counted[: logps.pairs], 0).sum(-1) if of_tokens else fall


def dpop(logps: PairLogps, config: Config) -> Tensor:
    """[P] DPO-Positive: -log sigmoid(beta * (d - lambda * p)).

    Pal et al. 2024 (arXiv 2402.13228), section 4, in the form that follows from its implicit reward.
    ``dpop_form="outside"`` is equation 3 as printed in section 4 of arXiv 2402.13228v1:
    -log sigmoid(beta * d) + lambda * p. Both decrease as chosen rises towards the reference.
    """
    penalty = config.dpop_lambda * dpop_penalty(logps, config)
    if config.dpop_form == "outside":
        return -logsigmoid(config.beta * logps.margin) + penalty
    return -logsigmoid(config.beta * (logps.margin - penalty))


def dpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * d). Rafailov et al. 2023 (arXiv 2305.18290), equation 7."""
    return -logsigmoid(config.beta * logps.margin)


def ipo(logps: PairLogps, config: Config) -> Tensor:
    """[P] (h - 1 / (2 * beta))^2. Azar et al. 2023 (arXiv 2310.12036), equation 17, with beta as its tau.

    h is d with each log-ratio divided by the number of its completion's tokens, as the authors ran it and as TRL
    implements it; ``ipo_level="completion"`` takes d itself, as the equation is printed.
    """
    h = logps.margin
    if config.ipo_level == "token":
        h = logps.chosen_logratio / logps.chosen_lengths - logps.rejected_logratio / logps.rejected_lengths
    return (h - 1 / (2 * config.beta)) ** 2


def hinge(logps: PairLogps, config: Config) -> Tensor:
    """[P] max(0, 1 - beta * d). Zhao et al. 2023 (SLiC, arXiv 2305.10425), on log-ratios."""
    return (1 - config.beta * logps.margin).relu()


def kto(logps: PairLogps, config: Config) -> Tensor:
    """[P] lambda_D (1 - sigmoid(beta (w - rw - z))) + lambda_U (1 - sigmoid(beta (z - (l - rl)))), halved.

    Ethayarajh et al. 2024 (arXiv 2402.01306), equation 8: each pair is split into a desirable and an undesirable
    completion, and the loss is their mean. No gradient flows through the reference point z (``baseline``); the trainer
    uses the mean log-ratio of all completions of the previous step, at least 0, and 0 at the first step, where the
    policy equals the reference. It does not depend on other pairs of the batch, so micro-batches change nothing.
    """
    desirable = (config.beta * (logps.chosen_logratio - logps.baseline)).sigmoid()
    undesirable = (config.beta * (logps.baseline - logps.rejected_logratio)).sigmoid()
    return (config.kto_desirable * (1 - desirable) + config.kto_undesirable * (1 - undesirable)) / 2


def rpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * d) - alpha * w / |w|: DPO plus the mean negative log-likelihood of chosen.

    Pang et al. 2024, Iterative Reasoning Preference Optimization (arXiv 2404.19733), section 2, which divides by the
    tokens of chain of thought and answer: those of the completion. TRL calls it
    ``loss_type=["sigmoid", "sft"]``, with the mean over all chosen tokens of a batch instead of the mean of each pair.
    """
    return dpo(logps, config) + config.rpo_alpha * sft(logps, config)


def bdpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * (a_w - log(lambda * exp(a_l) + 1 - lambda))), with log-ratios a_w, a_l.

    Cho et al. 2025, Bounded-DPO (arXiv 2506.12725): rejected is compared under a mixture of policy and reference, so
    its term is at most -log(1 - lambda) however far rejected falls; the rest must come from chosen. At lambda 1 it is
    DPO.
    """
    rejected = logps.rejected_logratio + math.log(config.bdpo_lambda)
    if config.bdpo_lambda < 1:
        rejected = rejected.logaddexp(rejected.new_tensor(math.log1p(-config.bdpo_lambda)))
    return -logsigmoid(config.beta * (logps.chosen_logratio - rejected))


def dpo_shift(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * (a_w - f * a_l)), with log-ratios a_w, a_l.

    Yang et al. 2025, DPO-Shift (arXiv 2502.07599), with a fixed factor f: the smaller it is, the more of the margin
    comes from chosen. At f = 1 it is DPO. The paper's schedules, in which f rises or falls linearly, are not here.
    """
    return -logsigmoid(config.beta * (logps.chosen_logratio - config.dpo_shift_factor * logps.rejected_logratio))


def cal_dpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(d) + c * ((a_w - 1 / (2 beta))^2 + (a_l + 1 / (2 beta))^2), with log-ratios a_w, a_l.

    Xiao et al. 2024, Cal-DPO (arXiv 2412.14516), algorithm 1, which has weight c = 1: the log-ratios themselves are
    drawn to 1 / (2 beta) and -1 / (2 beta). There is no beta in the sigmoid.
    """
    target = 1 / (2 * config.beta)
    calibration = (logps.chosen_logratio - target) ** 2 + (logps.rejected_logratio + target) ** 2
    return -logsigmoid(logps.margin) + config.cal_dpo_weight * calibration


def apo_zero(logps: PairLogps, config: Config) -> Tensor:
    """[P] 1 - sigmoid(beta * a_w) + sigmoid(beta * a_l), with log-ratios a_w, a_l.

    D'Oosterlinck et al. 2024, Anchored Preference Optimization (arXiv 2408.06266), equation 7: chosen rises and
    rejected falls, each on its own, and both saturate far from the reference.
    """
    return (-config.beta * logps.chosen_logratio).sigmoid() + (config.beta * logps.rejected_logratio).sigmoid()
