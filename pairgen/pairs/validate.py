"""Every promise of the contract, held against every row of a dataset on disk."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from pairgen.errors import InvalidDataset
from pairgen.pairs.dataset import PairDataset, ShardInfo, Split, file_hash, read_shard
from pairgen.pairs.invariants import PROMISES, Mask, Rows
from pairgen.pairs.record import COLUMNS, conform

Keys = NDArray[np.uint64]
"""64-bit hashes, one per row: texts would not fit into memory; one false clash in two million datasets of 4,000,000."""


@dataclass(frozen=True)
class Violation:
    """A broken promise: how often, and where first. ``row`` counts from 0 in its split; None if a file is at fault."""

    kind: str
    count: int
    split: str
    row: int | None
    seen: str

    def __str__(self) -> str:
        where = self.split if self.row is None else f"{self.split}[{self.row}]"
        return f"{self.kind}: {self.count:,} x, first {where}: {self.seen}; wanted: {PROMISES[self.kind].wanted}"


class _Found:
    """The violations so far, one per kind."""

    def __init__(self) -> None:
        self.kinds: dict[str, Violation] = {}
        self.unread: set[str] = set()
        """Splits of which some rows could not be looked at."""

    def add(self, kind: str, split: str, seen: str, row: int | None = None, count: int = 1) -> None:
        known = self.kinds.get(kind)
        new = Violation(kind, count, split, row, seen)
        self.kinds[kind] = replace(known, count=known.count + count) if known else new

    def add_rows(self, kind: str, split: str, batch: pa.RecordBatch, broken: Mask, numbers: NDArray[np.int64]) -> None:
        """Add the rows of a batch that ``broken`` marks; ``numbers`` are their places in the split."""
        count = int(np.count_nonzero(broken))
        if count:
            at = int(np.argmax(broken))
            self.add(kind, split, show(kind, batch.slice(at, 1).to_pylist()[0]), int(numbers[at]), count)


def show(kind: str, row: dict[str, Any]) -> str:
    """The columns that tell of a broken promise, long values cut in the middle."""
    names = PROMISES[kind].shows or [
        name for name, value in row.items() if value is None and not COLUMNS[name].nullable
    ]
    return ", ".join(f"{name}={_brief(row[name])}" for name in names)


def _brief(value: Any, most: int = 30) -> str:
    if isinstance(value, str) and len(value) > 2 * most:
        return f"{value[:most]!r}...{value[-most:]!r}"
    return repr(value)


class _Seen(NamedTuple):
    """What is kept of each row to compare it with all others: its place, and hashes of ids and texts."""

    place: NDArray[np.int64]
    pair: Keys
    group: Keys
    text: Keys


def violations(dataset: PairDataset) -> list[Violation]:
    """Every broken promise of ``PROMISES``, in its order, with the first row that shows it; empty if all is well.

    Batches are streamed; besides one batch, 32 bytes per row are held. Rows of a shard that cannot be read or has
    other columns are not looked at any further.
    """
    found = _Found()
    kept: list[_Seen] = []
    starts: dict[str, int] = {}
    total = 0
    for split in dataset.splits.values():
        starts[split.name] = total
        _check_shards(dataset, split, found)
        rows = 0
        for batch in _batches(split, found):
            kept.append(_check_batch(split.name, batch, rows, total + rows, found))
            rows += batch.num_rows
        _check_counts(dataset, split, rows, found)
        total += rows
    if kept:
        seen = _Seen(*(np.concatenate(parts) for parts in zip(*kept, strict=True)))
        _check_ids(dataset, seen, starts, found)
    return [found.kinds[kind] for kind in PROMISES if kind in found.kinds]


# ---------------------------------------------------------------- files and manifest


def _shards(dataset: PairDataset, split: Split) -> list[ShardInfo]:
    return list(dataset.manifest["splits"][split.name]["shards"])


def _check_shards(dataset: PairDataset, split: Split, found: _Found) -> None:
    for path, said in zip(split.shards, _shards(dataset, split), strict=True):
        size, digest = path.stat().st_size, file_hash(path) if path.stat().st_size else "nothing"
        if (size, digest) != (said.get("bytes"), said.get("xxh3")):
            seen = f"{path.name} has {size} bytes, xxh3 {digest}; manifest: {said.get('bytes')}, {said.get('xxh3')}"
            found.add("shard_bytes", split.name, seen)


def _batches(split: Split, found: _Found) -> Iterator[pa.RecordBatch]:
    """The batches that can be read and have the right columns; what is wrong with the others goes into ``found``."""
    for shard in split.shards:
        try:
            for batch in read_shard(shard):
                batch.validate(full=True)
                problem = _columns(batch.schema)
                if not problem:
                    yield conform(batch)
                else:
                    found.add("schema", split.name, f"{shard.name} has {problem}")
                    found.unread.add(split.name)
                    break
        except (InvalidDataset, pa.ArrowException, UnicodeDecodeError) as error:  # the last for names of columns
            found.add("readable", split.name, f"{shard.name}: {' '.join(str(error).split())[:200]}")
            found.unread.add(split.name)


def _columns(schema: pa.Schema) -> str:
    """Where a schema leaves the contract: columns that are missing, or of another type."""
    types = dict(zip(schema.names, schema.types, strict=True))
    problems = [
        f"{name}: {types[name]} instead of {column.type}" if name in types else f"no {name}"
        for name, column in COLUMNS.items()
        if types.get(name, column.type if column.nullable else None) != column.type
    ]
    repeated = sorted({name for name in types if schema.names.count(name) > 1})
    return ", ".join([*problems, *(f"two columns {name}" for name in repeated)])


def _check_counts(dataset: PairDataset, split: Split, rows: int, found: _Found) -> None:
    said = dataset.manifest["splits"][split.name]
    listed = sum(_whole(shard.get("pairs")) for shard in _shards(dataset, split))
    if listed != split.pairs or (rows != split.pairs and split.name not in found.unread):
        found.add("manifest_pairs", split.name, f"{rows} read, {listed} in its shards, {split.pairs} in all")
    if "rows" in said:
        dropped = sum(_whole(count) for count in dict(said.get("drops") or {}).values())
        used = _whole(said["rows"]) - dropped
        if not 0 <= used <= split.pairs or bool(used) != bool(split.pairs):
            found.add("manifest_rows", split.name, f"{said['rows']} rows, {dropped} dropped, {split.pairs} pairs")


def _whole(count: Any) -> int:
    """A count of the manifest; what is no count counts as none."""
    return count if type(count) is int else 0


# ---------------------------------------------------------------- rows


def _check_batch(split: str, batch: pa.RecordBatch, row: int, place: int, found: _Found) -> _Seen:
    """Hold a batch against every promise of single rows; what is returned is for those of the whole dataset.

    Args:
        row, place: number of its first row in the split, and in the whole dataset.
    """
    numbers = np.arange(row, row + batch.num_rows)
    null = np.zeros(batch.num_rows, dtype=bool)
    for name, column in COLUMNS.items():
        if not column.nullable and batch[name].null_count:
            null |= batch[name].is_null().to_numpy(zero_copy_only=False)
    found.add_rows("not_null", split, batch, null, numbers)
    if null.any():
        batch, numbers = batch.filter(pa.array(~null)), numbers[~null]
    if batch.num_rows:
        _check_rows(split, Rows(batch), numbers, found)
    hashed = xxhash.xxh3_64_intdigest
    pair, group, prompt, chosen = (
        batch[name].cast(pa.binary()).to_pylist() for name in ("pair_id", "group_id", "prompt", "chosen")
    )
    texts = (hashed(text, seed=hashed(start)) for start, text in zip(prompt, chosen, strict=True))
    keys = (np.fromiter(these, np.uint64, len(pair)) for these in (map(hashed, pair), map(hashed, group), texts))
    return _Seen(numbers - row + place, *keys)


def _check_rows(split: str, rows: Rows, numbers: NDArray[np.int64], found: _Found) -> None:
    masks: dict[str, Mask] = {}
    for kind, promise in PROMISES.items():
        if promise.broken is None:
            continue
        broken = promise.broken(rows)
        for need in promise.needs:
            broken = broken & ~masks[need]
        masks[kind] = broken
        found.add_rows(kind, split, rows.batch, broken, numbers)


# ---------------------------------------------------------------- ids


def _check_ids(dataset: PairDataset, seen: _Seen, starts: dict[str, int], found: _Found) -> None:
    again = _clashes(seen.pair)
    apart = np.concatenate([_clashes(seen.group, seen.text), _clashes(seen.text, seen.group)], axis=1)
    for kind, (later, earlier) in (("pair_id", again), ("group_id", apart)):
        if len(later):
            at = int(np.argmin(later))
            split, row = _where(int(seen.place[later[at]]), starts)
            other, mate = _where(int(seen.place[earlier[at]]), starts)
            text = f"{show(kind, _row(dataset, split, row))}, against {other}[{mate}]"
            found.add(kind, split, text, row, len(np.unique(later)))


def _clashes(keys: Keys, others: Keys | None = None) -> NDArray[np.int64]:
    """Rows whose key an earlier row has, with that row: (2, n). With ``others``, only where those are not equal too.

    Equal keys are neighbours once sorted: keys [7, 3, 7] give [[2], [0]].
    """
    order = np.argsort(keys, kind="stable")
    clash = keys[order[1:]] == keys[order[:-1]]
    if others is not None:
        clash &= others[order[1:]] != others[order[:-1]]
    return np.stack([order[1:][clash], order[:-1][clash]])


def _where(place: int, starts: dict[str, int]) -> tuple[str, int]:
    """Split and row number of a place in the whole dataset."""
    at = bisect_right(list(starts.values()), place) - 1
    return list(starts)[at], place - list(starts.values())[at]


def _row(dataset: PairDataset, split: str, row: int) -> dict[str, Any]:
    for batch in _batches(dataset.splits[split], _Found()):
        if row < batch.num_rows:
            return dict(batch.slice(row, 1).to_pylist()[0])
        row -= batch.num_rows
    raise IndexError(row)
