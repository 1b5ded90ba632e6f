"""Places in a solution that may be corrupted; here those outside any calculation, and what a question gives already."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.numbers import LATEX_FRACTION, LATEX_NUMBER, NUMBER, Literal, lowest_terms, parse
from pairgen.arithmetic.exact.proof import Proof
from pairgen.arithmetic.reading import formulas
from pairgen.arithmetic.reading.sentence import NUMBER_WORDS
from pairgen.arithmetic.reasons import STATED
from pairgen.arithmetic.solution import Solution, is_supposed

MAX_OUTSIDE = 4096
"""Numbers outside calculations that are looked at."""
MIN_ALONE = 3
"""Smaller numbers in the reasoning are seldom results: ``one of 2 cases``."""

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


@lru_cache(1 << 10)
def given_values(question: str) -> frozenset[str]:
    """The values of the numbers of a question, whether in digits or in words."""
    numbers = _GIVEN.findall(question)
    if "/" in question or "frac" in question:
        numbers += [fraction.group() for fraction in _GIVEN_FRACTION.finditer(question)]
    if "%" in question or "percent" in question:
        numbers += [f"{percent}/100" for percent in _GIVEN_PERCENT.findall(question)]
    literals = [parse(number) for number in numbers]
    words = [NUMBER_WORDS[word] for word in _WORD.findall(question.lower()) if word in NUMBER_WORDS]
    return frozenset([lowest_terms(literal.value) for literal in literals if literal] + [f"{word}/1" for word in words])


def outside_calculations(solution: Solution, question: str, draws: RowRng) -> Iterator[Iterator[Place]]:
    """Numbers that are no results and not the question's: what follows an equals sign, then others of the reasoning.

    The boxed answer of a solution in LaTeX is among the latter, but comes behind numbers that stand alone. Of each,
    those that a sentence states come first; operands come last of all.
    """
    text, stop = solution.visible, solution.stop
    given = given_values(question)
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
