"""A command from outside the package: write the pairs of a dataset that meet a condition as another dataset."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.writing import DatasetWriter


def verified(batch: pa.RecordBatch) -> pa.Array:
    return pc.equal(batch["check"], "verified").fill_null(False)


def filter_dataset(source: Path, out: Path, keep: Callable[[pa.RecordBatch], pa.Array] = verified) -> PairDataset:
    dataset = open_pairs(source)
    with DatasetWriter(out) as writer:
        for name, split in dataset.splits.items():
            for batch in split.batches():
                writer.write(name, batch.filter(keep(batch)))
        return writer.commit({"title": f"{source.name}, filtered"})
