"""Datasets of the same rows that differ only in how far rejected is from chosen.

``kept-K``: rejected is wrong in K places, and all else stays, later uses and the answer too. ``carried-K``: K results
are wrong, and later results are recomputed from them. ``other``: rejected is the answer to another question.

Every dataset has the same prompts and chosen completions, under the same ids, in the same order. The places of
``kept-1`` are among those of ``kept-2``, and so on, with the same wrong values; ``carried-K`` has those of ``kept-K``.
A row that does not have enough verified places for all of them is in none. Few real solutions have 8 verified results,
so the places of ``kept-8`` may also be operands, and no more than 4 errors are carried forward.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa

from pairgen.arithmetic.errors.changes import CannotCorrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.false_steps import false_steps
from pairgen.arithmetic.places import TOO_FEW, Places
from pairgen.builders import BUILDERS
from pairgen.builders.interface import Builder, CorruptionOptions, Example
from pairgen.builders.worked_solutions import FALSE, final_answer, reasoning_stop, rejection, solution_of
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.building.selection import text_key
from pairgen.errors import UsageError
from pairgen.exchange.curation.derive import Change, write_derived
from pairgen.exchange.curation.subsets import split
from pairgen.pairs.dataset import Manifest, PairDataset
from pairgen.pairs.edits import span
from pairgen.pairs.record import DropRow, Pair, Provenance, Rejection, to_batch

KEPT = (1, 2, 4, 8)
"""How many places are wrong where nothing follows from them."""
CARRIED = (1, 2, 4)
"""How many results are wrong where later results follow."""
OTHER = "other"

COMMAND = "pairgen study edit-distance"
"""What makes these datasets."""

ABOUT_OTHER = "Each rejected solution is that of another question, of similar length, with another final answer."

ORDERS = 4
"""Random orders of its places that are tried for a row."""


def kept(places: int) -> str:
    """Name of the variant that is wrong in some places."""
    return f"kept-{places}"


def carried(places: int) -> str:
    """Name of the variant with some wrong results that are carried forward."""
    return f"carried-{places}"


VARIANTS = (*map(kept, KEPT), *map(carried, CARRIED), OTHER)
"""All variants, those with few changes first."""


FIRST = kept(1)
"""The one on which the learning rate of all is chosen, and a tiny model is fine-tuned first."""


class _Row(NamedTuple):
    """What a row depends on."""

    answer: str
    question: str
    key: str
    seed: int


# ---------------------------------------------------------------- corruptions


def rejections(example: Example, row_seed: str, seed: int = 0) -> dict[str, Rejection]:
    """The rejected completion of each variant but ``other``.

    Args:
        row_seed: what random choices depend on besides ``seed``; different for every row.

    Raises:
        DropRow: the row does not have enough verified places for all variants, or a calculation in it is false.
    """
    found = _made(_Row(example.answer, example.question, row_seed, seed))
    if isinstance(found, str):
        raise DropRow(found)
    return found


@lru_cache(1 << 14)
def _made(row: _Row) -> dict[str, Rejection] | str:
    """The rejected completions, or why there are none; kept for the builds of the other variants."""
    solution = solution_of(row.answer)
    if len(solution.found) < max(CARRIED):
        return TOO_FEW
    if any(false_steps(solution)):
        return FALSE
    reason = TOO_FEW
    for order in range(ORDERS):
        places = Places(solution, row.question, RowRng(f"{row.key}-{order}", row.seed))
        try:
            wrong = {
                **{carried(count): places.carried(count) for count in CARRIED},
                **{kept(count): places.kept(count) for count in KEPT},
            }
        except CannotCorrupt as error:
            reason = error.reason
            continue
        return {name: rejection(solution.text, one.first, one.changes) for name, one in wrong.items()}
    return reason


def builder(name: str) -> Builder:
    """The builder of a variant from rows of MetaMath. Raises UsageError for an unknown one."""
    if name not in VARIANTS[:-1]:
        raise UsageError(f"unknown variant {name!r}; available: {', '.join(VARIANTS)}")
    kind, _, count = name.partition("-")
    what = "One result is wrong" if count == "1" else f"{count} places are wrong"
    rest = "all else is unchanged" if kind == "kept" else "later results are recomputed from them"

    def reject(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
        del options
        return [rejections(example, f"{rng.bits():x}")[name]]

    return replace(
        BUILDERS["metamath"],
        title=_title(name),
        description=f"{what} in each rejected solution; {rest}. The final answer is unchanged.",
        command=COMMAND,
        reject=reject,
    )


def _title(name: str) -> str:
    return f"MetaMath pairs for a study of edit distance: {name}"


# ---------------------------------------------------------------- datasets


def write(name: str, source: str, out: Path, held_out: int, most: int = 0) -> PairDataset:
    """Write a variant, with ``eval`` of ``held_out`` pairs, whose questions are the same for all variants.

    Args:
        source: rows of MetaMath, as in ``pairgen build metamath --source``; empty: those on the Hub.
        most: number of source rows read; 0 reads all.

    Raises:
        UsageError: an unknown variant, or too few rows with enough places.
        SourceError: rows are unavailable or unreadable, or none has enough places.
        OutputError: ``out`` exists, or cannot be written.
    """
    made = builder(kept(1) if name == OTHER else name)
    options = BuildOptions(source=(source,) if source else (), eval_size=0, limit=most or None)
    whole = build(made, out.with_name(f"{out.name}-whole"), options)
    if whole.splits["train"].pairs <= held_out:
        raise UsageError(
            f"{source or 'MetaMath'}: only {whole.splits['train'].pairs:,} rows can be made wrong in {max(KEPT)} "
            f"places, and {held_out:,} are to be held out; give more rows"
        )
    if name != OTHER:
        return split(whole, out, held_out)
    return with_other_answers(split(whole, out.with_name(f"{out.name}-split"), held_out), out)


def with_other_answers(dataset: PairDataset, out: Path) -> PairDataset:
    """Write the same prompts and chosen completions, with the answer to another question as rejected.

    It is the answer of the row whose chosen completion is the next longer one in the same split, if it is to another
    question and has another result; so every answer is used about once, and lengths are similar.

    Raises:
        UsageError: a split has a row for which there is no such answer.
    """

    def rows() -> Iterator[tuple[str, pa.RecordBatch]]:
        for name, of_split in dataset.splits.items():
            table = of_split.table().to_pylist()
            partners = other_answers([(row["prompt"], row["chosen"]) for row in table])
            yield name, to_batch([_with_rejected(row, text) for row, text in zip(table, partners, strict=True)])

    about = {**dataset.manifest, "title": _title(OTHER), "description": ABOUT_OTHER}
    described = replace(dataset, manifest=cast(Manifest, about))
    return write_derived(out, [described], rows(), Change(COMMAND.split()))


def other_answers(rows: list[tuple[str, str]]) -> list[str]:
    """For each prompt with its answer, the answer to another prompt, of similar length, with another final result.

    Raises:
        UsageError: there is none.
    """
    order = sorted(range(len(rows)), key=lambda at: (len(rows[at][1]), rows[at]))
    found = [""] * len(rows)
    for place, at in enumerate(order):
        behind = [*order[place + 1 :], *reversed(order[:place])]
        other = next((other for other in behind if _differ(rows[at], rows[other])), None)
        if other is None:
            raise UsageError("no row has another question and another answer; give more rows")
        found[at] = rows[other][1]
    return found


def _differ(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether prompts and final results differ."""
    if text_key(one[0]) == text_key(other[0]):
        return False
    results = [final_answer(answer[reasoning_stop(answer) :]) for _, answer in (one, other)]
    return results[0] is None or results[0] != results[1]


def _with_rejected(row: dict[str, Any], text: str) -> Pair:
    """A row with another rejected completion, which is no corruption."""
    edit = span(row["chosen"], text)
    values = {name: row[name] for name in ("prompt", "chosen", "pair_id", "group_id", "source", "row", "row_id")}
    return Pair(
        rejected=text,
        edit_start=edit.start,
        chosen_edit_stop=edit.chosen_stop,
        rejected_edit_stop=edit.rejected_stop,
        provenance=Provenance(),
        **values,
    )
