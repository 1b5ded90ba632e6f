"""``merge``: the parts that ``build --shard`` made, combined into the dataset that a single build would write."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pairgen import stats
from pairgen.building.manifest import published
from pairgen.building.parts.conditions import differences
from pairgen.building.parts.tally import UNREADABLE, SplitTally, Tally
from pairgen.building.selection import SeenKeys, id_keys, number_duplicates
from pairgen.errors import InvalidDataset, UsageError
from pairgen.pairs.dataset import Manifest, PairDataset, PartInfo, Split, file_hash, opened
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import BuildPhase, Progress, ignore

_OWN = ("format", "command", "splits", "shard", "statistics")
"""Keys of a manifest in which the parts of one build may differ."""


class _Part(NamedTuple):
    dataset: PairDataset
    info: PartInfo

    @property
    def blocks(self) -> int:
        return len(next(iter(self.info["pairs"].values())))


def merge(
    parts: Iterable[PairDataset | str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> PairDataset:
    """Combine the parts of a build, in any order, into what a single build to ``out`` would write, byte for byte.

    >>> names = [f"part-{number}" for number in range(2)]
    >>> parts = [pairgen.build("arc", name, "sample:60", shard=f"{i}/2") for i, name in enumerate(names)]
    >>> pairgen.merge(names, "arc-merged")
    PairDataset('arc-merged': train 179 pairs, eval 180 pairs)

    Args:
        parts: all N datasets that were built with ``--shard 0/N`` to ``--shard N-1/N`` and the same options.
        overwrite: replace a pair dataset at ``out``.
        progress: called with the number of pairs.

    Raises:
        UsageError: a part is missing, given twice, not a part, or of a build with other options or rows.
        InvalidDataset: a part is not a complete dataset, or damaged.
        SourceError: a split has no pairs in any part.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind.
    """
    found = _in_order([_part(opened(part)) for part in parts])
    with DatasetWriter(out, overwrite) as writer:
        tally = _tally(found)
        tally.check_pairs()
        seen = SeenKeys()
        done, total = 0, sum(len(part.dataset) for part in found)
        for split, batch in _pairs(found):
            keys = id_keys(batch["pair_id"].to_pylist())
            writer.write(split, number_duplicates(_without_numbers(batch), seen.count_and_add(keys)))
            done += batch.num_rows
            progress(BuildPhase.MERGING, done, total)
        manifest = _manifest(found, os.fspath(out))
        manifest["splits"] = {split: of_split.info() for split, of_split in tally.splits.items()}
        return writer.commit(manifest, lambda dataset: stats.describe(dataset, names=stats.RECORDED))


# ---------------------------------------------------------------- which parts there are


def _part(dataset: PairDataset) -> _Part:
    """A dataset as a part. Raises UsageError if it is none, and InvalidDataset if it is damaged."""
    info: Any = dataset.manifest.get("shard")
    if info is None:
        raise UsageError(f"{dataset.path}: not a part of a build; give the folders of `pairgen build --shard I/N`")
    try:
        index, of, pairs = info["index"], info["of"], info["pairs"]
        agrees = (
            0 <= index < of
            and pairs.keys() == dataset.splits.keys()
            and all(sum(pairs[name]) == split.pairs for name, split in dataset.splits.items())
            and len({len(blocks) for blocks in pairs.values()}) == 1
        )
    except (KeyError, TypeError, AttributeError):
        agrees = False
    if not agrees:
        raise InvalidDataset(f"{dataset.path}: its manifest does not match its pairs; build this part again")
    for name, split in dataset.splits.items():
        for path, shard in zip(split.shards, dataset.manifest["splits"][name]["shards"], strict=True):
            if path.stat().st_size != shard["bytes"] or file_hash(path) != shard["xxh3"]:
                raise InvalidDataset(f"{path}: damaged; build this part again")
    return _Part(dataset, info)


def _in_order(parts: Sequence[_Part]) -> list[_Part]:
    """The parts by their index. Raises UsageError unless they are all parts of one build."""
    if not parts:
        raise UsageError("name the parts to merge: the folders of `pairgen build --shard I/N`")
    first, found = parts[0], dict[int, _Part]()
    for part in parts:
        index, of = part.info["index"], part.info["of"]
        if of != first.info["of"]:
            raise UsageError(
                f"{part.dataset.path}: is one of {of} parts, but {first.dataset.path} is one of {first.info['of']}"
            )
        if part.info["conditions"] != first.info["conditions"]:
            one, other = (
                {key: value for key, value in side.dataset.manifest.items() if key not in _OWN}
                for side in (first, part)
            )
            names = ", ".join(differences(one, other)) or "options"
            raise UsageError(f"{part.dataset.path}: was built with different {names} from {first.dataset.path}")
        if index in found:
            raise UsageError(
                f"{part.dataset.path}: is part {index}/{of}, as {found[index].dataset.path} is; give each part once"
            )
        found[index] = part
    missing = [f"{index}/{first.info['of']}" for index in range(first.info["of"]) if index not in found]
    if missing:
        names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        several = len(missing) > 1
        raise UsageError(
            f"missing {'parts' if several else 'part'} {names}; build {'them' if several else 'it'} with --shard, and "
            "give all parts"
        )
    ordered = [found[index] for index in range(len(found))]
    total = sum(part.blocks for part in ordered)
    for part in ordered:
        if part.blocks != len(range(part.info["index"], total, len(ordered))):
            raise InvalidDataset(
                f"{part.dataset.path}: its blocks do not match those of the other parts; build it again"
            )
    return ordered


# ---------------------------------------------------------------- their pairs


def _pairs(parts: Sequence[_Part]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The pairs of all parts in the order in which one build writes them: block by block."""
    readers = [{name: _Reader(split) for name, split in part.dataset.splits.items()} for part in parts]
    for block in range(sum(part.blocks for part in parts)):
        number, index = divmod(block, len(parts))
        for split, pairs in parts[index].info["pairs"].items():
            for batch in readers[index][split].take(pairs[number]):
                yield split, batch


