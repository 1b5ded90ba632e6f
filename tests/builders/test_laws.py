"""Laws every builder obeys, checked over the table: on the sample and on real rows."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders import BUILDERS
from pairgen.builders.interface import MAX_LENGTH, Example, Wanted
from pairgen.builders.prompts import STYLES
from pairgen.pairs.record import CHECKS, Drop, Rejection
from pairgen.sources import sample

SAMPLES = {name: [sample.row(name, "train", index) for index in range(150)] for name in BUILDERS}


def rejections(name: str, rows: list[dict[str, Any]], seed: int = 0) -> Iterator[tuple[Example, list[Rejection]]]:
    for index, row in enumerate(rows):
        example = BUILDERS[name].read(row)
        assert isinstance(example, Example), f"{example}: {row}"
        made = BUILDERS[name].reject(example, RowRng(str(index), seed), Wanted())
        assert not isinstance(made, Drop), f"{made}: {row}"
        yield example, made


@pytest.mark.parametrize("name", BUILDERS)
def test_the_table_is_whole(name: str) -> None:
    builder = BUILDERS[name]
    assert builder.name == name
    assert builder.summary
    assert builder.license
    assert set(builder.styles) == set(STYLES)
    assert builder.style in builder.styles
    assert "train" in builder.hub.splits


@pytest.mark.parametrize("name", BUILDERS)
def test_edits_say_what_differs(name: str) -> None:
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
def test_provenance_is_whole_or_absent(name: str) -> None:
    for example, made in rejections(name, SAMPLES[name]):
        for rejection in made:
            if rejection.check is None:
                assert set(rejection[2:]) == {None}
                continue
            start, stop, end = rejection.edit
            assert rejection.check in CHECKS
            assert example.answer[start:stop] == rejection.correct
            assert rejection.completion[start:end] == rejection.corrupted
            assert rejection.strategy


@pytest.mark.parametrize("name", BUILDERS)
def test_the_draw_follows_from_row_and_seed(name: str) -> None:
    first, again = ([made for _, made in rejections(name, SAMPLES[name])] for _ in range(2))
    assert first == again
    if first[0][0].check is not None:
        assert first != [made for _, made in rejections(name, SAMPLES[name], seed=1)]


@pytest.mark.parametrize("name", BUILDERS)
def test_keys_tell_rows_apart(name: str) -> None:
    examples = [example for example, _ in rejections(name, SAMPLES[name])]
    told_apart = {(example.source, example.question, example.answer, repr(example.detail)) for example in examples}
    assert len({example.key for example in examples}) == len(told_apart) > 100


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("value", [None, 3, "", "   ", [], {}, "x" * (MAX_LENGTH + 1), float("nan")])
def test_a_bad_cell_drops_the_row_with_a_reason(name: str, value: object) -> None:
    """Each needed column in turn holds what it should not: a reason comes back, or a usable example."""
    builder = BUILDERS[name]
    for column in builder.columns:
        for row in islice(SAMPLES[name], 3):
            read = builder.read({**row, column: value})
            if isinstance(read, Example):
                assert read.question.strip() == read.question != ""
                assert read.answer.strip() == read.answer != ""
            else:
                assert read.reason
                assert len(read.reason) < 60


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
        found = [row for _, row in source.rows() if isinstance(row, dict)]
        assert sum(len(made) for _, made in rejections("arc", found)) == expected
