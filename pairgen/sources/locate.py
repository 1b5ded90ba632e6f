"""Raw rows from wherever they are: JSON, JSONL, CSV, Parquet, Arrow folders, the hub, or the built-in sample.

This module knows formats, not datasets. A source is cut into chunks that can be read in any order by any process;
reading one yields plain dictionaries. Cutting never depends on the number of processes.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.errors import SourceError, SourceNotFound, UsageError
from pairgen.sources import formats, sample

SAMPLE_ROWS = {"train": 1000, "eval": 200}


class Chunk(NamedTuple):
    """A piece of a source: ``kind`` names its reader, ``start`` and ``stop`` mean what that reader takes them to be."""

    kind: str
    path: str
    start: int
    stop: int
    size: int
    seed: int = 0


@dataclass(frozen=True)
class Source:
    """The chunks of one split, and what the manifest says of where they come from (without the hash of the files)."""

    chunks: tuple[Chunk, ...]
    about: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """The local files it is read from, in order, each once."""
        return list(dict.fromkeys(Path(chunk.path) for chunk in self.chunks if chunk.kind in formats.READERS))


class Hub(NamedTuple):
    """A dataset on the hub: its id, its configuration, and which of its splits stands for which of ours."""

    id: str
    config: str | None
    splits: dict[str, str]


def resolve(given: Iterable[str], dataset: str, hub: Hub | None, columns: frozenset[str]) -> dict[str, Source]:
    """Find what ``--source`` names: ``SPLIT=WHERE`` or ``WHERE`` (train), where WHERE is one of

    - a file: .json, .jsonl, .csv, .tsv, .parquet, .arrow, the text formats also with .gz;
    - a folder that ``save_to_disk`` wrote (one of several splits fills ours by their names);
    - ``sample``, ``sample:ROWS`` or ``sample:ROWS:SEED``;
    - a hub id ``owner/name``.

    Nothing given means the dataset's home on the hub.

    Args:
        columns: what every row must have; files that know their columns are refused early.

    Raises:
        SourceNotFound: no such file, or the hub is out of reach.
        UsageError: a split named twice, an unknown split.
        WrongColumns: a needed column is missing.
    """
    given = list(given)
    if not given and hub is None:
        raise UsageError(f"{dataset} is not on the Hub; give its rows with --source FILE")
    found: dict[str, Source] = {}
    for text in given or [hub.id if hub else ""]:
        split, where = _split_of(text)
        for name, source in _locate(split, where, dataset, hub, columns).items():
            if name in found:
                raise UsageError(f"--source {text}: the {name} split has a source already; name each split once")
            found[name] = source
    return {name: found[name] for name in ("train", "eval") if name in found}


def _split_of(text: str) -> tuple[str | None, str]:
    name, equals, rest = text.partition("=")
    if equals and name in ("train", "eval"):
        return name, rest
    if equals and not Path(text).expanduser().exists():
        raise UsageError(f"--source {text}: no split is called {name!r}; write train=FILE or eval=FILE")
    return None, text


def _locate(split: str | None, where: str, dataset: str, hub: Hub | None, columns: frozenset[str]) -> dict[str, Source]:
    if where == "sample" or where.startswith("sample:"):
        wanted = [split] if split else list(hub.splits) if hub else ["train"]
        return {name: _sample(where, dataset, name) for name in wanted}
    path = Path(where).expanduser()
    if path.is_dir():
        return _folder(split, path, columns)
    if path.exists():
        return {split or "train": _file(path, columns)}
    if _looks_like_hub_id(where):
        splits = hub.splits if hub else {"train": "train"}
        home = hub if hub and where == hub.id else Hub(where, None, splits)
        theirs = {split: home.splits.get(split, split)} if split else home.splits
        return {name: _hub(home, their, columns) for name, their in theirs.items()}
    raise SourceNotFound(
        f"{where}: no such file; give a .json, .jsonl, .csv, .parquet file, an Arrow folder, a hub id, or `sample`"
    )


def _looks_like_hub_id(where: str) -> bool:
    owner, slash, name = where.partition("/")
    known = any(name.lower().endswith(ending) for ending in formats.ENDINGS)
    return bool(slash and owner.strip(".~") and name and "/" not in name and not known)


def _sample(where: str, dataset: str, split: str) -> Source:
    _, *numbers = where.split(":")
    if dataset not in sample.DATASETS or len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise UsageError(f"--source {where}: write sample, sample:ROWS or sample:ROWS:SEED")
    rows = int(numbers[0]) if numbers else SAMPLE_ROWS[split]
    seed = int(numbers[1]) if len(numbers) > 1 else 0
    if rows == 0:
        raise SourceError(f"--source {where}: no row asked for")
    step = 5000
    path = f"{dataset}/{split}"
    cuts = [(start, min(start + step, rows)) for start in range(0, rows, step)]
    chunks = tuple(Chunk("sample", path, start, stop, (stop - start) * 1000, seed) for start, stop in cuts)
    return Source(chunks, {"sample": rows, "seed": seed})


def _file(path: Path, columns: frozenset[str]) -> Source:
    try:
        kind = formats.kind_of(path)
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: is empty; give a file with rows")
        cuts = formats.CUTTERS[kind](path, columns)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    chunks = tuple(Chunk(kind, str(path), *cut) for cut in cuts)
    return Source(chunks, {"files": [path.name]})


def _folder(split: str | None, path: Path, columns: frozenset[str]) -> dict[str, Source]:
    """A ``save_to_disk`` folder: of one dataset, or of a dictionary of them."""
    if (path / "state.json").is_file():
        return {split or "train": _arrow_files(formats.shards(path), path.name, columns)}
    parts = {part.name: part for part in sorted(path.iterdir()) if (part / "state.json").is_file()}
    if not parts:
        raise SourceNotFound(f"{path}: is a folder without state.json; give a file, or a folder save_to_disk wrote")
    if split and split not in parts and len(parts) > 1:
        raise SourceNotFound(f"{path}: has no split {split!r}, only {', '.join(parts)}")
    ours = {"train": ("train",), "eval": ("eval", "validation", "test")}
    chosen = {}
    for name in [split] if split else list(ours):
        theirs = next((parts[their] for their in (*ours[name], name) if their in parts), None)
        if theirs is not None:
            chosen[name] = _arrow_files(formats.shards(theirs), f"{path.name}/{theirs.name}", columns)
    if not chosen:
        raise SourceNotFound(
            f"{path}: its splits are {', '.join(parts)}; none of them is train, eval, validation or test"
        )
    return chosen


def _arrow_files(files: list[Path], name: str, columns: frozenset[str]) -> Source:
    chunks = tuple(Chunk("arrow", str(file), *cut) for file in files for cut in formats.CUTTERS["arrow"](file, columns))
    return Source(chunks, {"files": [f"{name}/{file.name}" for file in files]})


def _hub(hub: Hub, split: str, columns: frozenset[str]) -> Source:
    """Rows of the hub, through the client's own cache. Nothing but data is fetched: no code of a repository is run."""
    import datasets
    from huggingface_hub.utils import logging as hub_logging

    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)  # one sentence of ours instead of a dozen about retries
    try:
        loaded = datasets.load_dataset(hub.id, hub.config, split=split)
    except Exception as error:  # the client raises a dozen kinds, from OSError to its own
        raise SourceNotFound(
            f"{hub.id}: cannot be had from the hub ({type(error).__name__}: {_first_line(error)}); "
            "give the rows with --source FILE, or try --source sample"
        ) from error
    finally:
        hub_logging.set_verbosity(before)
    source = _arrow_files([Path(file["filename"]) for file in loaded.cache_files], hub.id, columns)
    about = {"hub": hub.id, "config": hub.config, "split": split, "fingerprint": loaded._fingerprint}
    return Source(source.chunks, about)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else "")[:200].rstrip(". ")


def rows(
    chunk: Chunk, columns: frozenset[str], optional: frozenset[str], skipped: list[str] | None
) -> Iterator[dict[str, Any]]:
    """The rows of one chunk, in order.

    Args:
        columns: what every row must have.
        optional: further columns worth reading.
        skipped: takes one sentence for each row that could not be read; None raises the first of them.

    Raises:
        InvalidRow: a row that no parser accepts, or without a needed column, and ``skipped`` is None.
        SourceError: the file ends too early, or cannot be read.
    """
    if chunk.kind == "sample":
        dataset, split = chunk.path.split("/")
        return (sample.row(dataset, split, index, chunk.seed) for index in range(chunk.start, chunk.stop))
    return formats.read(chunk.kind, Path(chunk.path), chunk.start, chunk.stop, columns, optional, skipped)


def file_hashes(source: Source) -> dict[str, Any]:
    """``about``, with the SHA-256 of every local file (in order) added."""
    if "files" not in source.about:
        return source.about
    return {**source.about, "sha256": [_sha256(file) for file in source.files]}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = ["Chunk", "Hub", "Source", "file_hashes", "resolve", "rows"]
