"""The figures of a pair dataset.

To add one, write a function from a dataset to a figure, or to None if the dataset has nothing to show in it, and enter
it in ``DATASET_FIGURES``.
"""

from pairgen.pairs.dataset import PairDataset
from pairgen.report.figures import distributions, proportions
from pairgen.report.figures.entry import Plot

DATASET_FIGURES: dict[str, Plot[PairDataset]] = {
    "edit-distance": Plot("edit distance between chosen and rejected, as stored", distributions.edit_distance),
    "edit-distance-definitions": Plot(
        "share of pairs within an edit distance, under several definitions", distributions.edit_distance_definitions
    ),
    "edit-position": Plot("where in chosen the edit begins", distributions.edit_position),
    "prompt-length": Plot("lengths of the prompts", distributions.prompt_length),
    "completion-length": Plot("lengths of chosen and rejected", distributions.completion_length),
    "group-sizes": Plot("pairs with the same prompt and chosen, if there are any", proportions.group_sizes),
    "sources": Plot("shares of the sources, if there are several", proportions.sources),
    "checks": Plot("corruptions verified by exact arithmetic", proportions.checks),
    "reasons": Plot("why corruptions are not verified", proportions.reasons),
    "strategies": Plot("kinds of values that were corrupted, if there are several", proportions.strategies),
    "errors": Plot("kinds of error, if there are others than wrong results", proportions.errors),
    "shortcuts": Plot(
        "how often rules pick chosen without the calculation or the fact", proportions.shortcut_strengths
    ),
    "drops": Plot("source rows that yield no pair, by reason", proportions.drops),
}
"""By name, in the order in which a page shows them."""
