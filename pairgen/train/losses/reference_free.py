"""Losses that need no reference model. Notation: see the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pairgen.train.config import Config
    from pairgen.train.scores.pair_logps import PairLogps


def logsigmoid(x: Tensor) -> Tensor:
    """log sigmoid(x), exact for large negative x, unlike ``x.sigmoid().log()``."""
    from torch.nn.functional import logsigmoid

    return logsigmoid(x)


def sft(logps: PairLogps, config: Config) -> Tensor:
    """[P] -w / |w|: the mean negative log-likelihood of the chosen completion's |w| tokens."""
    del config
    return -logps.chosen / logps.chosen_lengths


def cpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * (w - l)) - alpha * w / |w|. Xu et al. 2024 (arXiv 2401.08417), equation 3."""
    return -logsigmoid(config.beta * (logps.chosen - logps.rejected)) + config.cpo_alpha * sft(logps, config)


def aft(logps: PairLogps, config: Config) -> Tensor:
    """[P] log(1 + exp(l - w)) - w / |w|. Wang et al. 2023 (arXiv 2309.02144), in the form of the Smaug paper.

    With one chosen and one rejected completion the alignment term is -log sigmoid(w - l); the second term is SFT.
    """
    return -logsigmoid(logps.chosen - logps.rejected) + sft(logps, config)


def simpo(logps: PairLogps, config: Config) -> Tensor:
    """[P] -log sigmoid(beta * (w / |w| - l / |l|) - gamma). Meng et al. 2024 (arXiv 2405.14734), equation 6.

    The paper's beta is 2 to 10, larger than that of losses on sums, and its gamma 0.3 to 1.6. TRL: ``CPOTrainer`` with
    ``loss_type="simpo"`` and ``cpo_alpha=0``.
    """
    margin = logps.chosen / logps.chosen_lengths - logps.rejected / logps.rejected_lengths
    return -logsigmoid(config.beta * margin - config.simpo_gamma)
