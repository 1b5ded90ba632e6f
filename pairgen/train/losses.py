"""Preference losses as pure functions of log-probs, and the ``LOSSES`` table.

A new loss is one function here and one line in ``LOSSES``: help texts, errors, docs and the law tests follow from it.

Notation, for P pairs of a prompt x, a chosen completion y_w and a rejected one y_l:

    w, l      log pi(y_w|x), log pi(y_l|x)             summed over the completion's tokens, in nats
    rw, rl    the same under the reference model
    d         (w - rw) - (l - rl)                      chosen less rejected log-ratio
    p         max(0, rw - w)                           how far chosen has fallen below the reference
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

DPOP_FORMS = ("inside", "outside")
DPOP_LEVELS = ("completion", "token")
IPO_LEVELS = ("token", "completion")


@dataclass(frozen=True)
class LossOptions:
    """What the losses can be told. The defaults of beta and lambda are the Smaug paper's (appendix E.1)."""

    beta: float = 0.3
    dpop_lambda: float = 50.0
    dpop_form: str = "inside"
    dpop_level: str = "completion"
    ipo_level: str = "token"
    cpo_alpha: float = 1.0
    kto_desirable: float = 1.0
    kto_undesirable: float = 1.0


@dataclass(frozen=True)
class Scores:
    """Log-probs of P pairs, in nats. References are None where the loss needs none."""

    chosen: Tensor
    """[P] w"""
    rejected: Tensor
    """[P] l"""
    chosen_length: Tensor
    """[P] tokens of y_w"""
    rejected_length: Tensor
    """[P] tokens of y_l"""
    reference_chosen: Tensor | None = None
    """[P] rw"""
    reference_rejected: Tensor | None = None
    """[P] rl"""
    chosen_tokens: Tensor | None = None
    """[P, T] log-prob of each token of y_w, 0 behind its end"""
    reference_chosen_tokens: Tensor | None = None
    """[P, T] the same under the reference"""
    baseline: Tensor | float = 0.0
    """KTO's reference point z_0, in nats"""
    rounding: float = 0.0
    """relative error of log-probs: how far equal models' may differ because they were computed in other batches"""

    @property
    def chosen_ratio(self) -> Tensor:
        """[P] w - rw"""
        return self.chosen - _known(self.reference_chosen)

    @property
    def rejected_ratio(self) -> Tensor:
        """[P] l - rl"""
        return self.rejected - _known(self.reference_rejected)

    @property
    def difference(self) -> Tensor:
        """[P] d"""
        return self.chosen_ratio - self.rejected_ratio


def _known(value: Tensor | None) -> Tensor:
    if value is None:
        raise TypeError("this loss compares with a reference model, and there are no reference log-probs")
    return value


def dpop_penalty(scores: Scores, options: LossOptions) -> Tensor:
    """[P] p, before lambda: max(0, rw - w) of the whole completion, or summed over tokens (``dpop_level="token"``).

    The token level is the reading of the paper's derivation B.2, which has the maximum at each token: tokens above the
    reference cannot pay for tokens below it. It is never smaller than the level of the completion.

    A fall of no more than ``scores.rounding`` is none. At the first step policy and reference are equal, and DPOP's
    gradient is 1 + lambda times larger just below the reference than at it: rounding alone would tell for which pairs.
    """
    if options.dpop_level == "token":
        return _fall(_known(scores.reference_chosen_tokens), _known(scores.chosen_tokens), scores.rounding).sum(-1)
    return _fall(_known(scores.reference_chosen), scores.chosen, scores.rounding)


def _fall(reference: Tensor, policy: Tensor, rounding: float) -> Tensor:
    """max(0, reference - policy), and 0 where that is rounding."""
    fall = torch.relu(reference - policy)
    return torch.where(fall > rounding * reference.abs().clamp(min=1), fall, 0) if rounding else fall


def dpop(scores: Scores, options: LossOptions) -> Tensor:
    """[P] DPO-Positive: -log sigmoid(beta * (d - lambda * p)).

    Pal et al. 2024 (arXiv 2402.13228), section 4, by its implicit reward. ``dpop_form="outside"`` is Equation 3 as the
    first version prints it: -log sigmoid(beta * d) + lambda * p. Both fall as chosen rises towards the reference.
    """
    penalty = options.dpop_lambda * dpop_penalty(scores, options)
    if options.dpop_form == "outside":
        return -logsigmoid(options.beta * scores.difference) + penalty
    return -logsigmoid(options.beta * (scores.difference - penalty))


