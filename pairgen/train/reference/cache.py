"""Reference log-probs: computed once, kept by pair, written as they come.

They lie beside the dataset in ``reference/<model>-<tokens>/``, named by the hash of the weights and of the tokens they
were computed from, so that any run with the same reference takes them up, whole or in part. A part is an Arrow stream;
of one that a kill cut short, the whole batches count.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from pairgen.atomic import os_errors
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.order import chunks
from pairgen.train.layout.batch import Batch

SCHEMA = pa.schema(
    {
        "pair": pa.string(),
        "chosen": pa.float64(),
        "rejected": pa.float64(),
        "chosen_tokens": pa.list_(pa.float32()),
    }
)
"""Per pair: its key, the summed log-probs of both completions, and those of chosen's tokens, in nats."""

Score = Callable[[Sequence[TokenGroup]], tuple[Batch, Tensor]]
"""Scores groups with the reference model: the batch, and [2P, T] log-probs of its completions' tokens."""


class Reference:
    """Reference log-probs by pair."""

    def __init__(self, batches: Iterable[pa.RecordBatch] = ()) -> None:
        self._row: dict[str, int] = {}
        self._table = SCHEMA.empty_table()
        self.add(batches)

    def add(self, batches: Iterable[pa.RecordBatch], prefix: str = "") -> None:
        """Take in more pairs, known by their key behind ``prefix``; one that is there stays as it is."""
        before = self._table.num_rows
        self._table = pa.concat_tables([self._table, pa.Table.from_batches(batches, SCHEMA)]).combine_chunks()
        for row, key in enumerate(self._table["pair"][before:].to_pylist(), before):
            self._row.setdefault(prefix + key, row)

    def __contains__(self, key: object) -> bool:
        return key in self._row

    def values(self, keys: Sequence[str], width: int) -> tuple[Tensor, Tensor, Tensor]:
        """What is known of pairs: [P] summed log-prob of chosen, [P] of rejected, [P, width] of chosen's tokens."""
        rows = [self._row[key] for key in keys]
        taken = self._table.take(rows)
        tokens = torch.zeros(len(keys), width, dtype=torch.float64)
        for line, values in zip(tokens, taken["chosen_tokens"], strict=True):
            found = values.values.to_numpy(zero_copy_only=False)
            line[: len(found)] = torch.from_numpy(found.astype(np.float64))
        return _doubles(taken["chosen"]), _doubles(taken["rejected"]), tokens


def _doubles(column: pa.ChunkedArray) -> Tensor:
    values: NDArray[np.float64] = column.to_numpy()
    return torch.from_numpy(values.copy())


def folder_of(dataset: Path, wanted: str, fallback: Path) -> Path:
    """Where the log-probs of a dataset are kept: where asked, else beside its data; in the run if that is read-only."""
    if wanted:
        return Path(wanted)
    beside = dataset / "reference"
    try:
        beside.mkdir(exist_ok=True)
    except OSError:
        return fallback
    return beside if os.access(beside, os.W_OK) else fallback


def read(folder: Path) -> list[pa.RecordBatch]:
    """All whole batches of all parts."""
    found: list[pa.RecordBatch] = []
    for part in sorted(folder.glob("*.arrows")):
        try:
            with pa.OSFile(str(part)) as source, pa.ipc.open_stream(source) as reader:
                while True:
                    found.append(reader.read_next_batch())
        except StopIteration:
            continue
        except (pa.ArrowInvalid, OSError):  # a kill cut it short
            continue
    return found


def compute(
    groups: GroupTable,
    wanted: Sequence[int] | NDArray[np.int64],
    score: Score,
    folder: Path,
    pairs_at_once: int,
    rank: int = 0,
    size: int = 1,
    done: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Score the wanted groups that ``folder`` does not know yet and write them there.

    Groups of like length go together. How they are put together follows from what is wanted alone, not from what is
    there, so that a computation that was cut short ends with the same figures. Several processes take every
    ``size``-th batch.

    Args:
        wanted: indices of groups.
        done: told how many of the missing batches are through, and how many are missing.
    """
    unknown = groups.unknown(Reference(read(folder)))
    indices = np.asarray(wanted, dtype=np.int64)
    order = indices[np.argsort(groups.tokens[indices], kind="stable")]
    runs = [order[start:stop] for start, stop in chunks(groups.pairs[order], pairs_at_once)]
    missing = [run for run in runs[rank::size] if unknown[run].any()]
    if not missing:
        return
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(folder / f"{uuid4().hex}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
            for number, run in enumerate(missing, 1):
                stream.write_batch(_scored([groups[index] for index in run], score))
                sink.flush()
                done(number, len(missing))


def _scored(groups: Sequence[TokenGroup], score: Score) -> pa.RecordBatch:
    batch, tokens = score(groups)
    sums = tokens.sum(1).double().cpu().numpy()
    pairs = batch.pairs
    chosen = [
        line[:length].float().numpy()
        for line, length in zip(tokens[:pairs].cpu(), batch.lengths[:pairs].tolist(), strict=True)
    ]
    return pa.record_batch(
        [list(batch.pair_ids), sums[:pairs], sums[pairs:], pa.array(chosen, SCHEMA.types[3])], schema=SCHEMA
    )
