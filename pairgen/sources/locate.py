"""Source rows by what ``--source`` names: files, ``save_to_disk`` folders, the Hub, or the built-in sample.

This module knows formats, not datasets: reading a source yields plain dictionaries.
"""

import atexit
import glob
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache, reduce
from pathlib import Path
from typing import NamedTuple

from pairgen.errors import SourceError, SourceNotFound, UsageError, in_short
from pairgen.hub_client import offline_if_unreachable
from pairgen.sources import formats, sample
from pairgen.sources.formats import Columns
from pairgen.sources.origin import Sample, Source
from pairgen.sources.urls import AnyFile, UrlFile, find_files, is_url, without_secrets

SAMPLE_ROWS = {"train": 1000, "eval": 200}


class Hub(NamedTuple):
    """A dataset on the Hub: its id, its configuration, and its split for each of ours."""

    id: str
    config: str | None
    splits: dict[str, str]


def resolve(names: Iterable[str], dataset: str, hub: Hub | None, columns: Columns) -> dict[str, Source]:
    """Find what ``--source`` names: ``SPLIT=SOURCE`` or ``SOURCE`` (train), where SOURCE is one of

    - a file: .json, .jsonl, .csv, .tsv, .parquet, .arrow; text files also compressed, as .gz;
    - a pattern of files, ``'part-*.jsonl'``, or ``-``: JSON or JSON Lines on stdin;
    - a URL of a file or a pattern, ``s3://bucket/part-*.jsonl``, of any protocol that fsspec knows;
    - a folder that ``save_to_disk`` wrote (of several splits, those are used whose names match ours);
    - ``sample``, ``sample:ROWS`` or ``sample:ROWS:SEED``; with the name of another dataset, ``sample:NAME:ROWS``;
    - a Hub dataset ``owner/name``.

    Several files of a split are read one after another. No name means the dataset's own id on the Hub.

    Raises:
        SourceNotFound: no such file, or the Hub cannot be reached.
        UsageError: an unknown split, a file named twice, or files combined with other sources.
        WrongColumns: a required column is missing from a file that lists its columns.
        SourceError: a file that is empty or cannot be read.
    """
    names = list(names)
    if not names and hub is None:
        raise UsageError(f"{dataset} is not on the Hub; give its rows with --source FILE")
    found: dict[str, Source] = {}
    for text in names or [hub.id if hub else ""]:
        split, where = _split_of(text)
        for name, source in _locate(split, where, dataset, hub, columns).items():
            found[name] = (
                _combined(found[name], source, f"--source {without_secrets(text)}") if name in found else source
            )
    both = [file for file in found["train"].files if file in found["eval"].files] if len(found) == 2 else []
    if both:
        raise UsageError(f"--source: {both[0]} is the source of both splits; hold rows out of it with --eval-size")
    return {name: found[name] for name in ("train", "eval") if name in found}


def _split_of(text: str) -> tuple[str | None, str]:
    name, equals, rest = text.partition("=")
    if equals and name in ("train", "eval"):
        return name, rest
    if equals and not is_url(text) and not Path(text).expanduser().exists():
        raise UsageError(f"--source {without_secrets(text)}: there is no split {name!r}; write train=FILE or eval=FILE")
    return None, text


def _locate(split: str | None, where: str, dataset: str, hub: Hub | None, columns: Columns) -> dict[str, Source]:
    if where == "sample" or where.startswith("sample:"):
        return {
            name: _sample(where, dataset, name, columns)
            for name in ([split] if split else hub.splits if hub else ["train"])
        }
    if where == "-":
        return {split or "train": _file(_stdin(), columns, "stdin")}
    if is_url(where):
        return {split or "train": _all_of(find_files(where), without_secrets(where), columns)}
    path = Path(where).expanduser()
    if not path.exists() and any(character in where for character in "*?["):
        return {split or "train": _pattern(path, where, columns)}
    if path.is_dir():
        return _folder(split, path, columns)
    if path.exists():
        return {split or "train": _file(path, columns)}
    if _looks_like_hub_id(where):
        home = hub if hub and where == hub.id else Hub(where, None, hub.splits if hub else {"train": "train"})
        theirs = {split: home.splits.get(split, split)} if split else home.splits
        return {name: _hub(home, their, columns) for name, their in theirs.items()}
    raise SourceNotFound(
        f"{where}: no such file; give a file ({', '.join(formats.FORMATS)}), a save_to_disk folder, a Hub dataset, "
        "or `sample`"
    )


def _looks_like_hub_id(where: str) -> bool:
    owner, slash, name = where.partition("/")
    has_extension = any(name.lower().endswith(ending) for ending in formats.FORMATS)
    return bool(slash and owner.strip(".~") and name and "/" not in name and not has_extension)


