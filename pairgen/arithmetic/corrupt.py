"""Choose results of a worked solution, put wrong values in their places, and prove them wrong where arithmetic can."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from math import gcd
from typing import NamedTuple

from pairgen.arithmetic import formulas
from pairgen.arithmetic.draws import Draws
from pairgen.arithmetic.evaluate import states
from pairgen.arithmetic.numbers import LATEX_FRACTION, LATEX_NUMBER, NUMBER, Literal, Ratio, equal, lowest_terms, parse
from pairgen.arithmetic.reasons import STATED
from pairgen.arithmetic.sentence import NUMBER_WORDS
from pairgen.arithmetic.solution import Proof, Solution, is_supposed
from pairgen.arithmetic.steps import Step
from pairgen.arithmetic.wrong import CORRUPTIONS, Draw
from pairgen.edits import Edit
from pairgen.records import Drop, Rejection

MAX_DRAWS = 32
"""Wrong values tried for one place before it is given up."""
MAX_LOOKED_AT = 256
"""Results of one solution that are checked until one will do; no solution that people write has as many."""
MAX_OUTSIDE = 4096
"""Numbers outside calculations that are looked at."""
MIN_ALONE = 3
"""Smaller numbers in the reasoning are seldom results: ``one of 2 cases``."""

STRATEGIES = {
    "result": "the result of a calculation",
    "equation": "the result of an equation, its unknowns replaced by their values",
    "collected": "a number that a side is summed up to, its unknown left in",
    "solved-value": "the value of an unknown that an equation above it gives",
    "last-result": "the last result of the solution, which states the final answer",
    "stated-value": "a value that is stated without a calculation",
    "number": "a number of the reasoning, where there is no result",
    "restated": "a number of the question that an equation repeats",
}
"""Which rule found the corrupted place; the first four are tried alike, ``restated`` where there is nothing else."""

_STATED_VALUE = re.compile(rf"= *[$€£¥]? ?(-?{NUMBER}(?:/\d+)?)(?![\d.,]*\d| *[-+*/×÷^(]|[a-zA-Z]\b)", re.ASCII)
_NUMBER_IN_REASONING = re.compile(rf"(?<![\w.,/:-])({NUMBER})(?![\w/:%-]|[.,]\d)", re.ASCII)
_ALONE_IN_LATEX = re.compile(  # by itself between dollars, or in a sentence
    rf"(?:(?<=\$)|(?<=\w )(?<!frac ))({LATEX_NUMBER})"
    r"(?=\$(?!(?:st|nd|rd|th)\b)|\\%|\^\\circ|\^\{\\circ| [a-z]{2}|[,.;](?:\s|\$))",
    re.ASCII,
)
_BOXED = re.compile(
    rf"\\boxed\{{(?:\\text\{{|\\\$|[-+A-Za-z(){{ ,]|\\,)*({LATEX_FRACTION}|{LATEX_NUMBER}(?:/\d+)?)"
    r"(?![\w^_:]|[.,]\d|, *\\!)",
    re.ASCII,
)
_ENTRY = re.compile(rf"(?<=[\s&])({LATEX_NUMBER})(?= *(?:&|\\\\|\\end\{{[pbvB]?matrix))", re.ASCII)
_TERM_IN_LATEX = re.compile(rf"(?<=[-+=(] )({LATEX_NUMBER})(?=[ ),.$+\]]|-|\\[\\\]]|\n)", re.ASCII)
_GIVEN = re.compile(NUMBER, re.ASCII)
_GIVEN_FRACTION = re.compile(rf"{LATEX_FRACTION}|(?<![\d./]){NUMBER}/\d+(?![\d./])", re.ASCII)
_GIVEN_PERCENT = re.compile(r"(\d+) ?(?:\\?%|percent\b)", re.ASCII)
_WORD = re.compile(r"[a-z]+", re.ASCII)
_LABEL = re.compile(  # labels, list numbers, dates, lengths of drawings
    r"(?:\b(?:[Ss]tep|[Ee]quation|[Cc]ase|[Ff]igure|[Pp]art|[Ll]emma|[Pp]roblem|[Mm]ethod|[Ss]olution|[Oo]ption|[Cc]hapter|[Pp]age)s?\s*[#(]?"
    r"|\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\s+"
    r"|(?:\A|\n)\s*[(\[]?)\$?\Z"
)
_OPERATOR_BEFORE = re.compile(
    r"(?:[\w)}\]] ?[-+*/×÷·] ?|\b(?:by|multiples? of|divisors? of|modulo|base|times|factor|prime) \$?)[$€£]?\Z",
    re.ASCII,
)
_OPERATOR_BEHIND = re.compile(
    r"\$?(?:'s|(?: [A-Za-z]+(?:/[A-Za-z]+)?)? ?(?:[*/×÷·]|[-+] ?[$\d(A-Za-z]| times\b))", re.ASCII
)
_STATING = re.compile(
    r"\b(?:is|are|was|were|be|get|gets|gives?|finds?|have|has|equals?|yields?|obtain|becomes?|remain|left|leaves?|makes?)"
    r"(?: (?:a total of|only|exactly|at most|at least|just|thus|then|also|equal to))? [$€£]?-?\Z"
    r"|\\[ch]line[^\n\\]*\Z",
    re.ASCII,
)


class Place(NamedTuple):
    """A literal that may be corrupted. ``number`` is that of its step, from 1; None outside any calculation."""

    strategy: str
    start: int
    stop: int
    right: Literal
    proof: Proof | None = None
    reason: str | None = None
    number: int | None = None


def corrupt(
    solution: Solution, question: str, draws: Draws, draw: Draw = CORRUPTIONS["near"].draw, count: int = 1
) -> list[Rejection] | Drop:
    """Replace one intermediate result by a wrong one, ``count`` times; nothing from ``solution.stop`` on is touched.

    Provable results come first, and among them those that do not state the final answer; then results that could not be
    checked; then, for a solution without any, a stated value (``x = 5``) or a number of the reasoning that the question
    does not give; last what an equation repeats of the question. Within a kind the choice is uniform.

    Args:
        question: what was asked; numbers in it are given, not results.
        draw: how a wrong value is drawn, one of ``CORRUPTIONS``.
        count: rejections wanted; they differ in the place or in the value, and there are fewer if a kind has no more.
    """
    made: list[Rejection] = []
    for kind in _kinds(solution, question, draws):
        used = _use(kind, made, solution, draws, draw, count)
        while used and len(made) < count:  # each place had one; now another value each
            used = _use(used, made, solution, draws, draw, count)
        if made:
            return made
    return Drop("no number to corrupt")


def _use(
    places: Iterable[Place], made: list[Rejection], solution: Solution, draws: Draws, draw: Draw, count: int
) -> list[Place]:
    """Add a rejection for each place until there are ``count``; the places that gave one."""
    used = []
    for place in places:
        wrong = _wrong(place, solution, draws, draw, made)
        if wrong is not None:
            made.append(_rejection(solution, place, wrong))
            used.append(place)
            if len(made) == count:
                break
    return used


def _kinds(solution: Solution, question: str, draws: Draws) -> Iterator[Iterable[Place]]:
    """All places, kind by kind in the order of preference; in a kind in random order, each found as it is asked for."""
    waiting: dict[str, list[Place]] = {}
    total = len(solution.steps)
    inner = total - _final(solution)
    yield _proved(solution, list(range(1, inner + 1)), "", question, draws, waiting)
    yield _proved(solution, list(range(inner + 1, total + 1)), "last-result", question, draws, waiting)
    for rank in _RANKS:
        yield waiting.get(rank, ())
    yield from _outside_calculations(solution, question, draws)
    for rank in _LAST_RANKS:
        yield waiting.get(rank, ())


def _proved(
    solution: Solution,
    numbers: list[int],
    strategy: str,
    question: str,
    draws: Draws,
    waiting: dict[str, list[Place]],
) -> Iterator[Place]:
    """The provable ones of some steps; the others wait, by rank."""
    steps = solution.steps
    for _ in range(min(len(numbers), MAX_LOOKED_AT)):
        number = numbers.pop(draws.below(len(numbers))) if len(numbers) > 1 else numbers.pop()
        place = _place(solution, steps[number - 1], number, strategy)
        if place is None:
            continue
        if place.proof is None:
            waiting.setdefault(_rank(place, question, solution), []).append(place)
        elif place.proof.substituted and _is_given(place, question) and not _is_answer(place, solution):
            waiting.setdefault("restated", []).append(place._replace(strategy="restated"))
        else:
            yield place


def _is_given(place: Place, question: str) -> bool:
    """Whether the question has the number already."""
    return lowest_terms(place.right.value) in _given_values(question)


@lru_cache(1 << 10)
def _given_values(question: str) -> frozenset[str]:
    """The values of the numbers of a question, whether in digits or in words."""
    numbers = _GIVEN.findall(question)
    if "/" in question or "frac" in question:
        numbers += [fraction.group() for fraction in _GIVEN_FRACTION.finditer(question)]
    if "%" in question or "percent" in question:
        numbers += [f"{percent}/100" for percent in _GIVEN_PERCENT.findall(question)]
    literals = [parse(number) for number in numbers]
    words = [NUMBER_WORDS[word] for word in _WORD.findall(question.lower()) if word in NUMBER_WORDS]
    return frozenset([lowest_terms(literal.value) for literal in literals if literal] + [f"{word}/1" for word in words])


def _is_answer(place: Place, solution: Solution) -> bool:
    """Whether a place states the final answer: that is asked for, and no number of the question is it but by chance."""
    return (
        place.strategy in ("last-result", "stated-value")
        and solution.answer is not None
        and _same_size(place.right, solution.answer)
    )


_RANKS = ("result", "collected", "stated-value")
"""Kinds of results that could not be proved, best first."""
_LAST_RANKS = ("restated", "given", "supposed")
"""What only repeats the question, provable or not, and a value that is only tried: ``if x = 3``."""


def _rank(place: Place, question: str, solution: Solution) -> str:
    """The kind of a result that could not be proved."""
    if place.strategy == "stated-value" and is_supposed(solution.text, place.start):
        return "supposed"
    if _is_given(place, question) and not _is_answer(place, solution):
        return "given"
    return place.strategy if place.strategy in ("collected", "stated-value") else "result"


def _final(solution: Solution) -> int:
    """How many results at the end state the final answer; the last counts as such if the answer is no number."""
    steps, answer = solution.steps, solution.answer
    if answer is None:
        return min(1, len(steps))
    for count in range(len(steps)):
        stated = parse(steps.written(-1 - count, solution.text))
        if stated is None or not _same_size(stated, answer):
            return count
    return len(steps)


def _same_size(literal: Literal, value: Ratio) -> bool:
    """Whether a literal has a value but for the sign, which may stand apart in front of it."""
    top, bottom = literal.value
    return equal((abs(top), bottom), (abs(value[0]), value[1]))


def _place(solution: Solution, step: Step, number: int, strategy: str) -> Place | None:
    start, stop = step.start, step.stop
    right = parse(solution.text[start:stop])
    if right is None or (right.over != 1 and _is_unfinished(right, step)):
        return None
    proof = solution.check(step)
    if isinstance(proof, Proof):
        if not strategy:
            strategy = "result"
            if step.role:
                strategy = "solved-value" if step.role == "value" else "collected"
            elif proof.substituted:
                strategy = "equation"
        return Place(strategy, start, stop, right, proof, None, number)
    unproved = {"value": "stated-value", "collected": "collected"}.get(step.role, strategy or "result")
    return Place(unproved, start, stop, right, None, proof, number)


def _is_unfinished(fraction: Literal, step: Step) -> bool:
    """Whether a fraction is rather a division that is still to be done: ``x = 300/3``."""
    common = gcd(fraction.units, fraction.over)
    return common == fraction.over or (common != 1 and step.role == "value")


def _outside_calculations(solution: Solution, question: str, draws: Draws) -> Iterator[Iterator[Place]]:
    """Numbers that are no results and not the question's: what follows an equals sign, then others of the reasoning.

    The boxed answer of a solution in LaTeX is among the latter, but comes behind numbers that stand alone. Of each,
    those that a sentence states come first; operands come last of all.
    """
    text, stop = solution.visible, solution.stop
    given = _given_values(question)
    operands: list[Place] = []

    def places(strategy: str, spans: Iterable[tuple[int, int]], least: int = 0) -> Iterator[Place]:
        spans = islice(spans, MAX_OUTSIDE)
        left = [Place(strategy, *span, right, None, STATED) for span in spans if (right := parse(text[slice(*span)]))]
        left = [place for place in left if place.right.units >= least and _is_said_of_something(place, text)]
        if least:
            left = [place for place in left if lowest_terms(place.right.value) not in given]
        sorts: tuple[list[Place], ...] = ([], [], operands)
        for place in left:
            sorts[_sort(place, text)].append(place)
        for sort in sorts[:2]:
            yield from shuffled(sort)

    def shuffled(left: list[Place]) -> Iterator[Place]:
        while left:
            yield left.pop(draws.below(len(left)))

    def matches(pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        return (match.span(1) for match in pattern.finditer(text, 0, stop))

    if not solution.is_latex:
        yield places("stated-value", matches(_STATED_VALUE), 1)
        yield places("number", matches(_NUMBER_IN_REASONING), 1)
    else:
        yield places("stated-value", formulas.values(text, stop), 1)
        yield places("number", matches(_ALONE_IN_LATEX), MIN_ALONE)
        yield places("number", matches(_BOXED))
        yield places("number", matches(_ENTRY), 1)
        yield places("number", matches(_TERM_IN_LATEX), MIN_ALONE)
    yield shuffled(operands)


def _is_said_of_something(place: Place, text: str) -> bool:
    """Whether a number is no label, no number of a list, no date, and no value that is only supposed."""
    return not (
        _LABEL.search(text, max(0, place.start - 40), place.start)
        or (place.strategy == "stated-value" and is_supposed(text, place.start))
    )


def _sort(place: Place, text: str) -> int:
    """0 for what a sentence states (``there are 5``), 2 for what is calculated with (``divide both sides by 5``)."""
    before = max(0, place.start - 40)
    if _OPERATOR_BEHIND.match(text, place.stop, place.stop + 40) or _OPERATOR_BEFORE.search(text, before, place.start):
        return 2
    return 0 if _STATING.search(text, before, place.start) else 1


def _wrong(place: Place, solution: Solution, draws: Draws, draw: Draw, made: list[Rejection]) -> Literal | None:
    """A wrong value for the place; None if ``MAX_DRAWS`` draws gave none that may stand there."""
    right, proof, answer = place.right, place.proof, solution.answer
    expression = proof.expression if proof else None
    for attempt in range(MAX_DRAWS):
        if attempt == MAX_DRAWS // 2:
            draw = CORRUPTIONS["near"].draw  # another operation may give nothing that can stand there
        wrong = draw(right, expression, draws)
        if wrong is None or (answer is not None and _same_size(wrong, answer)):
            continue
        if states(wrong, proof.value) if proof else equal(wrong.value, right.value):
            continue
        if made and any(place.start == other.edit.start and str(wrong) == other.corrupted for other in made):
            continue
        return wrong
    return None


def _rejection(solution: Solution, place: Place, wrong: Literal) -> Rejection:
    strategy, start, stop, _, proof, reason, number = place
    text = solution.text
    corrupted = str(wrong)
    return Rejection(
        text[:start] + corrupted + text[stop:],
        Edit(start, stop, start + len(corrupted)),
        text[start:stop],
        corrupted,
        proof.stated if proof else None,
        lowest_terms(wrong.value) if proof else None,
        proof.expression if proof else None,
        "verified" if proof else "unchecked",
        reason,
        strategy,
        number,
        len(solution.steps) if number else None,
    )
