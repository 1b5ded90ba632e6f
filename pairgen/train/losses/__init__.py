"""Preference losses as pure functions of log-probabilities, and the ``LOSSES`` table.

A new loss is one function and one entry in ``LOSSES``, here or in a program that imports pairgen: command-line choices,
help texts, errors, model cards and the tests of all losses are derived from it. A function in a file of your own needs
no entry: ``--loss my_module:my_loss`` (``outside.py``). This package does not import torch: the command line lists the
table.

Notation, for P pairs of a prompt x, a chosen completion y_w and a rejected completion y_l:

    w, l      log pi(y_w|x), log pi(y_l|x)             summed over the completion's tokens, in nats
    rw, rl    the same under the reference model
    a_w, a_l  w - rw, l - rl                           log-ratios
    d         a_w - a_l                                their margin
    p         max(0, rw - w)                           how far chosen is below the reference
    |w|, |l|  tokens of the completions

With ``--loss-on edit`` or ``from-edit``, sums and numbers of tokens are over these tokens alone, in every equation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pairgen.train.losses.reference_free import aft, cpo, sft, simpo
from pairgen.train.losses.with_reference import (
    apo_zero,
    bdpo,
    cal_dpo,
    dpo,
    dpo_shift,
    dpop,
    dpop_penalty,
    hinge,
    ipo,
    kto,
    rpo,
)
from pairgen.train.scores.pair_logps import PairLogps

if TYPE_CHECKING:
    from torch import Tensor

    from pairgen.train.config import Config

__all__ = ["LOSSES", "Loss", "LossFunction", "dpo", "dpop_penalty"]

LossFunction = Callable[[PairLogps, "Config"], "Tensor"]
"""Takes the log-probs of P pairs and the run's config; returns the [P] losses, each of its own pair alone."""


@dataclass(frozen=True)
class Loss:
    """An entry of ``LOSSES``."""

    function: LossFunction
    summary: str
    """One line of help."""
    options: tuple[str, ...] = ()
    """Options of ``Config`` that only this loss reads; with another loss, a value given for one causes a warning."""
    needs_reference: bool = True
    """Whether it compares with a reference model; if not, ``PairLogps.reference`` is None."""
    uses_rejected: bool = True
    """Whether it uses rejected completions; if not, they are not computed."""
    uses_beta: bool = True
    """Whether it depends on ``--beta``; if not, a value given for it causes a warning."""
    needs_baseline: bool = False
    """Whether it uses ``PairLogps.baseline``: the mean log-ratio of the previous step, at least 0."""


LOSSES: dict[str, Loss] = {
    "dpop": Loss(
        dpop,
        "DPO-Positive: DPO that keeps chosen from falling below the reference",
        ("dpop_lambda", "dpop_form", "dpop_level"),
    ),
    "dpo": Loss(dpo, "Direct Preference Optimization"),
    "ipo": Loss(ipo, "Identity Preference Optimization: squared distance to a target margin", ("ipo_level",)),
    "hinge": Loss(hinge, "hinge on the margin of log-ratios (SLiC)"),
    "rpo": Loss(rpo, "DPO plus SFT on chosen (Iterative Reasoning Preference Optimization)", ("rpo_alpha",)),
    "bdpo": Loss(bdpo, "Bounded DPO: how much rejected can lower the loss is bounded", ("bdpo_lambda",)),
    "dpo-shift": Loss(dpo_shift, "DPO with a smaller weight of rejected", ("dpo_shift_factor",)),
    "cal-dpo": Loss(cal_dpo, "Calibrated DPO: log-ratios are drawn to +-1/(2 beta)", ("cal_dpo_weight",)),
    "apo-zero": Loss(apo_zero, "Anchored Preference Optimization: chosen rises, rejected falls, each on its own"),
    "kto": Loss(
        kto,
        "Kahneman-Tversky Optimization: each completion judged on its own",
        ("kto_desirable", "kto_undesirable"),
        needs_baseline=True,
    ),
    "cpo": Loss(
        cpo, "Contrastive Preference Optimization: no reference model, plus SFT", ("cpo_alpha",), needs_reference=False
    ),
    "simpo": Loss(
        simpo,
        "Simple Preference Optimization: log-probs per token, no reference model",
        ("simpo_gamma",),
        needs_reference=False,
    ),
    "aft": Loss(aft, "Alignment Fine-Tuning: a ranking term plus SFT", needs_reference=False, uses_beta=False),
    "sft": Loss(
        sft, "supervised fine-tuning on chosen only", needs_reference=False, uses_rejected=False, uses_beta=False
    ),
}