def dpo(scores: Scores, options: LossOptions) -> Tensor:
    """[P] -log sigmoid(beta * d). Rafailov et al. 2023 (arXiv 2305.18290), equation 7."""
    return -logsigmoid(options.beta * scores.difference)


def ipo(scores: Scores, options: LossOptions) -> Tensor:
    """[P] (h - 1 / (2 * beta))^2. Azar et al. 2023 (arXiv 2310.12036), equation 17, with beta as its tau.

    h is d with each log-ratio divided by its completion's tokens, as the authors ran it and TRL has it;
    ``ipo_level="completion"`` takes d itself, as the equation is written.
    """
    h = scores.difference
    if options.ipo_level == "token":
        h = scores.chosen_ratio / scores.chosen_length - scores.rejected_ratio / scores.rejected_length
    return (h - 1 / (2 * options.beta)) ** 2


def hinge(scores: Scores, options: LossOptions) -> Tensor:
    """[P] max(0, 1 - beta * d). Zhao et al. 2023 (SLiC, arXiv 2305.10425), on log-ratios."""
    return torch.relu(1 - options.beta * scores.difference)


def sft(scores: Scores, options: LossOptions) -> Tensor:
    """[P] -w / tokens: the mean negative log-likelihood of a token of chosen. Rejected says nothing."""
    del options
    return -scores.chosen / scores.chosen_length


def cpo(scores: Scores, options: LossOptions) -> Tensor:
    """[P] -log sigmoid(beta * (w - l)) - alpha * w / tokens. Xu et al. 2024 (arXiv 2401.08417), equation 3."""
    return -logsigmoid(options.beta * (scores.chosen - scores.rejected)) + options.cpo_alpha * sft(scores, options)


def aft(scores: Scores, options: LossOptions) -> Tensor:
    """[P] log(1 + exp(l - w)) - w / tokens. Wang et al. 2023 (arXiv 2309.02144), as the Smaug paper has it.

    With one chosen and one rejected completion the alignment term is -log sigmoid(w - l); the second is its SFT loss.
    """
    return -logsigmoid(scores.chosen - scores.rejected) + sft(scores, options)


def kto(scores: Scores, options: LossOptions) -> Tensor:
    """[P] lambda_D (1 - sigmoid(beta (w - rw - z))) + lambda_U (1 - sigmoid(beta (z - (l - rl)))), halved.

    Ethayarajh et al. 2024 (arXiv 2402.01306), equation 8: each pair is taken apart into a desirable and an undesirable
    completion, and the loss is their mean. The reference point z (``baseline``) is a constant to the gradient; the
    trainer takes the mean log-ratio of all completions of the step before, at least 0, and 0 at the first step, where
    the policy is the reference. It depends on no other pair of the batch, so a batch may be split in any way.
    """
    desirable = torch.sigmoid(options.beta * (scores.chosen_ratio - scores.baseline))
    undesirable = torch.sigmoid(options.beta * (scores.baseline - scores.rejected_ratio))
    return (options.kto_desirable * (1 - desirable) + options.kto_undesirable * (1 - undesirable)) / 2


class Loss(NamedTuple):
    """A loss of the table: the function, whether it compares with a reference model, and one line of help."""

    function: Callable[[Scores, LossOptions], Tensor]
    needs_reference: bool
    summary: str


LOSSES: dict[str, Loss] = {
    "dpop": Loss(dpop, True, "DPO-Positive: DPO that keeps chosen from falling below the reference"),
    "dpo": Loss(dpo, True, "Direct Preference Optimisation"),
    "ipo": Loss(ipo, True, "Identity Preference Optimisation: a squared distance to a margin"),
    "hinge": Loss(hinge, True, "a hinge on the difference of log-ratios (SLiC)"),
    "kto": Loss(kto, True, "Kahneman-Tversky Optimisation: each completion judged by itself"),
    "cpo": Loss(cpo, False, "Contrastive Preference Optimisation: no reference model, plus SFT"),
    "aft": Loss(aft, False, "Alignment Fine-Tuning: a ranking term plus SFT"),
    "sft": Loss(sft, False, "supervised fine-tuning on chosen alone"),
}
