"""The figures of datasets: every entry of the table draws, and its numbers follow from the pairs."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import assert_tidy
from hypothesis import given
from hypothesis import strategies as st

import pairgen
from pairgen.pairs.dataset import PairDataset, Split
from pairgen.pairs.edits import distances
from pairgen.report.documents.content import Bars, Figure
from pairgen.report.documents.drawing import draw
from pairgen.report.figures import counts, distributions, proportions
from pairgen.report.figures.dataset_figures import DATASET_FIGURES
from pairgen.report.figures.entry import figures_of
from pairgen.stats import SHORTCUT_PAIRS, shortcuts

Datasets = Mapping[str, PairDataset]

OF_SFT = {"prompt-length", "completion-length"}
OF_CORRUPTIONS = {"checks", "strategies", "errors"}


@pytest.fixture(scope="session")
def figures(datasets: Datasets) -> dict[str, dict[str, Figure]]:
    return {kind: figures_of(DATASET_FIGURES, dataset) for kind, dataset in datasets.items()}


def test_names_are_those_of_the_table(figures: dict[str, dict[str, Figure]]) -> None:
    for found in figures.values():
        assert [figure.name for figure in found.values()] == [*found]


def test_a_dataset_has_the_figures_that_say_something(figures: dict[str, dict[str, Figure]]) -> None:
    assert {*figures["sft"]} == OF_SFT
    assert {*figures["solutions"]} >= {*DATASET_FIGURES} - {"sources", "reasons"}
    assert not {*figures["choices"]} & OF_CORRUPTIONS
    assert not {*figures["imported"]} & OF_CORRUPTIONS
    assert {*figures["mixed"]} >= {"sources", *OF_CORRUPTIONS}
    assert {name for found in figures.values() for name in found} >= {*DATASET_FIGURES} - {"reasons"}


@pytest.mark.slow
def test_every_figure_draws_the_same_bytes_twice(datasets: Datasets) -> None:
    for dataset in datasets.values():
        for plot in DATASET_FIGURES.values():
            figure, again = plot.figure(dataset), plot.figure(dataset)
            assert (figure is None) == (again is None)
            if figure and again:
                assert draw(figure) == draw(again)


@pytest.mark.slow
def test_no_figure_has_parts_that_overlap_or_are_cut(figures: dict[str, dict[str, Figure]]) -> None:
    for found in figures.values():
        for figure in found.values():
            assert_tidy(figure)


def test_hostile_names_are_drawn_as_text(figures: dict[str, dict[str, Figure]]) -> None:
    svg = draw(figures["mixed"]["sources"]).svg
    assert b"<script" not in svg
    assert b"\x1b" not in svg


def test_edit_distance(datasets: Datasets) -> None:
    for kind in ("solutions", "choices", "imported"):
        figure = distributions.edit_distance(datasets[kind])
        assert figure
        for name, split in datasets[kind].splits.items():
            values = [np.float32(pair["edit_distance"]) for pair in split]
            edges = np.float32(figure.edges)
            share = [np.mean([low <= value < high for value in values]) for low, high in pairwise(edges)]
            assert figure.series[name] == pytest.approx(share)
            assert sum(figure.series[name]) == pytest.approx(1)


def test_edit_distance_definitions(datasets: Datasets) -> None:
    figure = distributions.edit_distance_definitions(datasets["solutions"])
    assert figure
    pairs = list(datasets["solutions"])
    for unit, name in distributions.UNITS.items():
        sides = [
            [pair[side] if unit == "char" else pair[side].split() for pair in pairs] for side in ("chosen", "rejected")
        ]
        for metric in ("levenshtein", "indel", "hamming"):
            line = figure.series[f"{metric.capitalize()}, {name}"]
            found = distances([*sides[0]], [*sides[1]], metric)
            at = len(line.x) // 2
            assert line.y[at] == pytest.approx(np.mean(found < np.float32(line.x[at])))
            assert line.y[-1] == pytest.approx(1)


def test_lengths(datasets: Datasets) -> None:
    for kind in ("solutions", "choices", "sft"):
        figure = distributions.completion_length(datasets[kind])
        assert figure
        for side, shares in figure.series.items():
            lengths = [len(pair[side]) for pair in datasets[kind]]
            bins = list(pairwise(figure.edges))
            assert shares == pytest.approx([np.mean([low <= one < high for one in lengths]) for low, high in bins])
        assert ("rejected" in figure.series) == (kind != "sft")


def test_edit_position(datasets: Datasets) -> None:
    figure = distributions.edit_position(datasets["solutions"])
    assert figure
    for name, split in datasets["solutions"].splits.items():
        parts = Counter(min(20 * pair["edit_start"] // len(pair["chosen"]), 19) for pair in split)
        assert figure.series[name] == pytest.approx([parts[at] / split.pairs for at in range(20)])


def test_group_sizes(datasets: Datasets) -> None:
    figure = proportions.group_sizes(datasets["choices"])
    assert figure
    for name, split in datasets["choices"].splits.items():
        groups = Counter(pair["group_id"] for pair in split)
        sizes = Counter(groups.values())
        assert figure.series[name] == [sizes[int(size)] / len(groups) for size in figure.categories]


@pytest.mark.parametrize(("name", "column"), [("checks", "check"), ("strategies", "strategy"), ("errors", "error")])
def test_shares_of_corruptions(
    name: str, column: str, datasets: Datasets, figures: dict[str, dict[str, Figure]]
) -> None:
    for kind in ("solutions", "mixed"):
        figure = figures[kind][name]
        assert isinstance(figure, Bars)
        for split, shares in figure.series.items():
            values = [pair[column] for pair in datasets[kind][split] if pair["check"]]
            assert shares == pytest.approx([values.count(value) / len(values) for value in figure.categories])


def test_reasons_are_shares_of_all_corruptions(tmp_path: Path) -> None:
    solutions = ["They sell {0} eggs. The answer is: {0}", "They sell 3 * {0} = {1} eggs. The answer is: {1}"]
    responses = [solution.format(at, 3 * at) for at in range(7, 27) for solution in solutions]
    rows = [{"query": "How many eggs?", "response": response, "type": "GSM_AnsAug"} for response in responses]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = pairgen.build("metamath", tmp_path / "pairs", tmp_path / "rows.jsonl")
    figure = proportions.reasons(dataset)
    assert figure
    pairs = list(dataset)
    unchecked = Counter(pair["reason"] for pair in pairs if pair["check"] == "unchecked")
    assert 0 < unchecked.total() < len(pairs)
    assert dict(zip(figure.categories, figure.series["train"], strict=True)) == pytest.approx(
        {reason: number / len(pairs) for reason, number in unchecked.items()}
    )


def test_shortcuts(datasets: Datasets) -> None:
    for kind in ("solutions", "choices"):
        figure = proportions.shortcut_strengths(datasets[kind])
        assert figure
        for name, split in datasets[kind].splits.items():
            found = shortcuts.measure(split, SHORTCUT_PAIRS)
            assert figure.series[name] == [
                found[rule].accuracy if rule in found else None for rule in figure.categories
            ]


def test_sources_of_one_dataset_have_short_names(tmp_path: Path, figures: dict[str, dict[str, Figure]]) -> None:
    dataset = pairgen.build("metamath", tmp_path / "pairs", "sample:60")
    figure = proportions.sources(dataset)
    assert figure
    assert figure.title == "Sources in metamath"
    values = [pair["source"] for pair in dataset]
    assert figure.series["train"] == [values.count(f"metamath/{name}") / len(values) for name in figure.categories]
    mixed = figures["mixed"]["sources"]
    assert isinstance(mixed, Bars)
    assert "metamath/GSM_AnsAug" in mixed.categories


def test_many_sources_share_a_bar() -> None:
    found = {"train": Counter[str | None]({f"source {at}": at for at in range(1, 31)})}
    figure = proportions._bars(("sources", "t", "x", "y"), found)
    assert figure
    assert figure.categories[-1] == "18 others"
    assert sum(share for share in figure.series["train"] if isinstance(share, float)) == pytest.approx(1)


def test_drops(datasets: Datasets) -> None:
    dataset = datasets["solutions"]
    figure = proportions.drops(dataset)
    assert figure
    train = dataset.manifest["splits"]["train"]
    assert dict(zip(figure.categories, figure.series["train"], strict=True)) == {
        reason: number / train["rows"] for reason, number in train["drops"].items()
    }


WHOLE = st.lists(st.lists(st.integers(0, 3000) | st.integers(0, 2_000_000), max_size=20), max_size=6)


@given(WHOLE.filter(lambda parts: any(parts)))
def test_bins_of_whole_numbers(parts: list[list[int]]) -> None:
    values = [min(value, counts.MOST) for part in parts for value in part]
    counted = counts.whole_counts(np.array(part, np.int32) for part in parts)
    assert [*np.flatnonzero(counted)] == sorted({*values})
    edges = counts.whole_bins([counted])
    shares = counts.whole_shares(counted, edges)
    bins = [*pairwise(edges)]
    assert shares == pytest.approx([np.mean([low <= value < high for value in values]) for low, high in bins])
    assert len(bins) <= counts.BINS
    inside = sum(edges[0] <= value < edges[-1] for value in values)
    assert inside / len(values) >= 1 - 2 * (1 - counts.IN_VIEW) - 1e-9


@given(st.lists(st.lists(st.floats(0, 1, width=32), max_size=20), max_size=5))
def test_shares_are_those_of_all_numbers_at_once(parts: list[list[float]]) -> None:
    found = counts.shares((np.array(part, np.float32) for part in parts), distributions.EDGES)
    values = np.array([value for part in parts for value in part], np.float32)
    expected = np.histogram(values, np.float32(distributions.EDGES))[0] / max(len(values), 1)
    assert found == pytest.approx(expected)


def test_a_sample_is_even_and_complete_if_small(datasets: Datasets) -> None:
    splits = [*datasets["solutions"].splits.values()]
    total = len(datasets["solutions"])
    ids = [pair["pair_id"] for pair in datasets["solutions"]]

    def sampled(most: int) -> list[str]:
        return [one for batch in counts.sampled(splits, ["pair_id"], most) for one in batch["pair_id"].to_pylist()]

    assert sampled(total) == ids
    half = [ids.index(one) for one in sampled(total // 2)]
    assert abs(len(half) - total / 2) < 3
    assert max(np.diff(half)) <= 3


def test_an_empty_split_has_no_series(tmp_path: Path) -> None:
    assert (
        figures_of(
            DATASET_FIGURES,
            PairDataset(tmp_path, {"splits": {"train": {"pairs": 0}}}, {"train": Split("train", (), 0)}),
        )
        == {}
    )
