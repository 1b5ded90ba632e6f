"""Preference losses as pure functions of log-probabilities, and the ``LOSSES`` table.

A new loss is one function and one entry in ``LOSSES``, here or in a program that imports pairgen: command-line choices,
help texts, errors, model cards and the tests of all losses are derived from it. This module does not import torch:
the command line lists the table.

Notation, for P pairs of a prompt x, a chosen completion y_w and a rejected completion y_l:

    w, l      log pi(y_w|x), log pi(y_l|x)             summed over the completion's tokens, in nats
    rw, rl    the same under the reference model
    d         (w - rw) - (l - rl)                      margin of the log-ratios
    p         max(0, rw - w)                           how far chosen is below the reference
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pairgen.train.scores.pair_logps import PairLogps

if TYPE_CHECKING:
    from torch import Tensor

    from pairgen.train.config import Config


@dataclass(frozen=True)
class Loss:
    """An entry of ``LOSSES``."""

    function: Callable[[PairLogps, Config], Tensor]
    """Takes the log-probs of P pairs and the run's config; returns the [P] losses."""
    summary: str
    """One line of help."""
    needs_reference: bool = True
    """Whether it compares with a reference model; if not, ``PairLogps.reference`` is None."""
    uses_rejected: bool = True
    """Whether it uses rejected completions; if not, they are not computed."""
    uses_beta: bool = True
    """Whether it depends on ``--beta``; if not, a value given for it causes a warning."""
    needs_baseline: bool = False
    """Whether it uses ``PairLogps.baseline``: the mean log-ratio of the previous step, at least 0."""


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
    return fall.sum(-1) if of_tokens else fall


def _logsigmoid(x: Tensor) -> Tensor:
    from torch.nn.functional import logsigmoid

    return logsigmoid(x)


def dpop(logps: PairLogps, config: Config) -> Tensor:
    """[P] DPO-Positive: -log sigmoid(beta * (d - lambda * p)).

    Pal et al. 2024 (arXiv 2402.13228), section 4, in the form that follows from its implicit reward.
    ``dpop_form="outside"`` is equation 3 as printed in section 4 of arXiv 2402.13228v1:
    -log sigmoid(beta * d) + lambda * p. Both decrease as chosen rises towards the reference.
    """
    penalty = config.dpop_lambda * dpop_penalty(logps, config)
    if config.dpop_form == "outside":
        return -_logsigmoid(config.beta * logps.margin) + penalty
    return -_logsigmoid(config.beta * (logps.margin - penalty))


def dpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * d). Rafailov et al. 2023 (arXiv 2305.18290), equation 7."""
    return -_logsigmoid(config.beta * logps.margin)


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


def sft(logps: PairLogps, config: Config) -> Tensor:
    """[P] -w / |w|: the mean negative log-likelihood of the chosen completion's |w| tokens."""
    del config
    return -logps.chosen / logps.chosen_lengths


def cpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * (w - l)) - alpha * w / |w|. Xu et al. 2024 (arXiv 2401.08417), equation 3."""
    return -_logsigmoid(config.beta * (logps.chosen - logps.rejected)) + config.cpo_alpha * sft(logps, config)


def aft(logps: PairLogps, config: Config) -> Tensor:
    """[P] log(1 + exp(l - w)) - w / |w|. Wang et al. 2023 (arXiv 2309.02144), in the form of the Smaug paper.

    With one chosen and one rejected completion the alignment term is -log sigmoid(w - l); the second term is SFT.
    """
    return -_logsigmoid(logps.chosen - logps.rejected) + sft(logps, config)


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


LOSSES: dict[str, Loss] = {
    "dpop": Loss(dpop, "DPO-Positive: DPO that keeps chosen from falling below the reference"),
    "dpo": Loss(dpo, "Direct Preference Optimization"),
    "ipo": Loss(ipo, "Identity Preference Optimization: squared distance to a target margin"),
    "hinge": Loss(hinge, "hinge on the margin of log-ratios (SLiC)"),
    "kto": Loss(kto, "Kahneman-Tversky Optimization: each completion judged on its own", needs_baseline=True),
    "cpo": Loss(cpo, "Contrastive Preference Optimization: no reference model, plus SFT", needs_reference=False),
    "aft": Loss(aft, "Alignment Fine-Tuning: a ranking term plus SFT", needs_reference=False, uses_beta=False),
    "sft": Loss(
        sft, "supervised fine-tuning on chosen only", needs_reference=False, uses_rejected=False, uses_beta=False
    ),
}
