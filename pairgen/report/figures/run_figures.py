"""Figures of training runs, several of them over one another.

To add one, write a function from runs to a figure, or to None if none of them has anything to show in it, and enter it
in ``RUN_FIGURES``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pairgen.report.comparison import named
from pairgen.report.curves import thin
from pairgen.report.documents.content import Arrows, Band, Bars, Line, Lines, Moves
from pairgen.report.documents.number_format import NATS_PER_TOKEN
from pairgen.report.figures.entry import Plot
from pairgen.run_folder import EVAL, Run
from pairgen.run_folder.measured import PARTS, Measured

Runs = Sequence[Run]

POINTS = 200
"""Points of a line of training batches; of more, the means over equal spans of steps."""

FIRST, LAST = -15, 30
"""Offsets from the edit that are shown."""

MIN_TOKENS = 5
"""Tokens at an offset that a mean is shown of."""

SPLITS = {"": "training batches", EVAL: "held-out pairs"}

LOG_RATIO = "Log-ratio: log-prob under the trained model minus that under the reference, summed over the completion."


def loss(runs: Runs) -> Lines | None:
    """The loss over steps."""
    lines = _over_steps(runs, {"loss": ""})
    several = len({run.loss for run in runs}) > 1
    note = "The runs have different losses: compare when they fall, not how low." if several else ""
    return Lines("loss", "Loss", "step", "loss", lines, note=note) if lines else None


def log_ratios(runs: Runs) -> Lines | None:
    """Log-ratios of chosen and rejected over steps."""
    lines = _over_steps(runs, {"logratios/chosen": "chosen", "logratios/rejected": "rejected"})
    labels = ("log-ratios", "Log-ratios of chosen and rejected", "step", "mean log-ratio (nats)")
    return Lines(*labels, lines, zero="reference model", note=LOG_RATIO) if lines else None


def log_probs(runs: Runs) -> Lines | None:
    """Log-probs of chosen and rejected over steps."""
    lines = _over_steps(runs, {"logps/chosen": "chosen", "logps/rejected": "rejected"})
    labels = ("log-probs", "Log-probs of chosen and rejected", "step", "mean log-prob of a completion (nats)")
    return Lines(*labels, lines) if lines else None


def edit_parts(runs: Runs) -> Bars | None:
    """How much the log-prob of a chosen token changed before, at and after the edit."""
    found = {name: changes for name, run in named(runs) if (changes := _changes(run))}
    return (
        found
        and Bars(
            "edit-parts",
            "Change of log-prob before, at and after the edit",
            "tokens of chosen",
            "mean change (nats per token)",
            [f"{part} the edit" for part in PARTS],
            found,
            number=NATS_PER_TOKEN,
            note="Of held-out pairs, from the model that training started from to the last evaluation.",
        )
    ) or None


def _changes(run: Run) -> list[float] | None:
    """The change before, at and after the edit: from the log-probs of pairs, or from what the run logged."""
    pairs = _measured(run)
    if pairs and pairs.has("chosen", "reference"):
        return [pairs.pooled("chosen", part) - pairs.pooled("chosen", part, "reference") for part in PARTS]
    first, last = run.values(EVAL, last=False), run.values(EVAL, last=True)
    keys = [f"logps/{part}_edit" for part in PARTS]
    if not run.evaluated or not first["step"] == 0 < last["step"] or not {*keys} <= first.keys() & last.keys():
        return None
    return [last[key] - first[key] for key in keys]


def position(runs: Runs) -> Lines | None:
    """How much log-probs of tokens changed, by their position around the edit: Figure 3 of Pal et al. (2024)."""
    lines = {}
    for name, pairs in _with_reference(runs):
        for side in ("chosen", "rejected") if len(runs) == 1 and pairs.has("rejected") else ("chosen",):
            change = pairs.profile(side, "policy", FIRST, LAST) - pairs.profile(side, "reference", FIRST, LAST)
            offsets = np.concatenate(pairs.offsets(side))
            counts = (offsets[:, None] == np.arange(FIRST, LAST + 1)).sum(0)
            label = side if len(runs) == 1 else name
            lines[label] = Line(range(FIRST, LAST + 1), np.where(counts >= MIN_TOKENS, change, np.nan).tolist())
    return (
        lines
        and Lines(
            "position",
            "Change of log-prob by position",
            "offset from the edit (tokens)",
            "mean change (nats per token)",
            lines,
            bands=[Band(-0.5, 0.5, "edit")],
            zero="reference model",
            note="Of held-out pairs; all tokens of an edit are at offset 0."
            + (" Of chosen completions." if len(runs) > 1 else ""),
        )
    ) or None


def plane(runs: Runs) -> Arrows | None:
    """Log-ratios of chosen and rejected, an arrow for each pair from the reference to the trained model."""
    return _plane(runs, "", "plane", "What became of each pair", "log-ratio of {} (nats)")


def edit_plane(runs: Runs) -> Arrows | None:
    """The same of the tokens of the edit alone: those that chosen and rejected do not share."""
    return _plane(
        runs, "at", "edit-plane", "What became of the edit of each pair", "log-ratio of the edit of {} (nats)"
    )


def _plane(runs: Runs, part: str, name: str, title: str, label: str) -> Arrows | None:
    """Args: ``part``: of ``PARTS``, or "" for whole completions; ``label``: of an axis, with a place for the side."""
    found = {of: pairs for of, pairs in _with_reference(runs) if pairs.has("rejected")}
    if not found:
        return None
    moves, corners = {}, list(CORNERS)
    for of, pairs in found.items():
        chosen, rejected = pairs.logratio("chosen", part), pairs.logratio("rejected", part)
        shares = [float((((chosen > 0) == right) & ((rejected > 0) == up)).mean()) for right, up in CORNERS.values()]
        shown = [f"{text}: {share:.0%}" for text, share in zip(CORNERS, shares, strict=True)]
        origin = [0.0] * len(pairs)
        moves[of if len(found) == 1 else f"{of}; {shown[BOTH_FALL]}"] = Moves(
            origin, origin, chosen.tolist(), rejected.tolist()
        )
        corners = shown if len(found) == 1 else corners
    return Arrows(
        name,
        title,
        label.format("chosen"),
        label.format("rejected"),
        moves,
        zero="reference model",
        diagonal="margin 0",
        corners=corners,
        note="An arrow for each held-out pair, or for a sample of them, from the reference to the trained model; the "
        "thick one is the mean of all. Below the diagonal, chosen has gained on rejected.",
    )


CORNERS = {
    "both rise": (True, True),
    "chosen falls, rejected rises": (False, True),
    "both fall": (False, False),
    "chosen rises, rejected falls": (True, False),
}
"""The quadrants, from the upper right on: whether chosen and rejected rise."""

BOTH_FALL = list(CORNERS).index("both fall")


def below_reference(runs: Runs) -> Lines | None:
    """The share of pairs whose chosen completion, or its edit, is less likely than under the reference."""
    both = {"chosen_below_reference": "chosen", "edit_below_reference": "edit of chosen"}
    lines = _over_steps(runs, both if len(runs) == 1 else {"chosen_below_reference": ""})
    labels = ("below-reference", "Chosen less likely than under the reference", "step", "share of pairs")
    return Lines(*labels, lines, y_percent=True) if lines else None


def accuracy(runs: Runs) -> Lines | None:
    """How often the margin is positive: the log-ratio of chosen exceeds that of rejected."""
    lines = _over_steps(runs, {"rewards/accuracies": ""})
    labels = ("accuracy", "Pairs with a positive margin", "step", "share of pairs")
    note = "Margin: log-ratio of chosen minus that of rejected."
    return Lines(*labels, lines, y_percent=True, note=note) if lines else None


def choice_accuracy(runs: Runs) -> Lines | None:
    """How often chosen is the most likely choice of its question."""
    lines = _over_steps(runs, {"choice/acc": "by log-prob", "choice/acc_norm": "per character"})
    labels = ("choice-accuracy", "Questions answered with chosen", "step", "share of questions")
    return Lines(*labels, lines, y_percent=True) if lines else None


def tokens_per_second(runs: Runs) -> Lines | None:
    """Speed in tokens: those that the model computes, shared ones once."""
    lines = _over_steps(runs, {"tokens_per_second": ""}, splits=("",))
    labels = ("tokens-per-second", "Speed in tokens", "step", "tokens per second")
    note = "Tokens that the model computes: those that completions share count once."
    return Lines(*labels, lines, note=note) if lines else None


def pairs_per_second(runs: Runs) -> Lines | None:
    """Speed in pairs."""
    lines = _over_steps(runs, {"pairs_per_second": ""}, splits=("",))
    return Lines("pairs-per-second", "Speed in pairs", "step", "pairs per second", lines) if lines else None


# ---------------------------------------------------------------- data of runs


def _over_steps(runs: Runs, metrics: Mapping[str, str], splits: Sequence[str] = ("", EVAL)) -> dict[str, Line]:
    """A line for each run and metric: for one run of both splits, for several of held-out pairs if there are any.

    Args:
        metrics: what each is called; "" if there is only one.
        splits: prefixes of the metrics of splits.
    """
    lines = {}
    for name, run in named(runs):
        found = [split for split in splits if any(len(run.series(split + key)) > 1 for key in metrics)]
        for split in found if len(runs) == 1 else found[-1:]:
            for key, called in metrics.items():
                points = thin(run.series(split + key), POINTS)
                if len(points) > 1:
                    parts = [name * (len(runs) > 1), called, SPLITS[split] * (len(runs) == 1 and len(splits) > 1)]
                    x, y = zip(*points, strict=True)
                    lines[", ".join(filter(None, parts))] = Line(x, y)
    return lines


def _measured(run: Run) -> Measured | None:
    """The held-out pairs of a run after some steps; without any, the training pairs that were scored."""
    pairs = run.measured
    if pairs and pairs.step == 0:  # policy and reference are equal
        return None
    return pairs.held_out if pairs else None


def _with_reference(runs: Runs) -> list[tuple[str, Measured]]:
    """The runs that have log-probs of chosen under a reference."""
    found = [(name, _measured(run)) for name, run in named(runs)]
    return [(name, pairs) for name, pairs in found if pairs and pairs.has("chosen", "reference")]


RUN_FIGURES: dict[str, Plot[Runs]] = {
    "loss": Plot("the loss over steps", loss),
    "log-ratios": Plot("log-ratios of chosen and rejected over steps", log_ratios),
    "log-probs": Plot("log-probs of chosen and rejected over steps", log_probs),
    "edit-parts": Plot("change of log-prob of chosen before, at and after the edit", edit_parts),
    "position": Plot("change of log-prob by position around the edit", position),
    "plane": Plot("log-ratios of chosen and rejected, an arrow for each pair", plane),
    "edit-plane": Plot("log-ratios of the tokens of the edit alone, an arrow for each pair", edit_plane),
    "below-reference": Plot("share of pairs with chosen below the reference, over steps", below_reference),
    "accuracy": Plot("share of pairs with a positive margin, over steps", accuracy),
    "choice-accuracy": Plot("share of multiple-choice questions answered with chosen, over steps", choice_accuracy),
    "tokens-per-second": Plot("tokens per second, over steps", tokens_per_second),
    "pairs-per-second": Plot("pairs per second, over steps", pairs_per_second),
}
"""By name, in the order in which a page shows them."""
