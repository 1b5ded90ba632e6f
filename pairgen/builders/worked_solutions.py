"""Worked solutions: one step is made wrong, by default its result; the final answer stays unless errors are carried."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice

from pairgen.arithmetic.errors.changes import CannotCorrupt, Corruption, apply
from pairgen.arithmetic.errors.changes import Change as Replaced
from pairgen.arithmetic.errors.corrupt import corrupt
from pairgen.arithmetic.errors.kinds import ERRORS, MIXED, RESULT
from pairgen.arithmetic.errors.missteps import missteps
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.literals import LATEX_FRACTION, LATEX_NUMBER, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio
from pairgen.arithmetic.false_steps import false_steps
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.pairs.edits import Edit
from pairgen.pairs.record import Change, DropRow, Provenance, Rejection

FALSE = "a calculation is false"
"""Reason for dropping a solution that states a wrong result itself."""

_ANSWER_IS = "The answer is:"
# A line that ends with the final answer, from there on. Examples: `#### 72`, `The final answer is: 72`,
# `**Answer:** 72`, `A: 72`; not `#### Step 1: multiply`.
_STATEMENT = re.compile(
    r"(?:####+(?![^\n]*(?:=|[A-Za-z]{3}[^\n]*[:.)] ))"
    r"|\**\b(?:[Tt]he )?(?:[Ff]inal )?(?:[Aa]nswer|ANSWER|A(?=:))\**(?: is)?\**:(?![^\n]*=[^\n]*=))[^\n]{0,80}\Z"
)
# Without a colon, in a text that states its answer in no other way: `So the final answer is 72.`
_SENTENCE = re.compile(r"(?:\b[A-Za-z]+,? )?\b[Tt]he (?:[a-z]+ )?answer (?:is|equals|=) [^\n=]{1,40}\Z")
_ANSWER = re.compile(  # a number that is not part of a formula: not the 2 of 2x, 2 + 3i or 2\\sqrt{3}
    rf".*(?:[Aa]nswer\**(?: is)?\**:?|####|\bA:)\**\s*\\?\$? ?(-?(?:{LATEX_FRACTION}|{LATEX_NUMBER}(?:/\d+)?))"
    r"(?![\d.,:]*\d|\s*[-+*/_=({\[]|\s*\^(?! *\{? *\\circ)|\s*\\(?!text|mbox|%|\$)|[A-Za-z])",
    re.DOTALL | re.ASCII,
)


def reasoning_stop(solution: str) -> int:
    """Start of the final answer, which one or more statements at the end give; the length if there is none."""
    stop = solution.rfind(_ANSWER_IS)
    if stop > 0 and solution[stop - 1] == "\n":
        stop -= 1
    elif stop < 0:
        sentence = _SENTENCE.search(solution, solution.rfind("\n") + 1) if "nswer" in solution else None
        stop = sentence.start() if sentence else len(solution)
    end = stop
    while True:
        start = solution.rfind("\n", 0, end) + 1
        line = solution[start:end]
        if "#" in line or ":" in line:
            statement = _STATEMENT.search(line)
            if statement is None:
                return stop
            end = stop = start + statement.start() - (statement.start() == 0 < start)
        elif start and (not line or line.isspace()):
            end = start - 1
        else:
            return stop


@lru_cache(1 << 14)
def final_answer(lines: str) -> Ratio | None:
    """The last value that the final-answer lines state; None if it is not a plain number."""
    span = answer_span(lines)
    literal = parse_literal(lines[slice(*span)]) if span else None
    return literal.value if literal else None


def answer_span(lines: str) -> tuple[int, int] | None:
    """Where the final-answer lines state a number last; None if they do not."""
    match = _ANSWER.match(lines)
    return match.span(1) if match else None


def solution_of(text: str, annotated: Sequence[Step] | None = None) -> Solution:
    """Parse a solution; its final-answer lines are never corrupted.

    Args:
        annotated: its results, where the source annotates them; otherwise they are found in the text.
    """
    stop = reasoning_stop(text)
    return Solution(text, stop, final_answer(text[stop:]), annotated)


def reject_corrupted(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """The solution with one step corrupted, up to ``options.pairs_per_row`` times.

    ``example.detail`` holds the annotated results, or None.
    """
    return corrupted(solution_of(example.answer, example.detail), example.question, rng, options)


def corrupted(solution: Solution, question: str, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """A parsed solution with one step corrupted, up to ``options.pairs_per_row`` times.

    Raises:
        DropRow: nothing can be corrupted, or a calculation of the solution is false and such rows are dropped.
    """
    if options.false_steps == "drop" and any(false_steps(solution)):
        raise DropRow(FALSE)
    try:
        corruptions = draw_corruptions(solution, question, rng, options)
    except CannotCorrupt as error:
        raise DropRow(error.reason) from None
    return [rejection(solution.text, corruption, corruption.changes) for corruption in corruptions]


def draw_corruptions(solution: Solution, question: str, rng: RowRng, options: CorruptionOptions) -> list[Corruption]:
    """Up to ``options.pairs_per_row`` corruptions of a solution, of the kind of error that the options name.

    For mixed kinds, their order is drawn first; the kinds that apply take turns.

    Raises:
        CannotCorrupt: no step can be made wrong in this way.
    """
    if options.error == RESULT:
        return corrupt(solution, question, rng, options.method, options.pairs_per_row, options.carry)
    count = options.pairs_per_row
    if options.error != MIXED:
        return list(islice(missteps(solution, question, rng, options.error, options.carry), count))
    kinds = [kind for kind in ERRORS if kind != MIXED]
    turns = [
        _of_kind(solution, question, rng, options._replace(error=kinds.pop(rng.below(len(kinds)))))
        for _ in range(len(kinds))
    ]
    made: list[Corruption] = []
    while turns and len(made) < count:
        kind = turns.pop(0)
        corruption = next(kind, None)
        if corruption is not None:
            made.append(corruption)
            turns.append(kind)
    if not made:
        raise CannotCorrupt(NO_KIND)
    return made


NO_KIND = "no kind of error applies"


def _of_kind(solution: Solution, question: str, rng: RowRng, options: CorruptionOptions) -> Iterator[Corruption]:
    """The corruptions of one kind of error, possibly none; lazy, so that no more are made than needed."""
    with suppress(CannotCorrupt):
        if options.error == RESULT:
            yield from corrupt(solution, question, rng, options.method, options.pairs_per_row, options.carry)
        else:
            yield from missteps(solution, question, rng, options.error, options.carry)


def rejection(text: str, corruption: Corruption, changes: Sequence[Replaced]) -> Rejection:
    """The rejected completion of a solution.

    Args:
        corruption: the error that its columns describe.
        changes: that error, and all else that is changed, in order.
    """
    provenance = Provenance(
        correct=corruption.original,
        corrupted=corruption.corrupted,
        correct_value=corruption.original_value,
        corrupted_value=corruption.corrupted_value,
        expression=corruption.expression,
        check="verified" if corruption.verified else "unchecked",
        reason=corruption.reason,
        strategy=corruption.strategy,
        step=corruption.step,
        steps=corruption.steps,
        error=corruption.error,
    )
    edits = edits_of(changes)
    edit = Edit(edits[0].start, edits[-1].chosen_stop, edits[-1].rejected_stop)
    return Rejection(apply(text, changes), edit, provenance._replace(edits=edits if len(edits) > 1 else None))


def edits_of(changes: Sequence[Replaced]) -> tuple[Change, ...]:
    """Changes of a solution, in order, as they are stored with a pair."""
    edits: list[Change] = []
    shift = 0
    for start, stop, original, corrupted, expression in changes:
        begin = start + shift
        edits.append(Change(start, stop, begin, begin + len(corrupted), original, corrupted, expression))
        shift += len(corrupted) - (stop - start)
    return tuple(edits)
