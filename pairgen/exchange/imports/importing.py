"""``import`` and ``sft-data``: existing data as pair datasets, by the steps of a build.

A layout is turned into a builder, so that rows are read, checked, counted and written as in ``pairgen build``.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders import Builder
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import UsageError
from pairgen.exchange.imports import detection
from pairgen.exchange.imports.layout_table import LAYOUTS, Layout
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.edits import Edit, span
from pairgen.pairs.record import DropRow, Rejection
from pairgen.progress import Progress, Warn, ignore
from pairgen.sources.formats import Block, Columns, Records
from pairgen.sources.formats.record import grouped
from pairgen.sources.locate import Hub, resolve
from pairgen.sources.origin import Source, SourcePart

MAX_SOURCE = 200
"""Characters of a row's own ``source`` or ``dataset`` that are kept as the source of its pair."""

PEEKED_ROWS = 100
"""Rows that are looked at to recognize a layout."""

HUBS = {
    hub.id: hub
    for hub in (
        Hub("HuggingFaceH4/ultrafeedback_binarized", None, {"train": "train_prefs", "eval": "test_prefs"}),
        Hub("allenai/ultrafeedback_binarized_cleaned", None, {"train": "train_prefs", "eval": "test_prefs"}),
        Hub("Anthropic/hh-rlhf", None, {"train": "train", "eval": "test"}),
    )
}
"""Datasets on the Hub with several splits."""


class Importer(NamedTuple):
    """How a source will be read: the name of its layout, and the builder that reads it."""

    layout: str
    builder: Builder


def find_importer(options: BuildOptions, layout: str | None = None, *, sft: bool = False) -> Importer:
    """Recognize the layout of the sources, and make a builder of it.

    Args:
        options: their ``columns`` say which column is which, instead of a layout.
        layout: a name in ``LAYOUTS``; None to recognize it from the first rows.
        sft: read data for supervised fine-tuning, without rejected completions.

    Raises:
        UsageError: no source, no layout fits or several do, the splits have different layouts, or an unknown name.
        SourceError: rows are unavailable or unreadable.
    """
    if not options.source:
        raise UsageError("name the data to import: a file, a folder or a dataset on the Hub")
    if layout and options.columns:
        raise UsageError("--layout and --columns exclude each other")
    known = detection.layouts(sft)
    if layout and layout not in known:
        raise UsageError(f"--layout {layout}: unknown; available: {', '.join(known)}")
    if options.columns:
        return Importer("columns", _builder("columns", detection.by_columns(options.columns, sft), options, {}))
    name = layout or _detect(options, sft)
    return Importer(name, _builder(name, LAYOUTS[name], options, {"layout": name}))


def import_pairs(
    importer: Importer,
    out: str | os.PathLike[str],
    options: BuildOptions,
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
    warn: Warn = ignore,
) -> PairDataset:
    """Write the rows of existing data as a pair dataset; see ``building.pipeline.build`` for errors."""
    return build(importer.builder, out, options, overwrite=overwrite, progress=progress, warn=warn)


def _detect(options: BuildOptions, sft: bool) -> str:
    found = {}
    hub = HUBS.get(options.source[0])
    for split, source in resolve(options.source, "import", hub, Columns(frozenset(), None)).items():
        records = (row for _, block in source.blocks(1 << 16) for _, row in block.rows() if isinstance(row, dict))
        where = ", ".join(map(str, source.files)) or options.source[0]
        found[split] = detection.detect(islice(records, PEEKED_ROWS), sft, where)
    if len(set(found.values())) > 1:
        each = " and ".join(f"{split} is {name}" for split, name in found.items())
        raise UsageError(f"the splits have different layouts: {each}; import them one by one, or choose --layout")
    return next(iter(found.values()))


def _builder(name: str, layout: Layout, options: BuildOptions, recorded: Mapping[str, str]) -> Builder:
    """The builder that reads a layout. What workers run is found by name; only a layout by columns is passed on."""
    by_name = name if name in LAYOUTS else layout
    files = [Path(source.partition("=")[2] or source).name for source in options.source]
    return Builder(
        name="sft-data" if layout.sft else "import",
        title=f"{'Prompts and completions' if layout.sft else 'Preference pairs'} from {', '.join(files)}",
        description=_DESCRIPTIONS[layout.sft].format(layout.summary),
        summary=layout.summary,
        columns=frozenset(layout.columns),
        read=partial(_read, by_name),
        reject=_reject,
        hub=HUBS.get(options.source[0]),
        is_import=True,
        arrange=partial(_arrange, by_name) if layout.expand or layout.joins else None,
        recorded=recorded,
        sft=layout.sft,
    )


