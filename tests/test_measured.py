"""Measured log-probs: each number against one computed by hand, token by token."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.run_folder.measured import SCORED, Measured


def table(*rows: tuple[str, list[float], list[float], int, int, int]) -> pa.Table:
    names = ["split", "chosen", "rejected", "edit_start", "chosen_edit_stop", "rejected_edit_stop"]
    return pa.Table.from_pylist(
        [{**dict(zip(names, row, strict=True)), "pair_id": str(at)} for at, row in enumerate(rows)], SCORED
    )


POLICY = table(
    ("train", [-1, -2, -3, -4], [-1, -2, -5], 2, 3, 2),  # rejected leaves a token out
    ("eval", [-1, -7], [-1, -3, -4], 1, 2, 3),  # the edit ends both
)
REFERENCE = table(
    ("train", [-1, -1, -1, -1], [-1, -1, -1], 2, 3, 2),
    ("eval", [-2, -2], [-2, -2, -2], 1, 2, 3),
)


@pytest.fixture
def measured() -> Measured:
    return Measured(POLICY, REFERENCE)


def test_sums_and_log_ratios(measured: Measured) -> None:
    assert measured.sums("chosen").tolist() == [-10, -8]
    assert measured.logratio("chosen").tolist() == [-6, -4]
    assert measured.logratio("rejected").tolist() == [-5, -2]
    assert measured.margin.tolist() == [-1, -2]


def test_offsets_from_the_edit(measured: Measured) -> None:
    assert [row.tolist() for row in measured.offsets("chosen")] == [[-2, -1, 0, 1], [-1, 0]]
    assert [row.tolist() for row in measured.offsets("rejected")] == [[-2, -1, 1], [-1, 0, 0]]


def test_sums_of_parts(measured: Measured) -> None:
    assert measured.sums("chosen", part="before").tolist() == [-3, -1]
    assert measured.logratio("chosen", "at").tolist() == [-3 + 1, -7 + 2]
    assert measured.sums("rejected", part="at").tolist() == [0, -7], "one has no token there"
    assert measured.sums("rejected", "reference", "after").tolist() == [-1, 0]


def test_means_of_parts(measured: Measured) -> None:
    assert measured.pooled("chosen", "before") == pytest.approx((-1 - 2 - 1) / 3)
    assert measured.pooled("chosen", "at") == pytest.approx((-3 - 7) / 2)
    assert measured.pooled("chosen", "after") == -4
    assert measured.pooled("rejected", "after", "reference") == -1
    assert math.isnan(measured.split("eval").pooled("chosen", "after"))


def test_profile(measured: Measured) -> None:
    np.testing.assert_allclose(measured.profile("chosen", "policy", -3, 2), [np.nan, -1, -1.5, -5, -4, np.nan])


def test_splits(measured: Measured) -> None:
    assert [len(measured.split(name)) for name in ("train", "eval", "test")] == [1, 1, 0]
    assert measured.split("eval").pair_ids == ["1"]
    assert math.isnan(measured.split("test").pooled("chosen", "at"))


def test_other_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="different pairs"):
        Measured(POLICY, REFERENCE.slice(1))


lengths = st.integers(1, 6)


@given(st.lists(st.tuples(lengths, lengths, st.data()), min_size=1, max_size=4))
def test_parts_hold_every_token_once(shapes: list[tuple[int, int, st.DataObject]]) -> None:
    rows = []
    for number, (chosen, rejected, data) in enumerate(shapes):
        start = data.draw(st.integers(0, min(chosen, rejected)))
        stops = [data.draw(st.integers(start, length)) for length in (chosen, rejected)]
        rows.append(("eval", [-1.0 - number] * chosen, [-2.0] * rejected, start, *stops))
    found = Measured(table(*rows), table(*rows))
    for side in ("chosen", "rejected"):
        offsets, tokens = np.concatenate(found.offsets(side)), np.concatenate(found.tokens(side))
        assert len(offsets) == len(tokens)
        total = 0.0
        for part, of in zip(("before", "at", "after"), (offsets < 0, offsets == 0, offsets > 0), strict=True):
            mean = found.pooled(side, part)
            assert math.isnan(mean) == (not of.any())
            total += mean * of.sum() if of.any() else 0.0
        assert total == pytest.approx(found.sums(side).sum())


def test_written_tables_are_read_again(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for name, written in (("policy", POLICY), ("reference", REFERENCE)):
        pq.write_table(written, tmp_path / name)
    assert Measured.read(tmp_path / "policy", tmp_path / "reference").margin.tolist() == [-1, -2]
