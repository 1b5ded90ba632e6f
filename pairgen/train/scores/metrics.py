"""Metrics of a batch, as sums and counts that add up over micro-batches and processes."""

import numpy as np
import torch
from torch import Tensor

from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.losses import LOSSES, dpop_penalty
from pairgen.train.scores.pair_logps import PairLogps

Sums = dict[str, tuple[Tensor, Tensor]]
"""Per metric, the sum of its values and their number; the metric is their mean."""


def measure(batch: Batch, logps: PairLogps, losses: Tensor, config: Config, multiple_choice: bool = True) -> Sums:
    """Metrics of one batch.

    Args:
        losses: [P] loss of each pair.
        multiple_choice: whether groups are questions of which chosen is the right answer: adds ``choice/*``.

    Returns:
        ``loss``; TRL's ``logps/*`` and ``rewards/*``; the log-ratios; the mean log-prob per token of chosen before, at
        and after the edit, and of rejected at the edit; the share of pairs with chosen, or its edit, below the
        reference; DPOP's penalty p, that of the edit alone, and the share of pairs where p is positive, for every loss
        with a reference, since it measures the failure that DPOP prevents; and the share of groups where chosen beats
        every rejected, by sum and per character (``choice/*``).
        DPOP may let tokens of the edit fall while others pay for them: then ``dpop/penalty`` is near 0, but
        ``dpop/penalty_at_edit`` is not.
        Log-probs are in nats. ``rewards/*`` and ``dpop/*`` are over the tokens that count in the loss (--loss-on), all
        others over whole completions. Without a reference, metrics that compare with it are left out.
    """
    uses_rejected = LOSSES[config.loss].uses_rejected
    weight = batch.weight.to(losses.dtype)
    sums: Sums = {}

    def mean(name: str, values: Tensor, weights: Tensor = weight) -> None:
        sums[name] = ((values.detach() * weights).sum(), weights.sum())

    mean("loss", losses)
    whole, edit = logps.on("all"), logps.on("edit")
    mean("logps/chosen", whole.chosen)
    if uses_rejected:
        mean("logps/rejected", whole.rejected)
    if logps.reference is not None:
        chosen, rejected = logps.chosen_logratio, logps.rejected_logratio
        mean("rewards/chosen", config.beta * chosen)
        mean("rewards/rejected", config.beta * rejected)
        mean("rewards/margins", config.beta * (chosen - rejected))
        mean("rewards/accuracies", (chosen > rejected).to(weight.dtype))
        mean("logratios/chosen", whole.chosen_logratio)
        mean("logratios/rejected", whole.rejected_logratio)
        mean("chosen_below_reference", (whole.chosen_logratio < 0).to(weight.dtype))
        mean("edit_below_reference", (edit.chosen_logratio < 0).to(weight.dtype))
        penalty = dpop_penalty(logps, config)
        mean("dpop/penalty", penalty)
        mean("dpop/penalty_at_edit", dpop_penalty(edit, config))
        mean("dpop/active", (penalty > 0).to(weight.dtype))
    tokens = logps.policy[: logps.pairs]
    for name, inside in (("before", logps.before_edit), ("at", logps.at_edit), ("after", logps.after_edit)):
        mean(f"logps/{name}_edit", tokens, inside[: logps.pairs] * weight[:, None])
    if uses_rejected:
        mean("logps/rejected_at_edit", logps.policy[logps.pairs :], logps.at_edit[logps.pairs :] * weight[:, None])
    return sums | _choice(batch, logps.policy.detach(), weight) if uses_rejected and multiple_choice else sums


def _choice(batch: Batch, tokens: Tensor, weight: Tensor) -> Sums:
    """How often chosen has a higher log-prob than every rejected of its group, as evaluation harnesses score choices.

    Harnesses score the text without EOS, so the last token is left out. Only groups of at least two pairs count.
    """

    def per_group(values: Tensor) -> Tensor:
        return torch.zeros_like(weight).index_add_(0, batch.group, values)

    counts = (per_group(torch.ones_like(weight)) > 1) & (per_group(weight) > 0)
    total = tokens.sum(1) - tokens.gather(1, batch.lengths[:, None] - 1)[:, 0]
    found: Sums = {}
    for name, scores in (("acc", total), ("acc_norm", total / batch.num_chars.clamp(min=1))):
        lost = per_group((~(scores[: batch.pairs] > scores[batch.pairs :])).to(weight.dtype))
        found[f"choice/{name}"] = (((lost == 0) & counts).to(weight.dtype).sum(), counts.to(weight.dtype).sum())
    return found


def metric_names(config: Config) -> list[str]:
    """All metrics that a loss may have: those that ``measure`` returns for a made-up pair."""
    ids = np.zeros(1, np.int32)
    batch = padded_batch([TokenGroup(ids, (ids, ids), ("",), np.zeros((1, 2), np.int32), np.ones(2, np.int32))])
    zeros = torch.zeros(2, 1)
    reference = zeros if LOSSES[config.loss].needs_reference else None
    return list(measure(batch, PairLogps(zeros, reference, zeros == 0, batch.edit), zeros[0], config))


def add(total: Sums, more: Sums) -> Sums:
    """The sums over both."""
    if not total:
        return more
    return {name: (total[name][0] + part, total[name][1] + count) for name, (part, count) in more.items()}


def global_means(sums: Sums, world: World) -> dict[str, float]:
    """The mean of each metric over all processes; metrics without values are left out."""
    table = world.sum(torch.stack([torch.stack(pair) for pair in sums.values()]).double())
    return {name: total / count for name, (total, count) in zip(sums, table.tolist(), strict=True) if count}
