"""What a batch says of the policy, as sums and counts that add up over parts of a batch and over processes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pairgen.train.layout.batch import Batch
from pairgen.train.losses import LossOptions, Scores, dpop_penalty

Sums = dict[str, tuple[Tensor, Tensor]]
"""Per metric, a sum and how many values are in it; the metric is their mean."""


def measure(
    batch: Batch,
    tokens: Tensor,
    scores: Scores,
    losses: Tensor,
    options: LossOptions,
    compares: bool = True,
    chooses: bool = True,
) -> Sums:
    """Metrics of one batch.

    Args:
        tokens: [2P, T] log-prob of each token of each completion, 0 behind its end.
        losses: [P] loss of each pair.
        compares: whether rejected was scored at all.
        chooses: whether groups are choices, of which chosen is the right one: tells to measure ``choice/*``.

    Returns:
        ``loss``; TRL's ``logps/*`` and ``rewards/*``; the log-ratios; the mean log-prob per token of chosen before, at
        and after the edit; the share of chosen below the reference; DPOP's penalty p and the share of pairs where it is
        above 0; and, over groups, how often chosen beats every rejected, by sum and per character (``choice/*``).
        Log-probs are in nats. What compares with a reference is left out where there is none.
    """
    weight = batch.weight.to(losses.dtype)
    sums: Sums = {}

    def mean(name: str, values: Tensor, weights: Tensor = weight) -> None:
        sums[name] = ((values.detach() * weights).sum(), weights.sum())

    chosen, rejected = scores.chosen, scores.rejected
    mean("loss", losses)
    mean("logps/chosen", chosen)
    if compares:
        mean("logps/rejected", rejected)
    if scores.reference_chosen is not None:
        up, down = scores.chosen_ratio, scores.rejected_ratio
        mean("rewards/chosen", options.beta * up)
        mean("rewards/rejected", options.beta * down)
        mean("rewards/margins", options.beta * (up - down))
        mean("rewards/accuracies", (up > down).to(weight.dtype))
        mean("logratios/chosen", up)
        mean("logratios/rejected", down)
        mean("chosen_below_reference", (up < 0).to(weight.dtype))
        penalty = dpop_penalty(scores, options)
        mean("dpop/penalty", penalty)
        mean("dpop/active", (penalty > 0).to(weight.dtype))
    sums |= _around_edit(batch, tokens[: batch.pairs].detach(), weight)
    return sums | _choice(batch, tokens.detach(), weight) if compares and chooses else sums


def _around_edit(batch: Batch, chosen: Tensor, weight: Tensor) -> Sums:
    """Log-prob per token of chosen before, at and after its edit, over all tokens of all pairs."""
    at = torch.arange(chosen.shape[1], device=chosen.device)
    start, stop, end = batch.edit[:, :1], batch.edit[:, 1:], batch.lengths[: batch.pairs, None]
    places = {
        "logps/before_edit": at < start,
        "logps/at_edit": (at >= start) & (at < stop),
        "logps/after_edit": (at >= stop) & (at < end),
    }
    counted = {name: inside * weight[:, None] for name, inside in places.items()}
    return {name: ((chosen * weights).sum(), weights.sum()) for name, weights in counted.items()}


def _choice(batch: Batch, tokens: Tensor, weight: Tensor) -> Sums:
    """How often chosen has a higher log-prob than every rejected of its group, as harnesses score a choice.

    They score the text alone, so the last token of a completion, EOS, is left out. Only groups of two pairs and more
    say something here.
    """
    sums = tokens.sum(1) - tokens.gather(1, batch.lengths[:, None] - 1)[:, 0]
    by_char = sums / batch.num_chars.clamp(min=1)
    wins = {name: of[: batch.pairs] > of[batch.pairs :] for name, of in (("acc", sums), ("acc_norm", by_char))}
    size = torch.zeros_like(weight).index_add_(0, batch.group, torch.ones_like(weight))
    held = torch.zeros_like(weight).index_add_(0, batch.group, weight)
    counts = (size > 1) & (held > 0)
    found: Sums = {}
    for name, won in wins.items():
        lost = torch.zeros_like(weight).index_add_(0, batch.group, (~won).to(weight.dtype))
        found[f"choice/{name}"] = (((lost == 0) & counts).to(weight.dtype).sum(), counts.to(weight.dtype).sum())
    return found


def add(total: Sums, more: Sums) -> Sums:
    """Add two batches' sums."""
    if not total:
        return more
    return {name: (total[name][0] + part, total[name][1] + count) for name, (part, count) in more.items()}


def stacked(sums: Sums) -> Tensor:
    """[K, 2] sums and counts, in the order of the names."""
    return torch.stack([torch.stack(pair) for pair in sums.values()]).double()


def means(names: Mapping[str, object] | list[str], table: Tensor) -> dict[str, float]:
    """The metrics of a table that ``stacked`` made; those that nothing counted in are left out."""
    return {name: part / count for name, (part, count) in zip(names, table.tolist(), strict=True) if count}
