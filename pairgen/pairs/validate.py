"""Check the invariants of the row schema on every row of a dataset."""

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
from pairgen.pairs.invariants import INVARIANTS, is_sft, violated_rows
from pairgen.pairs.masks import Mask
from pairgen.pairs.record import COLUMNS, conform

Keys = NDArray[np.uint64]
"""64-bit hashes, one per row: texts would not fit in memory. A false collision among 4M rows has probability 4e-7."""


@dataclass(frozen=True)
class Violation:
    """A violated invariant: how often, and its first occurrence.

    ``row`` counts from 0 within the split and is None for faults of a file. ``value`` shows the columns concerned.
    """

    kind: str
    count: int
    split: str
    row: int | None
    value: str

    def __str__(self) -> str:
        where = self.split if self.row is None else f"{self.split}[{self.row}]"
        rows = f"{self.count:,} row{'s' if self.count > 1 else ''}, first at"
        times = f"{rows} {where}" if self.row is not None else where
        return f"{self.kind}: {times}: {self.value}; expected: {INVARIANTS[self.kind].rule}"


class _Found:
    """The violations so far, one for each invariant."""

    def __init__(self) -> None:
        self.kinds: dict[str, Violation] = {}
        self.unread: set[str] = set()
        """Splits with rows that could not be checked."""

    def add(self, kind: str, split: str, value: str, row: int | None = None, count: int = 1) -> None:
        known = self.kinds.get(kind)
        new = Violation(kind, count, split, row, value)
        self.kinds[kind] = replace(known, count=known.count + count) if known else new

    def add_rows(
        self, kind: str, split: str, batch: pa.RecordBatch, violated: Mask, numbers: NDArray[np.int64]
    ) -> None:
        """Add the rows of a batch that ``violated`` marks; ``numbers`` are their row numbers in the split."""
        count = int(np.count_nonzero(violated))
        if count:
            at = int(np.argmax(violated))
            self.add(kind, split, show(kind, batch.slice(at, 1).to_pylist()[0]), int(numbers[at]), count)


def show(kind: str, row: dict[str, Any]) -> str:
    """The columns that an invariant is about, long values shortened in the middle."""
    names = INVARIANTS[kind].columns or [
        name for name, value in row.items() if value is None and not COLUMNS[name].nullable
    ]
    return ", ".join(f"{name}={_brief(row[name])}" for name in names)


def _brief(value: Any, most: int = 30) -> str:
    if isinstance(value, str) and len(value) > 2 * most:
        return f"{value[:most]!r}...{value[-most:]!r}"
    return repr(value)


class _Seen(NamedTuple):
    """Per row, what is compared with all others: its position in the dataset, and hashes of ids and texts."""

    position: NDArray[np.int64]
    pair: Keys
    group: Keys
    text: Keys