def _sample(where: str, dataset: str, split: str, columns: Columns) -> Source:
    _, *numbers = where.split(":")
    known = (*sample.DATASETS, *sample.CONVERSATIONS)
    if numbers and numbers[0] in known:
        dataset, *numbers = numbers
    elif dataset not in known:
        names = ", ".join(known)
        raise UsageError(f"--source {where}: no built-in sample for {dataset}; give sample:NAME, of {names}, or a file")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise UsageError(f"--source {where}: invalid sample; expected sample, sample:ROWS or sample:ROWS:SEED")
    rows = int(numbers[0]) if numbers else SAMPLE_ROWS[split]
    seed = int(numbers[1]) if len(numbers) > 1 else 0
    if rows == 0:
        raise SourceError(f"--source {where}: the number of rows must be at least 1")
    return Source(columns, {"sample": rows, "seed": seed}, sample=Sample(dataset, split, rows, seed))


def _combined(first: Source, second: Source, where: str) -> Source:
    """The rows of two sources, if both are files."""
    if not (first.provenance.keys() == second.provenance.keys() == {"files"}):
        raise UsageError(f"{where}: only files can be combined in one split, not the Hub or the built-in sample")
    repeated = next((file for file in second.files if file in first.files), None)
    if repeated:
        raise UsageError(f"{where}: {repeated} is named twice")
    names = [*first.provenance["files"], *second.provenance["files"]]
    return Source(first.columns, {"files": names}, (*first.files, *second.files))


def _pattern(path: Path, where: str, columns: Columns) -> Source:
    """The files that match a pattern, in the order of their names."""
    files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - also for absolute patterns
    if not files:
        raise SourceNotFound(f"{where}: no file matches this pattern")
    return _all_of(files, where, columns)


def _all_of(files: Sequence[AnyFile], where: str, columns: Columns) -> Source:
    """The rows of files, one after another."""
    sources = [_file(file, columns) for file in files]
    return reduce(lambda first, second: _combined(first, second, where), sources)


@cache
def _stdin() -> Path:
    """What is on stdin, as a temporary file: rows are read twice for some options."""
    folder = Path(tempfile.mkdtemp(prefix="pairgen-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with (folder / "stdin.json").open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return folder / "stdin.json"


def _file(path: AnyFile, columns: Columns, name: str | None = None) -> Source:
    formats.format_of(path)
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{name or path}: is empty; give a file with rows")
        formats.check_rows(path, columns)
        return Source(columns, {"files": [name or path.name]}, (path,))
    except FileNotFoundError as error:
        if isinstance(path, UrlFile):  # what some file systems of fsspec raise whatever the reason
            reason = "no such file, access denied, or server unreachable"
            raise SourceNotFound(f"{path}: cannot be read ({reason})") from error
        raise SourceNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error


def _folder(split: str | None, path: Path, columns: Columns) -> dict[str, Source]:
    """A ``save_to_disk`` folder: of one dataset, or of a dictionary of them."""
    if (path / "state.json").is_file():
        return {split or "train": _arrow_files(formats.shards(path), path.name, columns)}
    parts = {part.name: part for part in sorted(path.iterdir()) if (part / "state.json").is_file()}
    if not parts:
        raise SourceNotFound(
            f"{path}: not a save_to_disk folder (no state.json); give a file, or a folder that save_to_disk wrote"
        )
    if split and split not in parts and len(parts) > 1:
        raise SourceNotFound(f"{path}: has no split {split!r}; available: {', '.join(parts)}")
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


def _arrow_files(files: list[Path], name: str, columns: Columns) -> Source:
    for file in files:
        formats.check_rows(file, columns)
    return Source(columns, {"files": [f"{name}/{file.name}" for file in files]}, tuple(files))


def _hub(hub: Hub, split: str, columns: Columns) -> Source:
    """Rows of the Hub, through the cache of ``datasets``. Only data is downloaded: no code of a repository is run."""
    import datasets
    from huggingface_hub.utils import logging as hub_logging

    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)  # our error instead of a dozen messages about retries
    try:
        with offline_if_unreachable():
            loaded = datasets.load_dataset(hub.id, hub.config, split=split)
    except Exception as error:  # the client raises a dozen types, from OSError to its own
        raise SourceNotFound(
            f"{hub.id}: cannot be loaded from the Hub ({type(error).__name__}: {in_short(error, 200).rstrip('. ')}); "
            "pass a file with --source FILE, or use --source sample"
        ) from error
    finally:
        hub_logging.set_verbosity(before)
    source = _arrow_files([Path(file["filename"]) for file in loaded.cache_files], hub.id, columns)
    provenance = {"hub": hub.id, "config": hub.config, "split": split, "fingerprint": loaded._fingerprint}
    return Source(columns, provenance, source.files)
