"""Datasets of the same rows that differ only in how far rejected is from chosen."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.false_steps import false_steps
from pairgen.builders.worked_solutions import final_answer, reasoning_stop, solution_of
from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.validate import violations
from pairgen.studies.same_rows import edit_levels
from pairgen.studies.same_rows.edit_levels import CARRIED, KEPT, OTHER, VARIANTS, carried, kept, other_answers

SOURCE = "sample:240"
SHARED = ("pair_id", "prompt", "chosen", "group_id", "source", "row")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PairDataset]:
    folder = tmp_path_factory.mktemp("variants")
    return {name: edit_levels.write(name, SOURCE, folder / name, held_out=4) for name in VARIANTS}


def rows(dataset: PairDataset) -> list[dict[str, Any]]:
    return [row for split in dataset.splits.values() for row in split.table().to_pylist()]


def test_all_variants_have_the_same_rows_in_the_same_order(made: dict[str, PairDataset]) -> None:
    first, *others = ([[row[name] for name in SHARED] for row in rows(dataset)] for dataset in made.values())
    assert len(first) > 12
    assert all(other == first for other in others)
    for dataset in made.values():
        assert dataset.splits["eval"].pairs == 4


@pytest.mark.parametrize("name", VARIANTS)
def test_rows_are_valid(made: dict[str, PairDataset], name: str) -> None:
    assert violations(open_pairs(made[name].path)) == []
    assert name in (made[name].path / "README.md").read_text("utf-8")
    assert "pairgen study edit-distance" in (made[name].path / "README.md").read_text("utf-8")


def wrong_steps(text: str) -> int:
    """How many calculations are false, as the audit of solutions finds them."""
    return len(list(false_steps(solution_of(text.strip()))))


@pytest.mark.parametrize("count", CARRIED)
def test_as_many_calculations_are_false_as_places_are_wrong(made: dict[str, PairDataset], count: int) -> None:
    """The audit, another reader, finds them; it overlooks some, such as those with units, and never finds others."""
    for name in (kept(count), carried(count)):
        found = [wrong_steps(row["rejected"]) for row in rows(made[name])]
        assert max(found) == count
        assert np.mean(np.array(found) == count) > 0.7


def edits(row: dict[str, Any]) -> dict[int, str]:
    """What each changed place of chosen became."""
    if row["edits"] is None:
        return {row["edit_start"]: row["corrupted"]}
    return {edit["start"]: edit["corrupted"] for edit in row["edits"]}


def test_places_are_nested(made: dict[str, PairDataset]) -> None:
    for few, many in pairwise(KEPT):
        for one, other in zip(rows(made[kept(few)]), rows(made[kept(many)]), strict=True):
            assert len(edits(one)) == few
            assert edits(one).items() <= edits(other).items()


def test_the_first_error_of_carried_rows_is_that_of_kept_rows(made: dict[str, PairDataset]) -> None:
    for count in CARRIED:
        for one, other in zip(rows(made[kept(count)]), rows(made[carried(count)]), strict=True):
            assert (one["correct"], one["corrupted"], one["expression"]) == (
                other["correct"],
                other["corrupted"],
                other["expression"],
            )
            assert edits(one).keys() <= edits(other).keys()


def test_the_answer_is_unchanged(made: dict[str, PairDataset]) -> None:
    for name in VARIANTS[:-1]:
        for row in rows(made[name]):
            lines = [text[reasoning_stop(text) :] for text in (row["chosen"], row["rejected"])]
            assert lines[0] == lines[1]


def test_more_places_are_farther(made: dict[str, PairDataset]) -> None:
    medians = {name: np.median([row["edit_distance"] for row in rows(dataset)]) for name, dataset in made.items()}
    for counts, of in ((KEPT, kept), (CARRIED, carried)):
        found = [medians[of(count)] for count in counts]
        assert found == sorted(found)
    assert all(medians[carried(count)] >= medians[kept(count)] for count in CARRIED)
    assert medians[OTHER] > 5 * max(medians[name] for name in VARIANTS[:-1])


def test_other_answers_are_those_of_other_rows_of_the_split(made: dict[str, PairDataset]) -> None:
    for split in made[OTHER].splits.values():
        table = split.table().to_pylist()
        answers = {row["chosen"]: row["prompt"] for row in table}
        for row in table:
            assert answers[row["rejected"]] != row["prompt"]
            results = [final_answer(text[reasoning_stop(text) :]) for text in (row["chosen"], row["rejected"])]
            assert results[0] != results[1]
            assert row["check"] is None


def test_dropped_rows_are_counted_the_same_for_all(made: dict[str, PairDataset]) -> None:
    drops = [dataset.manifest["splits"]["train"]["drops"] for dataset in made.values()]
    assert all(found == drops[0] for found in drops)
    assert sum(drops[0].values()) + len(rows(made[OTHER])) == 240


def test_the_same_rows_again_give_the_same_bytes(made: dict[str, PairDataset], tmp_path: Path) -> None:
    edit_levels._made.cache_clear()
    for name in (carried(2), OTHER):
        again = edit_levels.write(name, SOURCE, tmp_path / name, held_out=4)
        for of in made[name].splits:
            hashes = [[shard["xxh3"] for shard in one.manifest["splits"][of]["shards"]] for one in (made[name], again)]
            assert hashes[0] == hashes[1]


def test_too_few_rows_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sample:60: only \d+ rows can be made wrong in 8 places, and 50 are to be"):
        edit_levels.write(kept(1), "sample:60", tmp_path / "out", held_out=50)
    with pytest.raises(UsageError, match="unknown variant 'kept-3'; available: kept-1, kept-2"):
        edit_levels.write("kept-3", SOURCE, tmp_path / "out", held_out=4)


@given(
    made_rows=st.lists(
        st.tuples(st.sampled_from("pqrst"), st.text("ab", max_size=6), st.integers(1, 9)), min_size=2, max_size=12
    )
)
@settings(max_examples=60)
def test_other_answers_differ_in_question_and_result(made_rows: list[tuple[str, str, int]]) -> None:
    pairs = [(prompt, f"{text}\n#### {answer}") for prompt, text, answer in made_rows]

    def differ(one: tuple[str, str], other: tuple[str, str]) -> bool:
        return one[0] != other[0] and one[1].split()[-1] != other[1].split()[-1]

    if not all(any(differ(one, other) for other in pairs) for one in pairs):
        with pytest.raises(UsageError, match="give more rows"):
            other_answers(pairs)
        return
    for one, text in zip(pairs, other_answers(pairs), strict=True):
        assert any(other[1] == text and differ(one, other) for other in pairs)


def test_most_other_answers_are_of_similar_length() -> None:
    pairs = [(f"question {at}", "a" * at + f"\n#### {at}") for at in range(1, 30)]
    lengths = [len(text) - len(one[1]) for one, text in zip(pairs, other_answers(pairs), strict=True)]
    assert max(map(abs, lengths)) <= 2


@pytest.mark.slow
def test_real_rows_have_enough_places(real_data: Path, tmp_path: Path) -> None:
    """One row in ten of real solutions; all variants of them are valid, and the carried errors are still read."""
    source = str(real_data / "metamath" / "GSM_AnsAug.json")
    made_of_real = {name: edit_levels.write(name, source, tmp_path / name, held_out=10, most=1000) for name in VARIANTS}
    for name, dataset in made_of_real.items():
        assert violations(dataset) == []
        assert len(dataset) > 80
        if name != OTHER:
            places = int(name.rpartition("-")[2])
            assert max(wrong_steps(row["rejected"]) for row in rows(dataset)) <= places
