"""Small pair datasets for tests, and functions that damage them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pairgen.pairs import dataset as store
from pairgen.pairs import edits
from pairgen.pairs.dataset import SplitInfo
from pairgen.pairs.record import SCHEMA, Pair, Provenance, to_batch
from pairgen.pairs.writing import DatasetWriter
from pairgen.pairs.writing import shards as writing

CORRUPTION = {
    "correct": "2",
    "corrupted": "13",
    "correct_value": "2",
    "corrupted_value": "13",
    "expression": "1+1",
    "check": "verified",
    "strategy": "plain",
    "step": 1,
    "steps": 2,
}


def pair(chosen: str, rejected: str, pair_id: str, prompt: str = "Why?", **other: Any) -> Pair:
    """A pair whose edit span and group id are derived from its texts unless passed."""
    derived = dict(
        zip(("edit_start", "chosen_edit_stop", "rejected_edit_stop"), edits.span(chosen, rejected), strict=True)
    )
    fields = {"group_id": f"{prompt}|{chosen}", "source": "test/plain", **derived, **other}
    provenance = Provenance(**{name: fields.pop(name) for name in Provenance._fields if name in fields})
    return Pair(prompt=prompt, chosen=chosen, rejected=rejected, pair_id=pair_id, provenance=provenance, **fields)


def good_pairs() -> dict[str, list[Pair]]:
    """A corruption, two choices of one group and a longer corruption to train on; a choice for evaluation."""
    return {
        "train": [
            pair(" 1 + 1 = 2, so 4.", " 1 + 1 = 13, so 4.", "c-1", "How many?", source="test/sums", **CORRUPTION),
            pair(" the sun", " the moon", "a-1", "What shines?"),
            pair(" the sun", " a lamp", "a-2", "What shines?"),
            pair("\nthen 2\nthus 2", "\nthen 13\nthus 2", "c-2", "How?", source="test/sums", **CORRUPTION),
        ],
        "eval": [pair(" ça, 🦊🏽", " ça, 🐻🏽", "a-3", "Où?")],
    }


def good_rows() -> dict[str, list[dict[str, Any]]]:
    """``good_pairs`` as rows."""
    return {split: to_batch(pairs).to_pylist() for split, pairs in good_pairs().items()}


def make_folder(
    path: Path,
    splits: Mapping[str, Sequence[Pair] | Sequence[Mapping[str, Any]]],
    batch: int = 2,
    drops: Mapping[str, int] | None = None,
) -> store.PairDataset:
    """Write a dataset of pairs or unvalidated rows, in batches of about ``batch`` rows, one shard per batch."""
    with pytest.MonkeyPatch.context() as patch, DatasetWriter(path) as writer:
        patch.setattr(writing, "BATCH_ROWS", batch)
        patch.setattr(writing, "SHARD_BYTES", 1)
        for name, rows in splits.items():
            writer.write(name, as_batch(rows))
        drop_counts = dict(drops or {})
        infos: dict[str, SplitInfo] = {
            name: {"rows": len(rows) + sum(drop_counts.values()), "drops": drop_counts} for name, rows in splits.items()
        }
        return writer.commit({"splits": infos})


def as_batch(rows: Sequence[Pair] | Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    if all(isinstance(row, Pair) for row in rows):
        return to_batch(rows)
    return pa.RecordBatch.from_pylist(list(rows), schema=SCHEMA)


def change_manifest(path: Path, change: Any) -> store.PairDataset:
    """Apply ``change`` to the manifest's splits, and open the folder again."""
    file = path / store.MANIFEST
    manifest = json.loads(file.read_text("utf-8"))
    change(manifest["splits"])
    file.write_text(json.dumps(manifest), "utf-8")
    return store.open_pairs(path)


def reseal(path: Path) -> store.PairDataset:
    """Update sizes and hashes in the manifest after the shards were changed."""

    def update(splits: dict[str, Any]) -> None:
        for name, split in splits.items():
            for shard in split["shards"]:
                file = path / name / shard["file"]
                shard |= {"bytes": file.stat().st_size, "xxh3": store.file_hash(file)}

    return change_manifest(path, update)
