"""Reference log-probs: cached by pair, resumed after an interruption, independent of the pairs already cached."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pairgen.train.data.groups import SCHEMA, GroupTable, TokenGroup
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.reference import ReferenceLogps, ReferencePass, compute_missing, folder_of, read


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
    return GroupTable([pa.Table.from_pylist(rows, schema=SCHEMA)])


class Model:
    """Assigns each token a log-prob derived from its id, and records its batches."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.batches: list[tuple[str, ...]] = []
        self.stop_after = stop_after

    def __call__(self, groups: Sequence[TokenGroup]) -> tuple[Batch, torch.Tensor]:
        if len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        batch = padded_batch(groups)
        self.batches.append(batch.pair_ids)
        return batch, batch.completions(-batch.targets.double() / 7)


def needed(groups: GroupTable, indices: Sequence[int], model: Model, pairs_at_once: int) -> ReferencePass:
    return ReferencePass(groups, np.asarray(indices), model, pairs_at_once)


def test_tokens_returns_the_log_probs_of_each_pair(tmp_path: Path) -> None:
    groups = some_groups()
    compute_missing(needed(groups, range(len(groups)), Model(), 4), tmp_path / "ref")
    known = ReferenceLogps(read(tmp_path / "ref"))
    for group in groups:
        tokens = known.tokens(group.pair_ids, 10)
        completions = [group.completions[0]] * group.pairs + list(group.completions[1:])
        assert tokens.dtype == torch.float64
        assert len(tokens) == len(completions)
        for line, ids in zip(tokens, completions, strict=True):
            assert line[: len(ids)].tolist() == pytest.approx(-ids / 7)
            assert not line[len(ids) :].any()
        assert torch.equal(known.tokens(group.pair_ids, 10, rejected=False)[group.pairs :], tokens[: group.pairs])


def test_a_second_run_computes_nothing(tmp_path: Path) -> None:
    groups = some_groups()
    compute_missing(needed(groups, range(len(groups)), Model(), 4), tmp_path)
    again = Model(stop_after=0)
    compute_missing(needed(groups, range(len(groups)), again, 4), tmp_path)
    assert again.batches == []


def test_only_needed_groups_are_computed(tmp_path: Path) -> None:
    groups = some_groups()
    model = Model()
    compute_missing(needed(groups, [3, 5], model, 100), tmp_path)
    assert {key for batch in model.batches for key in batch} == {*groups[3].pair_ids, *groups[5].pair_ids}


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_an_interrupted_pass_continues_with_the_same_batches(tmp_path: Path, after: int) -> None:
    groups = some_groups()
    uninterrupted, first, second = Model(), Model(stop_after=after), Model()
    compute_missing(needed(groups, range(len(groups)), uninterrupted, 4), tmp_path / "uninterrupted")
    with pytest.raises(KeyboardInterrupt):
        compute_missing(needed(groups, range(len(groups)), first, 4), tmp_path / "cut")
    compute_missing(needed(groups, range(len(groups)), second, 4), tmp_path / "cut")
    assert len(uninterrupted.batches) > 4
    assert first.batches + second.batches == uninterrupted.batches


def test_complete_batches_of_a_truncated_file_are_read(tmp_path: Path) -> None:
    groups = some_groups()
    compute_missing(needed(groups, range(len(groups)), Model(), 4), tmp_path)
    (part,) = tmp_path.glob("*.arrows")
    data = part.read_bytes()
    counts = set()
    for cut in range(0, len(data), 97):
        part.write_bytes(data[:cut])
        known = read(tmp_path)
        assert all(batch.validate(full=True) is None for batch in known)
        counts.add(len(known))
    assert counts >= {0, 1, 2}
    compute_missing(needed(groups, range(len(groups)), Model(), 4), tmp_path)
    known_keys = ReferenceLogps(read(tmp_path))
    assert all(key in known_keys for group in groups for key in group.pair_ids)


def test_processes_share_the_work(tmp_path: Path) -> None:
    groups = some_groups()
    alone, one, two = Model(), Model(), Model()
    compute_missing(needed(groups, range(len(groups)), alone, 4), tmp_path / "alone")
    compute_missing(needed(groups, range(len(groups)), one, 4), tmp_path / "both", World(0, 2))
    compute_missing(needed(groups, range(len(groups)), two, 4), tmp_path / "other", World(1, 2))
    assert sorted(one.batches + two.batches) == sorted(alone.batches)
    assert one.batches
    assert two.batches


def test_prefixes_separate_datasets(tmp_path: Path) -> None:
    compute_missing(needed(some_groups(2), range(2), Model(), 4), tmp_path)
    both = ReferenceLogps()
    both.add(read(tmp_path), "0:")
    both.add(read(tmp_path), "1:")
    assert "0:0-0" in both
    assert "1:0-0" in both
    assert "0-0" not in both


def test_folder_of_is_in_the_dataset_or_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_of(tmp_path, "", tmp_path / "run") == tmp_path / "reference"
    assert folder_of(tmp_path, str(tmp_path / "x"), tmp_path / "run") == tmp_path / "x"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert folder_of(tmp_path, "", tmp_path / "run") == tmp_path / "run"