_DESCRIPTIONS = {
    False: "Existing preference data, imported as pairs: {}. Nothing was corrupted, and nothing is verified.",
    True: "Prompts with completions to imitate, for supervised fine-tuning: {}. Rejected is empty in every row.",
}


# ---------------------------------------------------------------- rows


def _layout(by_name: str | Layout) -> Layout:
    return LAYOUTS[by_name] if isinstance(by_name, str) else by_name


def _read(by_name: str | Layout, row: Mapping[str, Any]) -> Example:
    """An imported row as an example. Raises DropRow."""
    layout = _layout(by_name)
    found = layout.read(layout.renamed(row))
    if not found.chosen.strip():
        raise DropRow("chosen is empty")
    rejected = [text for text in dict.fromkeys(found.rejected) if text != found.chosen]
    if not rejected and not layout.sft:
        raise DropRow("chosen and rejected are the same")
    if not all(text.strip() for text in rejected):
        raise DropRow("rejected is empty")
    origin = row.get("source") or row.get("dataset")
    if type(origin) is not str or len(origin) > MAX_SOURCE:
        origin = by_name if isinstance(by_name, str) else "columns"
    return Example(
        question=found.prompt,
        answer=found.chosen,
        source=origin,
        key=json.dumps([found.prompt, found.messages, found.chosen, rejected]),
        question_group=found.prompt,
        row=row,
        detail=rejected,
        messages=found.messages,
    )


def _reject(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """The rejected completions of the source; an empty one for supervised fine-tuning."""
    del rng, options
    if not example.detail:
        return [Rejection("", Edit(0, len(example.answer), 0))]
    return [Rejection(text, span(example.answer, text)) for text in example.detail]


# ---------------------------------------------------------------- rows that stand for several, or for a part


@dataclass(frozen=True)
class _Arranged(Source):
    """A source whose rows are expanded or joined as a layout says."""

    layout: str | Layout = ""

    def blocks(self, block_bytes: int = 1 << 20) -> Iterator[tuple[str, Block]]:
        layout = _layout(self.layout)
        if not layout.joins:
            for file, block in super().blocks(block_bytes):
                yield file, block._replace(data=(self.layout, block), parse=_expanded)
            return
        for file, rows in groupby(_joined(layout, super().blocks(block_bytes)), key=lambda row: row[0]):
            records = ((number, row) for _, number, row in rows)
            for block in grouped(records, lambda: self.size, block_bytes):
                yield file, block

    def parts(self, part_bytes: int) -> Iterator[SourcePart]:
        """One part: rows that are joined may be anywhere."""
        del part_bytes
        yield self.blocks


def _arrange(by_name: str | Layout, source: Source) -> Source:
    columns, names = source.columns, source.names
    return _Arranged(columns, source.provenance, source.files, source.sample, source.limit, names, by_name)


def _expanded(data: tuple[str | Layout, Block], first: int) -> Records:
    """The rows that the rows of a block stand for, under the numbers of these."""
    by_name, block = data
    layout = _layout(by_name)
    assert layout.expand is not None  # checked by _builder
    for number, row in block._replace(first=first).rows():
        if isinstance(row, dict):
            yield from ((number, dict(part)) for part in layout.expand(layout.renamed(row)))
        else:
            yield number, row


def _joined(layout: Layout, blocks: Iterable[tuple[str, Block]]) -> list[tuple[str, int, Any]]:
    """Rows of one completion each as rows of all completions of a prompt, in the order of their first ones.

    Each has the file and number of its first row. Rows that cannot be read stay as they are. All rows are in memory.
    """
    joined: dict[str, tuple[str, int, Any]] = {}
    for file, block in blocks:
        for number, row in block.rows():
            if not isinstance(row, dict) or not layout.columns.keys() <= row.keys():
                joined[f"{file}\0{number}"] = (file, number, row)
                continue
            key = json.dumps([row["prompt"], row.get("group_id")], default=str)
            _, _, first = joined.setdefault(key, (file, number, {**row, "completions": [], "scores": []}))
            first["completions"].append(row["completion"])
            first["scores"].append(int(row["label"] in (1, "1", "True", "true")))
    return list(joined.values())
