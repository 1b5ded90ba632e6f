"""Rules that every builder keeps, on sample rows and on real ones."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from helpers import sample_rows

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders import BUILDERS
from pairgen.builders.interface import MAX_LENGTH, CorruptionOptions, Example
from pairgen.builders.prompts import STYLES
from pairgen.pairs.record import CHECKS, DropRow, Provenance, Rejection

SAMPLES = {name: [sample_rows.row(name, index) for index in range(150)] for name in BUILDERS}
"""150 sample rows for each builder."""


def rejections(name: str, rows: list[dict[str, Any]], seed: int = 0) -> Iterator[tuple[Example, list[Rejection]]]:
    for index, row in enumerate(rows):
        example = BUILDERS[name].read(row)
        yield example, BUILDERS[name].reject(example, RowRng(str(index), seed), CorruptionOptions())


@pytest.mark.parametrize("name", BUILDERS)
def test_builder_is_described(name: str) -> None:
    builder = BUILDERS[name]
    assert builder.name == name
    assert builder.title
    assert builder.description
    assert builder.summary
    assert set(builder.styles) == set(STYLES)
    assert builder.style in builder.styles
    assert builder.hub is None or "train" in builder.hub.splits


@pytest.mark.parametrize("name", BUILDERS)
def test_edit_is_the_difference_of_the_texts(name: str) -> None:
    for example, made in rejections(name, SAMPLES[name]):
        assert made
        for rejection in made:
            start, stop, end = rejection.edit
            chosen, rejected = example.answer, rejection.completion
            assert chosen != rejected
            assert chosen[:start] == rejected[:start]
            assert chosen[stop:] == rejected[end:]
            assert chosen[start:stop] != rejected[start:end]


@pytest.mark.parametrize("name", BUILDERS)
def test_provenance_is_complete_or_absent(name: str) -> None:
    for example, made in rejections(name, SAMPLES[name]):
        for rejection in made:
            provenance = rejection.provenance
            if provenance.check is None:
                assert provenance == Provenance()
                continue
            start, stop, end = rejection.edit
            assert provenance.check in CHECKS
            assert example.answer[start:stop] == provenance.correct
            assert rejection.completion[start:end] == provenance.corrupted
            assert provenance.strategy


@pytest.mark.parametrize("name", BUILDERS)
def test_corruption_depends_on_row_and_seed_only(name: str) -> None:
    first, again = ([made for _, made in rejections(name, SAMPLES[name])] for _ in range(2))
    assert first == again
    if first[0][0].provenance.check is not None:
        assert first != [made for _, made in rejections(name, SAMPLES[name], seed=1)]


@pytest.mark.parametrize("name", BUILDERS)
def test_keys_identify_rows(name: str) -> None:
    examples = [example for example, _ in rejections(name, SAMPLES[name])]
    different = {(example.source, example.question, example.answer, repr(example.detail)) for example in examples}
    assert len({example.key for example in examples}) == len(different) > 100


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("value", [None, 3, "", "   ", [], {}, "x" * (MAX_LENGTH + 1), float("nan")])
def test_unusable_cell_drops_the_row_with_a_reason(name: str, value: object) -> None:
    """Each required column in turn has an unusable value: the row is dropped, or the example is usable."""
    builder = BUILDERS[name]
    for column in builder.columns:
        for row in islice(SAMPLES[name], 3):
            try:
                example = builder.read({**row, column: value})
            except DropRow as drop:
                assert 0 < len(drop.reason) < 60  # noqa: PT017
            else:
                assert example.question.strip() == example.question != ""
                assert example.answer.strip() == example.answer != ""


def test_paper_counts_of_arc(real_data: Path) -> None:
    from pairgen.sources.formats import Columns
    from pairgen.sources.locate import resolve

    builder = BUILDERS["arc"]
    for given, expected in {
        "arc/ARC-Challenge-Train.jsonl": 3357,
        "arc/ARC-Challenge-Dev.jsonl": 895,
        "arc/hub_layout_validation": 895,
    }.items():
        columns = Columns(builder.columns, builder.optional)
        source = resolve([str(real_data / given)], "arc", builder.hub, columns)["train"]
        found = [row for _, block in source.blocks() for _, row in block.rows() if isinstance(row, dict)]
        assert sum(len(made) for _, made in rejections("arc", found)) == expected
