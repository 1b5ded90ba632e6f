"""The figures of datasets: numbers that follow from the pairs."""

from pathlib import Path

import pairgen
from pairgen.report.figures.dataset_figures import DATASET_FIGURES, group_sizes


def test_group_sizes(tmp_path: Path) -> None:
    dataset = pairgen.build("arc", tmp_path / "arc", "sample:30")
    figure = group_sizes(dataset)
    assert figure
    for name, split in dataset.splits.items():
        groups = [pair["group_id"] for pair in split]
        sizes = [groups.count(group) for group in set(groups)]
        assert figure.series[name] == [sizes.count(int(size)) / len(sizes) for size in figure.categories]


def test_names_are_those_of_the_table(tmp_path: Path) -> None:
    dataset = pairgen.build("arc", tmp_path / "arc", "sample:30")
    found = {name: plot.figure(dataset) for name, plot in DATASET_FIGURES.items()}
    assert all(figure is None or figure.name == name for name, figure in found.items())
