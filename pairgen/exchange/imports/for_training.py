"""Data in other layouts as what a training run reads: which of its datasets have to be imported first, and how.

``pairgen train preferences.jsonl`` imports the file as ``pairgen import`` does, into the folder of the run.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pairgen.building.options import BuildOptions
from pairgen.errors import PairgenError, SourceNotFound, UsageError, count
from pairgen.exchange.imports.importing import Importer, find_importer, import_pairs
from pairgen.pairs.dataset import MANIFEST, PairDataset
from pairgen.progress import Progress, Warn, ignore
from pairgen.sources.formats import FORMATS

SPLIT = re.compile(r"(?<![a-z])(train|eval|test|valid|validation|dev)(?![a-z])", re.IGNORECASE)
"""The name of a split in the name of a file; those other than ``train`` are evaluated on."""


class Callbacks(NamedTuple):
    """What an import reports to."""

    progress: Progress = ignore
    warn: Warn = ignore
    tell: Callable[[str], None] = ignore
    """Called with one line for each import: what was recognized, pairs and dropped rows."""


class Planned(NamedTuple):
    """The datasets of a run."""

    data: list[str]
    """Folders of pair datasets, and names of those that have to be imported first."""
    imports: Mapping[str, Callable[[Path], object]]
    """What writes each of these to a folder."""


def plan(data: Sequence[str], *, sft: bool, callbacks: Callbacks = Callbacks()) -> Planned:
    """Plan the datasets of a run: pair datasets stay as they are, and anything else is imported.

    Args:
        data: pair datasets; or files of rows, folders of them, ``save_to_disk`` folders and datasets on the Hub, in a
            layout that ``pairgen import`` recognizes. ``eval=SOURCE`` is the eval split of the source before it.
        sft: prompts with completions to imitate are accepted too.

    Raises:
        UsageError: ``eval=SOURCE`` without a source before it. Whatever else is wrong is found by the imports.
    """
    found: list[str] = []
    imports: dict[str, Callable[[Path], object]] = {}
    for name, sources in _units(data):
        if name is None:
            found += sources
            continue
        number = 1
        while (unique := name if number == 1 else f"{name}-{number}") in (*found, *data):
            number += 1
        found.append(unique)
        imports[unique] = partial(_write, tuple(sources), sft, callbacks)
    return Planned(found, imports)


def _units(data: Sequence[str]) -> Iterator[tuple[str | None, list[str]]]:
    """The sources of each dataset, with a name for it; None for a pair dataset."""
    units: list[tuple[str | None, list[str]]] = []
    for text in data:
        path = Path(text).expanduser()
        if text.startswith("eval=") and not path.exists():
            if not units or units[-1][0] is None:
                raise UsageError(f"{text}: is the eval split of the source before it, and there is none")
            units[-1][1].append(text)
        elif text.startswith("train=") and not path.exists():
            units.append((_stem(Path(text.removeprefix("train="))), [text]))
        elif _is_hub_id(text) or path.is_file():
            units.append((_stem(path), [text]))
        elif path.is_dir() and not (path / MANIFEST).is_file():
            units += (
                [(_stem(path), [text])]
                if [*path.glob("state.json"), *path.glob("*/state.json")]
                else _of_folder(path) or [(None, [text])]
            )
        else:
            units.append((None, [text]))
    return iter(units)


def _of_folder(folder: Path) -> list[tuple[str | None, list[str]]]:
    """The datasets of a folder of files: those whose names differ only in the split and in numbers are one dataset."""
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if _is_rows(file)
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and not any((above / MANIFEST).is_file() for above in file.parents if above.is_relative_to(folder))
    ]
    units: dict[str, list[str]] = {}
    for file in files:
        split = SPLIT.search(file.name)
        key = re.sub(r"[\d_-]+(of[\d_-]+)?", "", SPLIT.sub("", file.name))
        is_eval = split is not None and split[1].lower() != "train"
        units.setdefault(key, []).append(f"{'eval' if is_eval else 'train'}={file}")
    several = len(units) > 1
    return [(_stem(Path(sources[0])) if several else folder.resolve().name, sources) for sources in units.values()]


def _is_rows(file: Path) -> bool:
    """Whether a file has rows: descriptions of datasets and models are JSON, too."""
    name = file.name.lower().removesuffix(".gz")
    described = name.endswith(("_info.json", "_infos.json", "config.json", "index.json"))
    return file.is_file() and any(name.endswith(ending) for ending in FORMATS) and not described


def _is_hub_id(text: str) -> bool:
    """Whether a text is ``owner/name``, and neither a path nor below a folder that exists."""
    owner, slash, name = text.partition("/")
    is_name = bool(re.fullmatch(r"[\w.-]+", owner) and re.fullmatch(r"[\w.-]+", name))
    has_extension = any(name.lower().endswith(ending) for ending in FORMATS)
    return bool(slash) and is_name and owner.strip(".") != "" and not Path(owner).exists() and not has_extension


def _stem(path: Path) -> str:
    """The name of a dataset: that of its file without endings."""
    name = path.name.lower().removesuffix(".gz")
    ending = next((ending for ending in FORMATS if name.endswith(ending)), "")
    return path.name[: len(name) - len(ending)] if ending else path.name


def _write(sources: tuple[str, ...], sft: bool, callbacks: Callbacks, folder: Path) -> PairDataset:
    """Import sources as a pair dataset, and tell what was recognized.

    Raises:
        UsageError: no layout fits, or several do.
        SourceError: rows are unavailable or unreadable.
    """
    options = BuildOptions(source=sources)
    importer = _importer(options, sft)
    dataset = import_pairs(importer, folder, options, progress=callbacks.progress, warn=callbacks.warn)
    callbacks.tell(_summary(sources, importer, dataset))
    return dataset


def _importer(options: BuildOptions, sft: bool) -> Importer:
    try:
        return find_importer(options)
    except UsageError as error:
        if sft:
            try:
                return find_importer(options, sft=True)
            except PairgenError:
                pass
        if "--columns" not in str(error):
            raise
        raise UsageError(
            f"{error}: `pairgen import` has these options, and `pairgen train` takes the dataset that it writes"
        ) from None
    except SourceNotFound as error:
        if not _is_hub_id(options.source[0]):
            raise
        reason = str(error).partition("; ")[0].removeprefix(f"{options.source[0]}: ")
        raise SourceNotFound(f"{options.source[0]}: no such file or folder, and it {reason}") from None


def _summary(sources: Sequence[str], importer: Importer, dataset: PairDataset) -> str:
    """One line: what was recognized, the pairs of each split, and the dropped rows by reason."""
    files = [source.partition("=")[2] or source for source in sources]
    where = files[0] + (f" and {count(len(files) - 1, 'other file')}" if len(files) > 1 else "")
    pairs = " and ".join(f"{count(split.pairs, 'pair')} ({name})" for name, split in dataset.splits.items())
    drops: Counter[str] = Counter()
    for split in dataset.manifest["splits"].values():
        drops.update(split.get("drops") or {})
    dropped = "".join(f"; dropped {count(number, 'row')}: {reason}" for reason, number in drops.most_common())
    return f"{where}: layout {importer.layout} ({importer.builder.summary}), {pairs}{dropped}"
