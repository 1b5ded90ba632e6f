"""The functions of this package for notebooks and scripts: paths or datasets in, datasets out, options by name."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pairgen.building.options import BuildOptions
from pairgen.exchange.curation.curation_options import DedupOptions, MixOptions, OverlapOptions
from pairgen.exchange.exports.export_options import Exported, ExportOptions
from pairgen.options import from_mapping, with_signature
from pairgen.pairs.dataset import PairDataset, opened
from pairgen.progress import Progress, ignore
from pairgen.sources.columns import columns_text

if TYPE_CHECKING:
    from pairgen.exchange.curation.decontaminate import Contamination
    from pairgen.exchange.curation.deduplicate import Duplicates

AnyPath = str | os.PathLike[str]
AnyDataset = PairDataset | AnyPath

BUILD_ONLY = (
    *("source", "corruption", "error", "carry", "pairs_per_row", "false_steps", "on_unchecked"),
    *("prompt_style", "shots", "shots_per_row", "engine", "address", "ray_blocks"),
)
"""Options of a build that do not apply to existing prompts and completions."""


@with_signature(BuildOptions, without=BUILD_ONLY)
def import_pairs(
    source: AnyPath | Iterable[AnyPath],
    out: AnyPath,
    *,
    layout: str | None = None,
    columns: str | Mapping[str, str] | None = None,
    sft: bool = False,
    **options: Any,
) -> PairDataset:
    """Write existing preference data as a pair dataset and open it, as ``pairgen import`` and ``sft-data`` do.

    >>> rows = '{"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}'
    >>> _ = open("preferences.jsonl", "w").write(rows)
    >>> imported = pairgen.import_pairs("preferences.jsonl", "imported", license="cc-by-4.0")
    >>> imported["train"][0]["chosen"]
    ' blue.'

    Args:
        source: files, a folder or a dataset on the Hub; ``["a.jsonl", "eval=b.jsonl"]`` for several.
        layout: a name that ``pairgen import --help`` lists. Default: recognized from the columns.
        columns: source columns by role instead, ``"prompt=question,chosen=good,rejected=bad"``, or a dictionary.
        sft: read prompts with completions to imitate.
        options: those of ``BuildOptions`` that apply, and ``overwrite`` and ``progress`` as in ``build``.

    Raises:
        UsageError: no layout fits or several do, an unknown name, or options that conflict.
        SourceError: rows are unavailable or unreadable.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind.
    """
    from pairgen.exchange.imports import importing

    how = {name: options.pop(name) for name in ("overwrite", "progress") if name in options}
    sources = [source] if isinstance(source, (str, os.PathLike)) else source
    options |= {"source": [os.fspath(path) for path in sources], "columns": columns_text(columns)}
    given = from_mapping(BuildOptions, options, "import_pairs")
    importer = importing.find_importer(given, layout, sft=sft)
    return importing.import_pairs(importer, out, given, warn=warnings.warn, **how)


@with_signature(ExportOptions)
def export(
    dataset: AnyDataset, out: AnyPath, *, overwrite: bool = False, progress: Progress = ignore, **options: Any
) -> dict[str, Exported]:
    """Write a dataset for another trainer, as ``pairgen export`` does; see ``ExportOptions`` and ``TARGETS``.

    >>> pairgen.export(imported, "for-kto", to="kto")["train"].files
    ['train-00000-of-00001.jsonl']

    Returns:
        The counts and files of each split.

    Raises:
        UsageError: unknown options, or the target needs corrupted steps and there are none.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind.
    """
    from pairgen.exchange.exports import exporting

    given = from_mapping(ExportOptions, options, "export")
    return exporting.export(opened(dataset), out, given, overwrite=overwrite, progress=progress)


@with_signature(MixOptions)
def mix(
    datasets: Sequence[AnyDataset],
    out: AnyPath,
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
    **options: Any,
) -> PairDataset:
    """Write pairs of several datasets as one, as ``pairgen mix`` does.

    >>> pairgen.mix([imported, "arc-pairs"], "mixed", seed=1)
    PairDataset('mixed': train 1,491 pairs, eval 1,489 pairs)

    Raises:
        UsageError: fewer than two datasets, or options that do not fit.
        OutputError: ``out`` already exists or cannot be written.
    """
    from pairgen.exchange.curation import mixing

    given = from_mapping(MixOptions, options, "mix")
    return mixing.mix([opened(one) for one in datasets], out, given, overwrite=overwrite, progress=progress)


@with_signature(DedupOptions)
def dedup(
    dataset: AnyDataset, out: AnyPath, *, overwrite: bool = False, progress: Progress = ignore, **options: Any
) -> "tuple[PairDataset, Duplicates]":
    """Write a dataset without duplicates, as ``pairgen dedup`` does, and return it with what was found.

    >>> unique, found = pairgen.dedup("arc-pairs", "unique", exact=True)

    Raises:
        UsageError: options that do not fit, or nothing is left.
        OutputError: ``out`` already exists or cannot be written.
    """
    from pairgen.exchange.curation import deduplicate

    given = from_mapping(DedupOptions, options, "dedup")
    return deduplicate.dedup(opened(dataset), out, given, overwrite=overwrite, progress=progress)


@with_signature(OverlapOptions)
def decontaminate(
    dataset: AnyDataset,
    out: AnyPath,
    against: str,
    *,
    column: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> "tuple[PairDataset, Contamination]":
    """Write a dataset without the pairs that overlap with an evaluation set, and return it with what was found.

    >>> clean, found = pairgen.decontaminate("arc-pairs", "clean", "preferences.jsonl")
    >>> found.total
    0

    Args:
        against: ``"gsm8k"``, ``"arc"``, ``"hellaswag"``, a file, a folder or a dataset on the Hub.
        column: the column of its questions. Default: detected.

    Raises:
        UsageError: options that do not fit, or nothing is left.
        SourceError: the evaluation set is unavailable or unreadable.
        OutputError: ``out`` already exists or cannot be written.
    """
    from pairgen.exchange.curation import decontaminate as search
    from pairgen.exchange.curation.evaluation_sets import read_evaluation_set

    given = from_mapping(OverlapOptions, options, "decontaminate")
    questions = read_evaluation_set(against, column, warnings.warn)
    return search.decontaminate(opened(dataset), out, questions, given, overwrite=overwrite)
