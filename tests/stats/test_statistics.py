"""Rules that every statistic keeps, and the results of ``describe``."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.rows import good_pairs, make_folder, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.errors import InvalidDataset, UsageError
from pairgen.pairs import dataset as store
from pairgen.pairs.record import SCHEMA, to_batch
from pairgen.stats import BY, RECORDED, STATISTICS, describe, lengths

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.fixture
def dataset(tmp_path: Path) -> store.PairDataset:
    return make_folder(tmp_path / "out", good_pairs(), drops={"too long": 2})


@pytest.mark.parametrize("name", STATISTICS)
@given(made=st.lists(st.tuples(texts, texts, texts), max_size=5))
@settings(deadline=None, max_examples=40)
def test_statistic_is_a_finite_number_per_pair_from_its_columns(name: str, made: list[tuple[str, str, str]]) -> None:
    statistic = STATISTICS[name]
    batch = to_batch([pair(f" {a}", f" {b}", f"{at}", f"{p}?") for at, (p, a, b) in enumerate(made)])
    values = statistic.of(batch.select(list(statistic.columns)))
    assert values.shape == (len(made),)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    if statistic.scale == "share":
        assert (values <= 1).all()


@pytest.mark.parametrize("name", STATISTICS)
def test_statistic_is_defined_in_one_line(name: str) -> None:
    statistic = STATISTICS[name]
    assert statistic.definition.strip()
    assert "\n" not in statistic.definition
    assert statistic.scale
    assert set(statistic.columns) <= set(SCHEMA.names)


def test_lengths_count_code_points() -> None:
    batch = to_batch([pair(" e\u0301👩\u200d👧", " é", "1", "Où?"), pair(" ab 2 c", " ab 13 c", "2", "?")])
    assert lengths.prompt_length(batch).tolist() == [3, 1]
    assert lengths.chosen_length(batch).tolist() == [6, 7]
    assert lengths.rejected_length(batch).tolist() == [2, 8]
    assert lengths.shared_prefix(batch).tolist() == pytest.approx([1 / 6, 4 / 8])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs the list of mapped files of Linux")
def test_a_build_maps_one_file_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a build computes of its pairs must not keep their files in memory: there may be hundreds."""
    pairs = [row for _ in range(8) for row in good_pairs()["train"]]
    folder = tmp_path / "many"
    made = make_folder(folder, {"train": [row._replace(pair_id=f"{at}") for at, row in enumerate(pairs)]}, batch=1)
    assert len(made.splits["train"].shards) > 16
    mapped: list[int] = []
    batches = store.Split.batches

    def watched(*arguments: Any) -> Any:
        for batch in batches(*arguments):
            yield batch
            mapped.append(len(set(re.findall(re.escape(str(folder)) + r"\S*", Path("/proc/self/maps").read_text()))))

    monkeypatch.setattr(store.Split, "batches", watched)
    describe(made, names=RECORDED)
    assert len(mapped) > 32
    assert max(mapped) <= 2, "one, and the next"


def test_describe_returns_counts_statistics_groups_and_corruptions(dataset: store.PairDataset) -> None:
    found = describe(dataset)
    assert list(found) == ["train", "eval"]
    assert list(found["train"]) == ["pairs", "rows", "drops", *STATISTICS, "pairs_per_group", "corruptions"]
    assert found["train"] | {"pairs": 4, "rows": 6, "drops": {"too long": 2}} == found["train"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    distance = found["train"]["edit_distance"]
    assert distance["definition"] == STATISTICS["edit_distance"].definition
    assert sum(distance["histogram"]["counts"]) == distance["count"] == 4
    assert found["train"]["prompt_length"]["mean"] == (len("How many?How?") + 2 * len("What shines?")) / 4


def test_describe_counts_groups_across_batches(tmp_path: Path) -> None:
    pairs = [pair(f" {at % 3}", " no", f"{at}", "?") for at in range(10)]
    found = describe(make_folder(tmp_path / "out", {"train": pairs}, batch=2))["train"]["pairs_per_group"]
    assert (found["count"], found["min"], found["max"], found["mean"]) == (3, 3, 4, pytest.approx(10 / 3))


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("metric", ["levenshtein", "hamming"])
def test_describe_by_column_adds_up_to_all_pairs(dataset: store.PairDataset, by: str, metric: str) -> None:
    table = dataset.splits["train"].table().to_pylist()
    for name, found in describe(dataset, by=by, metric=metric)["train"].items():
        if name not in STATISTICS:
            continue
        parts = found["by"][by]
        assert list(parts) == sorted({row[by] or "none" for row in table})
        assert sum(part["count"] for part in parts.values()) == found["count"]
        weighted = sum(part["count"] * part["mean"] for part in parts.values()) / found["count"]
        assert weighted == pytest.approx(found["mean"])
        assert min(part["min"] for part in parts.values()) == found["min"]


def test_describe_by_column_with_values_in_one_batch_only(tmp_path: Path) -> None:
    pairs = [pair(" a", " b", f"{at}", "?" * (1 + at), source=f"s/{at // 3}") for at in range(9)]
    found = describe(make_folder(tmp_path / "out", {"train": pairs}, batch=2), by="source")
    parts = found["train"]["prompt_length"]["by"]["source"]
    assert {source: part["mean"] for source, part in parts.items()} == {"s/0": 2, "s/1": 5, "s/2": 8}


def test_describe_computes_only_the_named_statistics(dataset: store.PairDataset) -> None:
    assert list(describe(dataset, names=["edit_distance"])["eval"]) == ["pairs", "rows", "drops", "edit_distance"]
    assert list(describe(dataset, names=["pairs_per_group"])["eval"])[3:] == ["pairs_per_group"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "cosine"}, "levenshtein, indel, hamming"),
        ({"unit": "byte"}, "char, word, token"),
        ({"unit": "token"}, "--tokenizer ID"),
        ({"tokenizer": "gpt2"}, "--unit token"),
        ({"by": "prompt"}, "source, strategy, error, check"),
        ({"names": ["lenght"]}, "pairs_per_group"),
    ],
)
def test_describe_unknown_option_lists_the_known_ones(
    dataset: store.PairDataset, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        describe(dataset, **options)


def test_describe_an_empty_split(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", {"train": good_pairs()["train"], "eval": []})
    found = describe(dataset, by="check")["eval"]
    assert found["edit_distance"]["mean"] is None
    assert found["edit_distance"]["by"] == {"check": {}}
    assert found["pairs_per_group"]["count"] == 0


def test_describe_a_damaged_shard(dataset: store.PairDataset) -> None:
    dataset.splits["train"].shards[0].write_bytes(b"not Arrow")
    with pytest.raises(InvalidDataset, match="build the dataset again"):
        describe(dataset)


def test_describe_a_missing_column(dataset: store.PairDataset) -> None:
    file = dataset.splits["train"].shards[0]
    with pa.ipc.open_stream(file.read_bytes()) as reader:
        table = reader.read_all().drop_columns("edit_distance")
    with pa.ipc.new_stream(str(file), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InvalidDataset, match="edit_distance"):
        describe(dataset)
