"""The pairs of runs that are shown token by token, and how they are chosen."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pairgen.errors import InvalidDataset
from pairgen.pairs.dataset import open_pairs
from pairgen.run_folder import PAIRS, Run
from pairgen.run_folder.measured import SIDES, Measured

Numbers = NDArray[np.float64]


class Completion(NamedTuple):
    """The tokens of one completion, EOS included; T is their number."""

    texts: Sequence[str]
    """[T]."""
    reference: Numbers
    """[T] log-probs under the reference model, in nats."""
    policy: Numbers
    """[T] log-probs under the policy, in nats."""
    edit: tuple[int, int]
    """First and, exclusive, last token of the edit."""

    @property
    def changes(self) -> Numbers:
        """[T] policy minus reference, in nats."""
        return self.policy - self.reference

    def parts(self) -> list[float]:
        """The change before, at and after the edit, and of all tokens, in nats."""
        start, stop = self.edit
        changes = self.changes
        return [float(part.sum()) for part in (changes[:start], changes[start:stop], changes[stop:], changes)]


class TokenPair(NamedTuple):
    """One pair as runs see it."""

    pair_id: str
    why: str
    """Why it was chosen."""
    prompt: str | None
    """None if its dataset is not at hand."""
    sides: dict[str, dict[str, Completion]]
    """By side, ``chosen`` or ``rejected``, and by name of the run."""


class Chosen(NamedTuple):
    """The pairs, and what is to be said about them."""

    pairs: list[TokenPair]
    notes: list[str]


def choose(runs: dict[str, Run], number: int) -> Chosen:
    """Pairs with the lowest, the highest and the median log-ratio of chosen under the first run, and so on by turns.

    Args:
        runs: by the names that they are shown with.
        number: most pairs.

    Raises:
        RunFolderError: a damaged file.
    """
    found: dict[str, Measured] = {}
    notes = []
    for name, run in runs.items():
        if run.measured is None:
            notes.append(f"{name}: has no {PAIRS}, which runs of this release have.")
            continue
        measured = run.measured.held_out
        if not len(measured):
            notes.append(f"{name}: its {PAIRS} has no pairs.")
        elif measured.texts("chosen") is None:
            notes.append(f"{name}: its {PAIRS} has no texts of tokens, which runs of this release have.")
        elif not measured.has("chosen", "reference"):
            notes.append(f"{name}: its loss uses no reference model to compare the tokens with.")
        else:
            found[name] = measured
    if not found or not number:
        return Chosen([], notes)
    first, base = next(iter(found.items()))
    order = np.argsort(base.logratio("chosen"), kind="stable")
    picked = [(int(order[rank]), why) for rank, why in _by_turns(len(order), number)]
    keys, ids = _keys(base), base.pair_ids
    prompts = _prompts(runs[first], [ids[at] for at, _ in picked])
    by_run = {name: _completions(measured) for name, measured in found.items()}
    pairs = []
    for at, why in picked:
        seen = {name: completions[keys[at]] for name, completions in by_run.items() if keys[at] in completions}
        sides = {side: {name: one[side] for name, one in seen.items() if side in one} for side in SIDES}
        why = f"{why} of {len(order):,} pairs, under {first}"
        pairs.append(TokenPair(ids[at], why, prompts.get(ids[at]), sides))
    return Chosen(pairs, notes)


def _keys(measured: Measured) -> list[tuple[str, str]]:
    return list(zip(measured.datasets, measured.pair_ids, strict=True))


def _by_turns(count: int, number: int) -> Iterator[tuple[int, str]]:
    """Ranks from the lowest, the highest and the middle by turns, and what each is; none twice.

    >>> [rank for rank, _ in _by_turns(9, 6)]
    [0, 8, 4, 1, 7, 3]
    """
    used: set[int] = set()
    middle = (count - 1) // 2
    for turn in range(count):
        nth = "" if not turn else f"{_ordinal(turn + 1)} "
        near = middle + (turn + 1) // 2 * (-1 if turn % 2 else 1)
        for rank, why in (
            (turn, f"{nth}lowest log-ratio of chosen"),
            (count - 1 - turn, f"{nth}highest log-ratio of chosen"),
            (near, "median log-ratio of chosen" if not turn else "next to the median log-ratio of chosen"),
        ):
            if 0 <= rank < count and rank not in used and len(used) < number:
                used.add(rank)
                yield rank, why


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _completions(measured: Measured) -> dict[tuple[str, str], dict[str, Completion]]:
    """The completions of each pair by side, as far as there are log-probs of them."""
    found: dict[tuple[str, str], dict[str, Completion]] = {key: {} for key in _keys(measured)}
    for side in SIDES:
        texts = measured.texts(side)
        if texts is not None and measured.has(side) and measured.has(side, "reference"):
            columns = (texts, measured.tokens(side, "reference"), measured.tokens(side), measured.edit(side))
            for key, completion in zip(_keys(measured), map(Completion, *columns), strict=True):
                found[key][side] = completion
    return found


def _prompts(run: Run, pair_ids: Sequence[str]) -> dict[str, str]:
    """The prompts of pairs by their ids, from the datasets of a run, as far as they are at hand."""
    found: dict[str, str] = {}
    wanted = pa.array(pair_ids, pa.string())
    for path in run.config.get("data", ()):
        try:
            splits = open_pairs(Path(path)).splits.values()
            for batch in (batch for split in splits for batch in split.batches(["pair_id", "prompt"])):
                for row in batch.filter(pc.is_in(batch["pair_id"], value_set=wanted)).to_pylist():
                    found.setdefault(row["pair_id"], row["prompt"])
        except InvalidDataset:  # moved or deleted since: the page does without its prompts
            continue
    return found
