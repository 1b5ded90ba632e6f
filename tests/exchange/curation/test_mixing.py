"""``mix``: proportions, whole groups, order, ids, and no prompt in both splits."""

import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.groups_of_pairs import Triples, content, rows_of, triple_lists, write
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import UsageError
from pairgen.exchange.curation.curation_options import MixOptions
from pairgen.exchange.curation.mixing import mix
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.validate import shared_prompts, violations


@given(one=triple_lists(), other=triple_lists(), held_out=triple_lists(0, 3), seed=st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_all_pairs_are_there_but_those_of_held_out_prompts(
    one: Triples, other: Triples, held_out: Triples, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        datasets = [write(Path(name), "one", train=one), write(Path(name), "other", train=other, eval=held_out)]
        prompts = {row["prompt"] for row in rows_of(datasets[1], "eval")}
        wanted = [row for dataset in datasets for row in rows_of(dataset) if row["prompt"] not in prompts]
        assume(wanted)
        mixed = mix(datasets, Path(name) / "mixed", MixOptions(seed=seed))
        texts = Counter((row["prompt"], row["chosen"], row["rejected"]) for row in wanted)
        assert Counter((row["prompt"], row["chosen"], row["rejected"]) for row in rows_of(mixed)) == texts
        assert len(rows_of(mixed, "eval")) == len(held_out)
        assert not shared_prompts(mixed)
        assert not violations(mixed)
        counts = mixed.manifest["history"][-1]["splits"]["train"]
        assert counts["pairs_before"] == len(one) + len(other) == counts["pairs"] + sum(counts["removed"].values())
        again = mix(datasets, Path(name) / "mixed", MixOptions(seed=seed), overwrite=True)
        assert content(again) == content(mixed)


@given(one=triple_lists(4), other=triple_lists(4), first=st.integers(1, 9), seed=st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_weights_are_shares_of_pairs_by_whole_groups(one: Triples, other: Triples, first: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        datasets = [
            write(Path(name), "one", train=one),
            write(Path(name), "other", train=[(prompt + 10, chosen, rejected) for prompt, chosen, rejected in other]),
        ]
        weights = (first / 10, 1 - first / 10)
        total = min(len(rows) / weight for rows, weight in zip((one, other), weights, strict=True))
        smallest = [min(Counter(row["group_id"] for row in rows_of(dataset)).values()) for dataset in datasets]
        assume(any(int(total * weight) >= least for weight, least in zip(weights, smallest, strict=True)))
        mixed = mix(datasets, Path(name) / "mixed", MixOptions(weights, seed=seed))
        for dataset, weight in zip(datasets, weights, strict=True):
            before = Counter(row["group_id"] for row in rows_of(dataset))
            after = Counter(row["group_id"] for row in rows_of(mixed) if row["group_id"] in before)
            assert all(before[group] == count for group, count in after.items())
            most = total * weight + 1e-6
            assert sum(after.values()) <= most
            left = [count for group, count in before.items() if group not in after]
            assert all(sum(after.values()) + count > int(most) for count in left)


def test_rows_keep_their_order_and_groups_take_turns(tmp_path: Path) -> None:
    rows = [(prompt, 0, rejected) for prompt in range(50) for rejected in range(2)]
    datasets = [write(tmp_path, name, train=rows) for name in ("one", "other")]
    mixed = mix(datasets, tmp_path / "mixed", MixOptions(seed=1))
    ids = [row["pair_id"] for row in rows_of(mixed)]
    origins = [name.partition("/")[0] for name in ids]
    for name in ("one", "other"):
        assert [one for one in ids if one.startswith(f"{name}/")] == [f"{name}/train-{index}" for index in range(100)]
    runs = 1 + sum(one != other for one, other in pairwise(origins))
    assert 30 < runs <= 100
    assert origins[::2] == origins[1::2], "the two pairs of a group stay together"
    other_order = mix(datasets, tmp_path / "again", MixOptions(seed=2))
    assert [row["pair_id"] for row in rows_of(other_order)] != ids


def many(folder: Path, name: str, size: int) -> PairDataset:
    return write(folder, name, train=[(prompt, len(name), 1) for prompt in range(size)])


def test_pairs_sets_the_total(tmp_path: Path) -> None:
    datasets = [many(tmp_path, "a", 70), many(tmp_path, "bb", 70)]
    assert len(mix(datasets, tmp_path / "most", MixOptions((0.7, 0.3)))) == 100
    mixed = mix(datasets, tmp_path / "mixed", MixOptions((7, 3), pairs=50))
    assert Counter(row["chosen"] for row in rows_of(mixed)) == {" good 1": 35, " good 2": 15}
    with pytest.raises(UsageError, match="at most 100"):
        mix(datasets, tmp_path / "more", MixOptions((0.7, 0.3), pairs=101))


def test_more_groups_than_are_ordered_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = [many(tmp_path, "a", 33), many(tmp_path, "bb", 20)]
    whole = mix(datasets, tmp_path / "whole")
    monkeypatch.setattr("pairgen.exchange.curation.mixing.RUNS", 7)
    assert content(mix(datasets, tmp_path / "whole", overwrite=True)) == content(whole)


def test_provenance_of_all_inputs_is_kept(tmp_path: Path) -> None:
    first = build("metamath", tmp_path / "first", BuildOptions(("sample:30",), eval_size=5))
    second = build("arc", tmp_path / "second", BuildOptions(("sample:30",)))
    mixed = mix([first, second], tmp_path / "mixed")
    assert not violations(mixed)
    assert {str(row["source"]).partition("/")[0] for row in rows_of(mixed)} == {"metamath", "arc"}
    manifest = mixed.manifest
    assert manifest["title"] == "Mix of first and second"
    assert set(manifest["sources"]) == {"first/train", "second/train", "second/eval"}
    assert manifest["license"] == first.manifest["license"]
    assert "options" not in manifest
    assert "multiple_choice" not in manifest
    about = manifest["history"][0]["datasets"]
    assert [one["title"] for one in about] == [first.manifest["title"], second.manifest["title"]]
    assert np.sum([one["pairs"] for one in about]) == len(mixed["train"])
    assert "Mix of first and second" in (mixed.path / "README.md").read_text("utf-8")


def test_mixes_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    one, other = many(tmp_path, "a", 3), many(tmp_path, "bb", 3)
    same_name = many(tmp_path / "elsewhere", "a", 3)
    completions = many(tmp_path, "ccc", 3)
    completions.manifest["sft"] = True
    for datasets, options, message in (
        ([one], {}, "at least two"),
        ([one, other], {"weights": (1,)}, "one weight for each of the 2"),
        ([one, other], {"weights": (1, 0)}, "above 0"),
        ([one, other], {"pairs": 3}, "--pairs needs --weights"),
        ([one, same_name], {}, "two datasets named 'a' share pair ids"),
        ([one, completions], {}, "only completions"),
    ):
        with pytest.raises(UsageError, match=message):
            mix(datasets, tmp_path / "out", MixOptions(**options))
    assert not (tmp_path / "out").exists()
