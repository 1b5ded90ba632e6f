"""Duplicate pairs and prompts: found, counted, and left out on request."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from pairgen.building.selection import SeenKeys
from pairgen.exchange.curation.curation_options import DedupOptions
from pairgen.exchange.curation.derive import Change, Keys, Rows, command_line, keys_of, read, write_derived
from pairgen.exchange.curation.near_duplicates import NearDuplicates, library_version
from pairgen.exchange.curation.questions import COLUMNS, question_reader
from pairgen.options import arguments
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Progress, ignore

COMPARING = "comparing prompts"
WRITING = "writing pairs"

REPEATED = "repeated pair"
SIMILAR = "near-duplicate prompt"
FURTHER_ANSWER = "further answer to a question"

MAX_EXAMPLES = 3
"""Examples of each reason that a report shows."""


class Example(NamedTuple):
    """A prompt that is left out for a reason, and the similar one that stays."""

    reason: str
    prompt: str
    kept: str


@dataclass
class Duplicates:
    """What was found: pairs to leave out by split and reason, and the number of distinct prompts before and after."""

    pairs: dict[str, Counter[str]] = field(default_factory=dict)
    prompts: int = 0
    prompts_kept: int = 0
    examples: list[Example] = field(default_factory=list)
    keep: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """For each row of each split, whether it stays."""

    @property
    def total(self) -> int:
        """All pairs to leave out."""
        return sum(sum(counts.values()) for counts in self.pairs.values())

    def to_json(self) -> dict[str, Any]:
        """All of it but ``keep`` as plain values."""
        return {
            "total": self.total,
            "pairs": {split: dict(counts) for split, counts in self.pairs.items()},
            "prompts": self.prompts,
            "prompts_kept": self.prompts_kept,
            "examples": [example._asdict() for example in self.examples],
        }


def find_duplicates(
    dataset: PairDataset, options: DedupOptions = DedupOptions(), *, progress: Progress = ignore
) -> Duplicates:
    """Find the pairs that repeat others, and the prompts that nearly repeat others.

    Of pairs with the same prompt, chosen and rejected, the first stays. Prompts are compared by their questions (see
    ``question_reader``); of a cluster of similar ones, all groups of the first stay, and those of the others are left
    out, whole. Several groups of one prompt, as of a question that has several answers, are no duplicates, unless
    ``options.by`` is ``question``: then only the first group of a cluster stays.

    Held-out splits come before train: a training pair whose prompt is that of a held-out pair, or similar to it, is
    left out for a reason of its own. Otherwise the first in order stays. Memory grows by about 200 bytes per pair.

    Args:
        progress: called with pairs.

    Raises:
        UsageError: near-duplicates are asked for, and rensa is not installed.
        InvalidDataset: a damaged file.
    """
    with contextlib.ExitStack() as stack:
        texts = None if options.exact else stack.enter_context(NearDuplicates(options.threshold))
        scan = _Scan.of(dataset, texts, progress)
        clusters = np.arange(len(scan.first_row)) if texts is None else texts.clusters()
    reasons, names = _reasons(scan, clusters, options)
    found = Duplicates(prompts=len(clusters), prompts_kept=len(np.unique(scan.prompt[reasons == 0])))
    for split, start, stop in scan.splits:
        found.keep[split] = reasons[start:stop] == 0
        counts = np.bincount(reasons[start:stop], minlength=len(names))
        found.pairs[split] = Counter({name: int(n) for name, n in zip(names[1:], counts[1:], strict=True) if n})
    found.examples = list(_examples(dataset, scan, clusters, reasons, names))
    return found


def dedup(
    dataset: PairDataset,
    out: str | os.PathLike[str],
    options: DedupOptions = DedupOptions(),
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> tuple[PairDataset, Duplicates]:
    """Write a dataset without its duplicates; see ``find_duplicates``.

    Raises:
        UsageError: rensa is not installed, or no pair would be left to train on.
        InvalidDataset: a damaged file.
        OutputError: ``out`` already exists or cannot be written.
    """
    found = find_duplicates(dataset, options, progress=progress)
    details = {} if options.exact else {"rensa": library_version()}
    change = Change(command_line("dedup", [dataset], out, *arguments(options)), found.pairs, details)

    def rows() -> Rows:
        done = Counter[str]()
        for split, batch in read(dataset, WRITING, progress):
            kept = found.keep[split][done[split] : done[split] + batch.num_rows]
            done[split] += batch.num_rows
            yield split, batch.filter(pa.array(kept))

    return write_derived(out, [dataset], rows(), change, overwrite), found


class _Scan(NamedTuple):
    """All rows, held-out splits first: keys of pair and group, the number of the prompt, and the splits' rows.

    Prompts are numbered in the order in which they first occur, in ``first_row``.
    """

    pair: Keys
    group: Keys
    prompt: NDArray[np.int64]
    first_row: NDArray[np.int64]
    splits: list[tuple[str, int, int]]

    @classmethod
    def of(cls, dataset: PairDataset, texts: NearDuplicates | None, progress: Progress) -> "_Scan":
        """Read all rows, and add each distinct prompt to ``texts``."""
        question_of = question_reader(dataset.manifest)
        parts: list[list[Keys]] = [[np.empty(0, np.uint64)] for _ in range(3)]
        sizes: Counter[str] = Counter()
        seen = SeenKeys()
        for split, batch in read(dataset, COMPARING, progress, [*COLUMNS, "chosen", "rejected", "group_id"], True):
            questions = question_of(batch)
            keys = keys_of(questions)
            for part, found in zip(parts, (_pair_keys(batch), keys_of(batch["group_id"]), keys), strict=True):
                part.append(found)
            sizes[split] += batch.num_rows
            before = seen.count_and_add(keys)
            if texts is not None:
                new = np.flatnonzero(before == 0) if before is not None else np.arange(len(keys))
                texts.add(questions.take(pa.array(new)), keys[new])
        pair, group, prompt = (np.concatenate(parts.pop(0)) for _ in range(3))
        distinct, first, number = np.unique(prompt, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(distinct), np.int64)
        rank[order] = np.arange(len(distinct))
        ends = np.cumsum(list(sizes.values())).tolist()
        splits = [(name, end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)]
        return cls(pair, group, rank[number], first[order], splits)

    def split_of_rows(self) -> NDArray[np.int64]:
        """The number of the split of each row."""
        return np.repeat(np.arange(len(self.splits)), [stop - start for _, start, stop in self.splits])


def _pair_keys(batch: pa.RecordBatch) -> Keys:
    hash_of = xxhash.xxh3_64_intdigest
    texts = zip(*(batch[name].cast(pa.binary()).to_pylist() for name in ("prompt", "chosen", "rejected")), strict=True)
    keys = (hash_of(rejected, seed=hash_of(chosen, seed=hash_of(prompt))) for prompt, chosen, rejected in texts)
    return np.fromiter(keys, np.uint64, batch.num_rows)


def _reasons(scan: _Scan, clusters: NDArray[np.int64], options: DedupOptions) -> tuple[NDArray[np.int64], list[str]]:
    """Why each row is left out, as a number of the names; 0 if it stays."""
    names = [""]
    reasons = np.zeros(len(scan.pair), np.int64)

    def mark(name: str, rows: NDArray[np.bool_]) -> None:
        names.append(name)
        reasons[(reasons == 0) & rows] = len(names) - 1

    kept = clusters[scan.prompt]
    split = scan.split_of_rows()
    split_of_kept = split[scan.first_row[kept]]
    is_same = kept == scan.prompt
    for number, (name, _, _) in enumerate(scan.splits):
        elsewhere = (split_of_kept == number) & (split != number)
        mark(f"prompt is in {name}", elsewhere & is_same)
        mark(f"prompt is similar to one in {name}", elsewhere)
    mark(SIMILAR, ~is_same)
    if options.by == "question":
        mark(FURTHER_ANSWER, scan.group != scan.group[scan.first_row[kept]])
    first = np.zeros(len(scan.pair), bool)
    first[np.unique(scan.pair, return_index=True)[1]] = True
    mark(REPEATED, ~first)
    return reasons, names


def _examples(
    dataset: PairDataset, scan: _Scan, clusters: NDArray[np.int64], reasons: NDArray[np.int64], names: list[str]
) -> Iterator[Example]:
    """The first prompts that are left out for each reason, unless their text is that of the one that stays."""

    def prompt(row: int) -> str:
        name, start = next((name, start) for name, start, stop in scan.splits if row < stop)
        return str(dataset.splits[name][row - start]["prompt"])

    for number, name in enumerate(names[1:], 1):
        rows = np.flatnonzero((reasons == number) & (clusters[scan.prompt] != scan.prompt))
        _, first = np.unique(scan.prompt[rows], return_index=True)
        for row in rows[np.sort(first)[:MAX_EXAMPLES]].tolist():
            yield Example(name, prompt(row), prompt(int(scan.first_row[clusters[scan.prompt[row]]])))
