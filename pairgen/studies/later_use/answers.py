"""Pairs of the same rows with the same wrong result: with the rest as it was, or with all that follows from it.

``kept``: only the result is wrong. The right value is used again later, the wrong one is not, and the answer is right.
``carried``: every later use of the result, and the answer, are what follows from the wrong value.
Both have the same prompts and chosen completions, and both are wrong at the same place by the same value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.exchange.curation.derive import Change, write_derived
from pairgen.exchange.curation.subsets import split
from pairgen.pairs.dataset import Manifest, PairDataset
from pairgen.pairs.record import Pair, Provenance, to_batch

KINDS = ("kept", "carried")

COMMAND = ("pairgen", "study", "shortcut")
"""What makes these datasets."""
EVAL = "eval"


def kind_of(pair_id: str) -> str:
    """The kind of a pair of these datasets."""
    return pair_id.rpartition("-")[2]


def write(kind: str, source: str, out: Path, held_out: int) -> PairDataset:
    """Write training pairs of one kind, and held-out pairs of both.

    Args:
        source: rows of MetaMath, as in ``pairgen build metamath --source``; empty: those on the Hub.
        held_out: number of rows in ``eval``, each with two pairs; their questions are not in ``train``.

    Raises:
        UsageError: too few rows in which an error can be carried forward.
        SourceError: rows are unavailable or unreadable.
        OutputError: ``out`` exists, or cannot be written.
    """
    options = BuildOptions(source=(source,) if source else (), carry="answer", eval_size=0)
    whole = build("metamath", out.with_name(f"{out.name}-whole"), options)
    parted = split(whole, out.with_name(f"{out.name}-parted"), held_out)

    def rows() -> Iterator[tuple[str, pa.RecordBatch]]:
        for name, of_split in parted.splits.items():
            for batch in of_split.batches():
                yield name, with_kinds(batch, KINDS if name == EVAL else (kind,))

    about = {
        **parted.manifest,
        "title": f"MetaMath pairs for a study of shortcuts: {kind}",
        "description": "One result is wrong in each rejected solution; "
        + ("all else is unchanged." if kind == "kept" else "later results and the answer follow from it.")
        + " The held-out pairs are of both kinds.",
    }
    described = replace(parted, manifest=cast(Manifest, about))
    return write_derived(out, [described], rows(), Change(COMMAND))


def with_kinds(carried: pa.RecordBatch, kinds: tuple[str, ...]) -> pa.RecordBatch:
    """Pairs of each kind, from carried ones; pairs of a row follow each other. Ids end in ``-kept`` or ``-carried``.

    A pair whose wrong result is not used again would be the same in both kinds; it is in neither.
    """
    different = carried.filter(pa.array([edits is not None for edits in carried["edits"].to_pylist()], pa.bool_()))
    made = {"carried": different, "kept": to_batch([kept(row) for row in different.to_pylist()])}
    ids = carried.schema.get_field_index("pair_id")
    named = [
        made[kind].set_column(ids, "pair_id", pa.array([f"{name}-{kind}" for name in different["pair_id"].to_pylist()]))
        for kind in kinds
    ]
    order = [at + len(different) * kind for at in range(len(different)) for kind in range(len(kinds))]
    return pa.Table.from_batches(named).take(order).combine_chunks().to_batches()[0] if order else named[0]


def kept(row: Mapping[str, Any]) -> Pair:
    """The pair in which only the result is wrong, from a carried one; the first change is that of the result."""
    first, chosen = row["edits"][0], row["chosen"]
    start, stop = first["start"], first["chosen_stop"]
    provenance = {name: row[name] for name in Provenance._fields} | {"edits": None}
    same = ("prompt", "chosen", "pair_id", "group_id", "source", "row", "row_id")
    return Pair(
        rejected=chosen[:start] + first["corrupted"] + chosen[stop:],
        edit_start=start,
        chosen_edit_stop=stop,
        rejected_edit_stop=start + len(first["corrupted"]),
        provenance=Provenance(**provenance),
        **{name: row[name] for name in same},
    )