def violations(dataset: PairDataset) -> list[Violation]:
    """The violated invariants, in the order of ``INVARIANTS``, with the first occurrence of each; empty if all hold.

    Each verified pair is verified again: its expression is evaluated and compared with the original and the wrong
    value. Batches are streamed; apart from one batch, memory is 32 bytes per row. Nullable columns may be missing and
    further columns may follow, see ``record.conform``. Other checks are skipped for rows of a shard that cannot be
    read or lacks a column.
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
            numbers = np.arange(rows, rows + batch.num_rows)
            found.add_rows("sft", split.name, batch, is_sft(batch) != bool(dataset.manifest.get("sft")), numbers)
            kept.append(_check_batch(split.name, batch, rows, total + rows, found))
            rows += batch.num_rows
        _check_counts(dataset, split, rows, found)
        total += rows
    if kept:
        seen = _Seen(*(np.concatenate(parts) for parts in zip(*kept, strict=True)))
        _check_ids(dataset, seen, starts, found)
    return [found.kinds[kind] for kind in INVARIANTS if kind in found.kinds]


def shared_prompts(dataset: PairDataset) -> int:
    """How many prompts occur in more than one split: a model is evaluated on questions that it was trained on."""
    prompts = [np.unique(_prompt_keys(split)) for split in dataset.splits.values()]
    _, counts = np.unique(np.concatenate(prompts), return_counts=True)
    return int((counts > 1).sum())


def _prompt_keys(split: Split) -> Keys:
    batches = (batch["prompt"].cast(pa.binary()).to_pylist() for batch in split.batches(["prompt"]))
    return np.array([xxhash.xxh3_64_intdigest(prompt) for prompts in batches for prompt in prompts], np.uint64)


# ---------------------------------------------------------------- files and manifest


def _shards(dataset: PairDataset, split: Split) -> list[ShardInfo]:
    return list(dataset.manifest["splits"][split.name]["shards"])


def _check_shards(dataset: PairDataset, split: Split, found: _Found) -> None:
    for path, shard in zip(split.shards, _shards(dataset, split), strict=True):
        size, digest = path.stat().st_size, file_hash(path) if path.stat().st_size else "none"
        if (size, digest) != (shard.get("bytes"), shard.get("xxh3")):
            recorded = f"manifest: {shard.get('bytes')}, {shard.get('xxh3')}"
            found.add("shard_bytes", split.name, f"{path.name} has {size} bytes, xxh3 {digest}; {recorded}")


def _batches(split: Split, found: _Found) -> Iterator[pa.RecordBatch]:
    """The batches that can be read and have the required columns; problems of the others are added to ``found``."""
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
        except (InvalidDataset, pa.ArrowException, UnicodeDecodeError) as error:  # column names may not be UTF-8
            found.add("readable", split.name, f"{shard.name}: {' '.join(str(error).split())[:200]}")
            found.unread.add(split.name)


def _columns(schema: pa.Schema) -> str:
    """What a schema violates: required columns that are missing, and columns of another type."""
    types = dict(zip(schema.names, schema.types, strict=True))
    problems = [
        f"{name}: {types[name]} instead of {column.type}" if name in types else f"no {name}"
        for name, column in COLUMNS.items()
        if types.get(name, column.type if column.nullable else None) != column.type
    ]
    repeated = sorted({name for name in types if schema.names.count(name) > 1})
    return ", ".join([*problems, *(f"several columns {name}" for name in repeated)])


def _check_counts(dataset: PairDataset, split: Split, rows: int, found: _Found) -> None:
    info = dataset.manifest["splits"][split.name]
    listed = sum(_count(shard.get("pairs")) for shard in _shards(dataset, split))
    if listed != split.pairs or (rows != split.pairs and split.name not in found.unread):
        found.add("manifest_pairs", split.name, f"{rows} read, {listed} in its shards, {split.pairs} in all")
    if "rows" in info:
        dropped = sum(_count(count) for count in dict(info.get("drops") or {}).values())
        used, built = _count(info["rows"]) - dropped, _pairs_built(dataset, split)
        if not 0 <= used <= built or bool(used) != bool(built):
            found.add("manifest_rows", split.name, f"{info['rows']} rows, {dropped} dropped, {built} pairs")


def _pairs_built(dataset: PairDataset, split: Split) -> int:
    """The pairs that the source rows of a split yielded: those before the first command that selected some of them."""
    history = dataset.manifest.get("history")
    first = history[0].get("splits", {}).get(split.name) if history else None
    return _count(first["pairs_before"]) if first else split.pairs


def _count(count: Any) -> int:
    """A count of the manifest; 0 for anything that is not an integer."""
    return count if type(count) is int else 0


# ---------------------------------------------------------------- rows


def _check_batch(split: str, batch: pa.RecordBatch, row: int, position: int, found: _Found) -> _Seen:
    """Check the invariants of single rows; the result is for those of the whole dataset.

    Args:
        row, position: number of the batch's first row in the split, and in the whole dataset.
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
        for kind, violated in violated_rows(batch).items():
            found.add_rows(kind, split, batch, violated, numbers)
    hash_of = xxhash.xxh3_64_intdigest
    pair, group, prompt, chosen = (
        batch[name].cast(pa.binary()).to_pylist() for name in ("pair_id", "group_id", "prompt", "chosen")
    )
    if batch["messages"].null_count < batch.num_rows:
        prompt = [repr(part).encode() for part in zip(prompt, batch["messages"].to_pylist(), strict=True)]
    texts = (hash_of(text, seed=hash_of(start)) for start, text in zip(prompt, chosen, strict=True))
    keys = (np.fromiter(these, np.uint64, len(pair)) for these in (map(hash_of, pair), map(hash_of, group), texts))
    return _Seen(numbers - row + position, *keys)


# ---------------------------------------------------------------- ids


def _check_ids(dataset: PairDataset, seen: _Seen, starts: dict[str, int], found: _Found) -> None:
    again = _clashes(seen.pair)
    apart = np.concatenate([_clashes(seen.group, seen.text), _clashes(seen.text, seen.group)], axis=1)
    for kind, (later, earlier) in (("pair_id", again), ("group_id", apart)):
        if len(later):
            at = int(np.argmin(later))
            split, row = _where(int(seen.position[later[at]]), starts)
            other, mate = _where(int(seen.position[earlier[at]]), starts)
            text = f"{show(kind, _row(dataset, split, row))}; compare {other}[{mate}]"
            found.add(kind, split, text, row, len(np.unique(later)))


def _clashes(keys: Keys, others: Keys | None = None) -> NDArray[np.int64]:
    """Rows with the key of an earlier row, and that row: shape [2, n]. With ``others``, only where those differ.

    Equal keys are adjacent once sorted: keys [7, 3, 7] give [[2], [0]].
    """
    order = np.argsort(keys, kind="stable")
    clash = keys[order[1:]] == keys[order[:-1]]
    if others is not None:
        clash &= others[order[1:]] != others[order[:-1]]
    return np.stack([order[1:][clash], order[:-1][clash]])


def _where(position: int, starts: dict[str, int]) -> tuple[str, int]:
    """Split and row number of a position in the whole dataset."""
    at = bisect_right(list(starts.values()), position) - 1
    return list(starts)[at], position - list(starts.values())[at]


def _row(dataset: PairDataset, split: str, row: int) -> dict[str, Any]:
    for batch in _batches(dataset.splits[split], _Found()):
        if row < batch.num_rows:
            return dict(batch.slice(row, 1).to_pylist()[0])
        row -= batch.num_rows
    raise IndexError(row)
