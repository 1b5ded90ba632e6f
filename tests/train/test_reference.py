"""Reference log-probs: cached by pair, resumed after an interruption, independent of the pairs already cached."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pairgen.train.data.groups import SCHEMA as GROUPS
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.reference.cache import SCHEMA, ReferenceLogps, Wanted, folder_of, read
from pairgen.train.reference.hashes import HashTable, hashes_of
from pairgen.train.reference.passes import ReferencePass, compute_missing


def some_groups(count: int = 12) -> GroupTable:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(count):
        pairs = int(rng.integers(1, 4))
        completions = [rng.integers(1, 99, int(rng.integers(1, 9))).tolist() for _ in range(pairs + 1)]
        keys = [f"{index}-{pair}" for pair in range(pairs)]
        rows.append(
            {
                "prompt": [1] * int(rng.integers(1, 30)),
                "completions": completions,
                "pair_ids": keys,
                "edit": [0, 1] * pairs,
                "num_chars": [1] * (pairs + 1),
            }
        )
    return GroupTable([pa.Table.from_pylist(rows, schema=GROUPS)])


class Model:
    """Assigns each token a log-prob derived from its id, and records its batches."""

    def __init__(self, stop_after: int = 10**9, error: float = 0.0) -> None:
        self.batches: list[tuple[str, ...]] = []
        self.stop_after = stop_after
        self.error = error

    def __call__(self, groups: Sequence[TokenGroup]) -> tuple[Batch, torch.Tensor]:
        if len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        batch = padded_batch(groups)
        self.batches.append(batch.pair_ids)
        return batch, batch.completions(self.error - batch.targets.double() / 7)


def work(
    groups: GroupTable, folder: Path, model: Model, batches: Sequence[Sequence[int]], **more: Any
) -> ReferencePass:
    parts = [np.asarray(batch) for batch in batches]
    return ReferencePass(groups, parts, [folder] * len(groups.tables), model, **more)


IN_ORDER = [[0, 1], [2, 3, 4], [5], [6, 7, 8, 9], [10, 11]]
OTHERS = [[0, 2], [1, 3, 4], [5], [11, 10], [6, 7, 8, 9]]


def test_tokens_returns_the_log_probs_of_each_pair(tmp_path: Path) -> None:
    groups = some_groups()
    this = work(groups, tmp_path / "ref", Model(), IN_ORDER)
    compute_missing(this)
    known = this.known()
    for group in groups:
        tokens = known.tokens(group.pair_ids, 10)
        completions = [group.completions[0]] * group.pairs + list(group.completions[1:])
        assert tokens.dtype == torch.float64
        assert len(tokens) == len(completions)
        for line, ids in zip(tokens, completions, strict=True):
            assert line[: len(ids)].tolist() == pytest.approx(-ids / 7)
            assert not line[len(ids) :].any()
        assert torch.equal(known.tokens(group.pair_ids, 10, rejected=False)[group.pairs :], tokens[: group.pairs])


@pytest.mark.parametrize("exact", [False, True])
def test_a_process_without_batches_knows_what_others_wrote(tmp_path: Path, exact: bool) -> None:
    groups = some_groups()
    compute_missing(work(groups, tmp_path, Model(), IN_ORDER))
    idle = work(groups, tmp_path, Model(stop_after=0), [], exact=exact)
    compute_missing(idle)
    assert all(pair_id in idle.known() for group in groups for pair_id in group.pair_ids)


@pytest.mark.parametrize("exact", [False, True])
def test_a_second_run_computes_nothing(tmp_path: Path, exact: bool) -> None:
    groups, again = some_groups(), Model(stop_after=0)
    compute_missing(work(groups, tmp_path, Model(), IN_ORDER))
    compute_missing(work(groups, tmp_path, again, IN_ORDER, exact=exact))
    assert again.batches == []


def test_only_needed_groups_are_computed(tmp_path: Path) -> None:
    groups, model = some_groups(), Model()
    compute_missing(work(groups, tmp_path, model, [[3, 5]]))
    assert [key for batch in model.batches for key in batch] == [*groups[3].pair_ids, *groups[5].pair_ids]


def test_other_batches_are_computed_again_only_where_they_must_be_exact(tmp_path: Path) -> None:
    """A batch of the same groups in another order has another layout; that of one group is known."""
    groups, any_will_do, exact = some_groups(), Model(stop_after=0), Model()
    compute_missing(work(groups, tmp_path, Model(), IN_ORDER))
    compute_missing(work(groups, tmp_path, any_will_do, OTHERS))
    compute_missing(work(groups, tmp_path, exact, OTHERS, exact=True))
    expected = [tuple(key for index in batch for key in groups.pair_ids(index)) for batch in OTHERS]
    assert exact.batches == [expected[at] for at in (0, 1, 3)]


def test_log_probs_of_the_wanted_batch_are_used(tmp_path: Path) -> None:
    """Each batch adds an error of its own, as rounding does."""
    groups = some_groups()
    found = {}
    for at, batches in enumerate([IN_ORDER, OTHERS, IN_ORDER]):
        this = work(groups, tmp_path, Model(error=0.25 * at), batches, exact=True)
        compute_missing(this)
        known = this.known()
        assert all(known.contain(hashes_of(group.pair_ids), exact=True).all() for group in groups)
        found[at] = [known.tokens(group.pair_ids, 10).sum() for group in groups]
    assert found[2] == found[0]
    differ = [one != other for one, other in zip(found[0], found[1], strict=True)]
    assert differ == [index in (0, 1, 2, 3, 4, 10, 11) for index in range(12)]


def test_another_setting_is_another_batch(tmp_path: Path) -> None:
    groups, here, there = some_groups(), Model(), Model()
    compute_missing(work(groups, tmp_path, here, IN_ORDER, setting="this device", exact=True))
    compute_missing(work(groups, tmp_path, there, IN_ORDER, setting="that device", exact=True))
    assert there.batches == here.batches


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("exact", [False, True])
def test_an_interrupted_pass_continues_with_the_same_batches(tmp_path: Path, after: int, exact: bool) -> None:
    groups = some_groups()
    uninterrupted, first, second = Model(), Model(stop_after=after), Model()
    compute_missing(work(groups, tmp_path / "uninterrupted", uninterrupted, IN_ORDER))
    with pytest.raises(KeyboardInterrupt):
        compute_missing(work(groups, tmp_path / "cut", first, IN_ORDER, exact=exact))
    compute_missing(work(groups, tmp_path / "cut", second, IN_ORDER, exact=exact))
    assert len(uninterrupted.batches) > 4
    assert first.batches + second.batches == uninterrupted.batches


def test_complete_batches_of_a_truncated_file_are_read(tmp_path: Path) -> None:
    groups = some_groups()
    compute_missing(work(groups, tmp_path, Model(), IN_ORDER))
    ids = [pair_id for group in groups for pair_id in group.pair_ids]
    complete = dict(zip(ids, ReferenceLogps(read(tmp_path)).tokens(ids, 10), strict=False))
    (part,) = tmp_path.glob("*.arrows")
    data = part.read_bytes()
    counts = set()
    for cut in range(0, len(data), 97):
        part.write_bytes(data[:cut])
        (stream,) = read(tmp_path)
        whole = ids[: stream.counts.sum()]  # batches are in the order of the groups
        for pair_id, values in zip(whole, ReferenceLogps([stream]).tokens(whole, 10), strict=False):
            assert torch.equal(values, complete[pair_id])
        counts.add(len(stream.counts))
    assert counts >= {0, 1, 2}
    this = work(groups, tmp_path, Model(), IN_ORDER)
    compute_missing(this)
    assert all(key in this.known() for group in groups for key in group.pair_ids)


LOGP = st.floats(-50, 0, width=32)
ROWS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.lists(LOGP, max_size=3)), max_size=8)


@given(st.lists(st.lists(ROWS, max_size=3), max_size=3), st.dictionaries(st.integers(0, 9), st.sampled_from("abc")))
def test_the_row_of_the_wanted_batch_is_found_else_the_first(
    files: list[list[list[tuple[int, str, list[float]]]]], wanted: dict[int, str]
) -> None:
    """The slow twin is a dict that the rows are put into, file by file, batch by batch."""
    first: dict[int, list[float]] = {}
    exact: dict[int, list[float]] = {}
    with TemporaryDirectory() as folder:
        for number, batches in enumerate(files):
            with pa.OSFile(f"{folder}/{number}.arrows", "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
                for rows in batches:
                    names = [[str(pair) for pair, _, _ in rows], [batch for _, batch, _ in rows]]
                    values = [[row for _, _, row in rows], [[2 * value for value in row] for _, _, row in rows]]
                    stream.write_batch(pa.record_batch([*names, *values], schema=SCHEMA))
                    for pair, batch, row in rows:
                        first.setdefault(pair, row)
                        if wanted.get(pair) == batch:
                            exact.setdefault(pair, row)
        prefixed = hashes_of([f"p:{pair}" for pair in wanted])
        of_batches = Wanted(prefixed, list(wanted.values()), np.ones(len(wanted), np.int64))
        known = ReferenceLogps(read(Path(folder), "p:", of_batches))
        for pair in range(10):
            assert (f"p:{pair}" in known, str(pair) in known) == (pair in first, False)
            assert known.contain(hashes_of([f"p:{pair}"]), exact=True).tolist() == [pair in exact]
        pairs = list(first)
        tokens = known.tokens([f"p:{pair}" for pair in pairs], 3)
    for times, part in ((1, tokens[: len(pairs)]), (2, tokens[len(pairs) :])):
        for pair, line in zip(pairs, part.tolist(), strict=True):
            row = exact.get(pair, first[pair])
            assert line == [times * value for value in row] + [0.0] * (3 - len(row))


def test_a_pair_that_is_not_known_is_an_error() -> None:
    with pytest.raises(KeyError, match="4-0"):
        ReferenceLogps().tokens(["4-0"], 3)


HALVES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20)


@given(HALVES, HALVES)
def test_hashes_are_found_although_halves_are_equal(
    given_: list[tuple[int, int]], wanted: list[tuple[int, int]]
) -> None:
    hashes, others = (np.array(pairs, np.uint64).reshape(-1, 2).T for pairs in (given_, wanted))
    table = HashTable(hashes)
    found = [int(table.order[at]) if at >= 0 else None for at in table.find(others)]
    assert found == [given_.index(pair) if pair in given_ else None for pair in wanted]


def test_datasets_have_folders_of_their_own(tmp_path: Path) -> None:
    """A batch may contain groups of several datasets, which may have equal pair ids."""
    (table,) = some_groups(4).tables
    both = GroupTable([table, table])
    folders = [tmp_path / "a", tmp_path / "b"]
    this = ReferencePass(both, [np.array([0, 5]), np.array([4, 6, 7])], folders, Model())
    compute_missing(this)
    kept = [
        [key for file in folder.iterdir() for key in pa.ipc.open_stream(file).read_all()["pair"].to_pylist()]
        for folder in folders
    ]
    assert kept == [list(some_groups()[0].pair_ids), [key for at in (1, 0, 2, 3) for key in some_groups()[at].pair_ids]]
    known = this.known()
    assert [key in known for key in ("0:0-0", "1:0-0", "1:1-0", "0:1-0", "0-0")] == [True, True, True, False, False]
    assert this.missing() == []


def test_folder_of_is_in_the_dataset_or_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_of(tmp_path, "", tmp_path / "run") == tmp_path / "reference"
    assert folder_of(tmp_path, str(tmp_path / "x"), tmp_path / "run") == tmp_path / "x"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert folder_of(tmp_path, "", tmp_path / "run") == tmp_path / "run"