class _Reader:
    """Reads the pairs of a split a few at a time. It holds one record batch, and no open file: parts may be many."""

    def __init__(self, split: Split) -> None:
        self._batches = (batch for shard in split.shards for batch in _read(shard))
        self._rest: pa.RecordBatch | None = None

    def take(self, pairs: int) -> Iterator[pa.RecordBatch]:
        """The next ``pairs`` pairs."""
        while pairs:
            batch = self._rest if self._rest is not None else next(self._batches)
            self._rest = batch.slice(pairs) if batch.num_rows > pairs else None
            taken = batch.slice(0, pairs)
            pairs -= taken.num_rows
            yield taken


def _read(shard: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard, which is opened for each of them."""
    position, schema = 0, None
    try:
        while True:
            with pa.OSFile(str(shard), "rb") as source:
                source.seek(position)
                message = pa.ipc.read_message(source)
                position = source.tell()
            if schema is None:
                schema = pa.ipc.read_schema(message)
            else:
                yield pa.ipc.read_record_batch(message, schema)
    except EOFError:
        return
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidDataset(f"{shard}: cannot be read as pairs ({error}); build this part again") from error


def _without_numbers(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The pairs with their ids as before duplicates were numbered within a part."""
    ids = batch["pair_id"].to_pylist()
    plain = [pair_id.partition("~")[0] for pair_id in ids]
    if plain == ids:
        return batch
    return batch.set_column(batch.schema.get_field_index("pair_id"), batch.schema.field("pair_id"), pa.array(plain))


# ---------------------------------------------------------------- their manifest


def _tally(parts: Sequence[_Part]) -> Tally:
    tally = Tally({name: SplitTally() for name in parts[0].info["pairs"]})
    for part in parts:
        for name, split in tally.splits.items():
            split.add_info(part.dataset.manifest["splits"][name])
    return tally


def _manifest(parts: Sequence[_Part], out: str) -> Manifest:
    """The manifest of one build, without counts and statistics.

    The parts may differ in ``--on-error``, which is in the command: one that skipped rows says so.
    """
    skipped = (
        part
        for part in parts
        if any(UNREADABLE in split["drops"] for split in part.dataset.manifest["splits"].values())
    )
    manifest = next(skipped, parts[0]).dataset.manifest
    words = shlex.split(manifest["command"])
    if "--shard" in words:
        at = words.index("--shard")
        words[at : at + 2] = []
        words[words.index("--out") + 1] = published(out)
    kept = {key: value for key, value in manifest.items() if key == "command" or key not in _OWN}
    return {**kept, "command": shlex.join(words)}  # type: ignore[typeddict-item]
