"""Figures of a pair dataset.

To add one, write a function from a dataset to a figure, or to None if the dataset has nothing to show in it, and enter
it in ``DATASET_FIGURES``.
"""

import pyarrow.compute as pc

from pairgen.pairs.dataset import PairDataset
from pairgen.report.documents.content import Bars
from pairgen.report.documents.number_format import SHARE
from pairgen.report.figures.entry import Plot

MOST_SIZES = 10
"""Group sizes that have a bar of their own."""


def group_sizes(dataset: PairDataset) -> Bars | None:
    """Share of groups by their number of pairs, in each split."""
    counts: dict[str, list[float]] = {}
    for name, split in dataset.splits.items():
        sizes = split.table(["group_id"])["group_id"].value_counts().field("counts")
        if len(sizes):
            found = [0.0] * (MOST_SIZES + 1)
            for item in pc.value_counts(sizes).to_pylist():
                found[min(item["values"], MOST_SIZES + 1) - 1] += item["counts"] / len(sizes)
            counts[name] = found
    most = max((at for found in counts.values() for at, share in enumerate(found) if share), default=-1) + 1
    if not most:
        return None
    categories = [*map(str, range(1, MOST_SIZES + 1)), f"over {MOST_SIZES}"][:most]
    series = {name: found[:most] for name, found in counts.items()}
    return Bars(
        "group-sizes",
        "Pairs with the same prompt and chosen",
        "pairs per group",
        "share of groups",
        categories,
        series,
        number=SHARE,
    )


DATASET_FIGURES: dict[str, Plot[PairDataset]] = {
    "group-sizes": Plot("pairs with the same prompt and chosen", group_sizes),
}
"""By name, in the order in which a page shows them."""
