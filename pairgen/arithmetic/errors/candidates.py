"""Candidates for corruption outside calculations, and the numbers in the question."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from math import gcd
from typing import NamedTuple

from pairgen.arithmetic import labels
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.literals import LATEX_FRACTION, LATEX_NUMBER, NUMBER, Literal, parse_literal
from pairgen.arithmetic.exact.ratios import equal, lowest_terms
from pairgen.arithmetic.exact.verification import Verification
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading import border, formulas
from pairgen.arithmetic.reading.steps import Found, Step, step_of
from pairgen.arithmetic.reading.tokens import NUMBER_WORDS
from pairgen.arithmetic.solution import Solution

MAX_NUMBERS = 4096
"""Maximum number of candidates outside calculations, per pattern."""
MIN_STANDALONE = 3
"""Smaller numbers in a LaTeX sentence are rarely results: ``one of 2 cases``."""

# Examples: `= 5`, `= $1,500`, `= 3/4`; not `= 5 * 4`, `= 5x`.
_STATED_VALUE = re.compile(rf"= *[$€£¥]? ?(-?{NUMBER}(?:/\d+)?)(?![\d.,]*\d| *[-+*/×÷^(]|[a-zA-Z]\b)", re.ASCII)
# Examples: `8` in `after 8 days`, `1,500`; not `2b`, `9:30`, `30%`.
_NUMBER_IN_REASONING = re.compile(rf"(?<![\w.,/:-])({NUMBER})(?![\w/:%-]|[.,]\d)", re.ASCII)
_STANDALONE_IN_LATEX = re.compile(  # between dollar signs or in a sentence: `$24$`, `modulo 100 is`
    rf"(?:(?<=\$)|(?<=\w )(?<!frac ))({LATEX_NUMBER})"
    r"(?=\$(?!(?:st|nd|rd|th)\b)|\\%|\^\\circ|\^\{\\circ| [a-z]{2}|[,.;](?:\s|\$))",
    re.ASCII,
)
_BOXED = re.compile(  # `\boxed{7}`, `\boxed{\$1.50}`, `\boxed{\frac{3}{4}}`
    rf"\\boxed\{{(?:\\text\{{|\\\$|[-+A-Za-z(){{ ,]|\\,)*({LATEX_FRACTION}|{LATEX_NUMBER}(?:/\d+)?)"
    r"(?![\w^_:]|[.,]\d|, *\\!)",
    re.ASCII,
)
# Examples: `5` in ` 5 & 8`, `8` in `& 8 \\`.
_MATRIX_ENTRY = re.compile(rf"(?<=[\s&])({LATEX_NUMBER})(?= *(?:&|\\\\|\\end\{{[pbvB]?matrix))", re.ASCII)
# Examples: `5` in `x + 5$`, `12` in `= 12, `.
_TERM_IN_LATEX = re.compile(rf"(?<=[-+=(] )({LATEX_NUMBER})(?=[ ),.$+\]]|-|\\[\\\]]|\n)", re.ASCII)
_QUESTION_NUMBER = re.compile(NUMBER, re.ASCII)
_PLAIN_FRACTION = re.compile(rf"(?<![\d./]){NUMBER}/\d+(?![\d./])", re.ASCII)
_QUESTION_FRACTION = re.compile(rf"{LATEX_FRACTION}|{_PLAIN_FRACTION.pattern}", re.ASCII)
_QUESTION_PERCENT = re.compile(r"(\d+) ?(?:\\?%|percent\b)", re.ASCII)
_WORD = re.compile(r"[a-z]+", re.ASCII)
_LABEL = re.compile(  # `Step 4`, `Equation (3)`, `May 4`, `4.` at the start of a line
    r"(?:\b(?:[Ss]tep|[Ee]quation|[Cc]ase|[Ff]igure|[Pp]art|[Ll]emma|[Pp]roblem|[Mm]ethod|[Ss]olution|[Oo]ption|[Cc]hapter|[Pp]age)s?\s*[#(]?"
    r"|\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\s+"
    r"|(?:\A|\n)\s*[(\[]?)\$?\Z"
)
_OPERATOR_BEFORE = re.compile(  # `x + 5`, `multiples of 5`
    r"(?:[\w)}\]] ?[-+*/×÷·] ?"
    r"|\b(?:by|(?:multiple|divisor|factor|power|digit|square|cube|root|group|set|row|degree)s? of|modulo|mod|base|times"
    r"|factor|prime|every|first|last|next|than|line|axis) \$?)[$€£]?\Z",
    re.ASCII,
)
_OPERATOR_AFTER = re.compile(  # `5 * x`, `50 km/hr * 24`
    r"\$?(?:'s|(?: [A-Za-z]+(?:/[A-Za-z]+)?)? ?(?:[*/×÷·]|[-+] ?[$\d(A-Za-z]| times\b))", re.ASCII
)
_STATEMENT_BEFORE = re.compile(  # `there are 5`, `it gives only 5`
    r"\b(?:is|are|was|were|be|get|gets|gives?|finds?|have|has|equals?|yields?|obtain|becomes?|remain|left|leaves?|makes?)"
    r"(?: (?:a total of|only|exactly|at most|at least|just|thus|then|also|equal to))? [$€£]?-?\Z"
    r"|\\[ch]line[^\n\\]*\Z",
    re.ASCII,
)


class Candidate(NamedTuple):
    """A literal that may be corrupted; ``step`` is the number of its result, from 1; None outside calculations."""

    strategy: str
    start: int
    stop: int
    literal: Literal
    verification: Verification | None = None
    reason: str | None = None
    step: int | None = None


def of_step(solution: Solution, step: Step, number: int, strategy: str) -> Candidate | None:
    """The candidate for a step; None if its literal cannot be replaced."""
    start, stop = step.start, step.stop
    literal = _literal(solution, start, stop)
    if literal is None:
        return None
    if literal.denominator != 1 and _is_division(literal, step):
        return None
    try:
        verification = solution.check(step)
    except Unverified as error:
        if border.is_bound(solution.visible, start, stop) or border.is_part(solution.visible, step.sign, start, stop):
            return None
        unverified = {"value": labels.STATED_VALUE, "term": labels.COMBINED_TERM}.get(step.role, strategy)
        return Candidate(unverified or labels.RESULT, start, stop, literal, None, error.reason, number)
    return Candidate(strategy or _strategy(step, verification), start, stop, literal, verification, None, number)


# Words that set up an equation. Examples: `set `, `the equation `, `whether `.
_SETS_UP = re.compile(
    r"\b(?:if|let|when|where|whether|sett?ing|set|suppos\w+|assum\w+|given|solv(?:e|ing)|such that|so that|requires?"
    r"|wants?|needs?|equations?|satisf\w+|constraints?|conditions?|system|roots? of|zeros? of|must)\b[^.,;:]{0,90}\Z",
    re.IGNORECASE,
)


def is_condition(solution: Solution, candidate: Candidate, found: Found) -> bool:
    """Whether the value of an equation is part of its setting, and not a result: ``set x - 3 = 0``."""
    step = step_of(found)
    if step.role == "value":
        return border.is_assumed(solution.visible, step.start)
    if not candidate.literal.numerator:  # an equation is brought to the form `... = 0`
        return True
    return _SETS_UP.search(solution.visible, max(0, step.start - 120), step.sign) is not None


def _literal(solution: Solution, start: int, stop: int) -> Literal | None:
    """The literal as written, if it is what the readers see: not the ``1.500`` of a text with decimal commas, nor the
    ``2,5`` of one without.
    """
    literal, seen = parse_literal(solution.text[start:stop]), parse_literal(solution.visible[start:stop])
    is_same = literal is not None and seen is not None and equal(seen.value, literal.value) and seen.point == "."
    return literal if is_same else None


def _strategy(step: Step, verification: Verification) -> str:
    """The strategy of a verified result that does not state the final answer."""
    if step.role:
        return labels.SOLVED_VALUE if step.role == "value" else labels.COMBINED_TERM
    return labels.EQUATION if verification.substituted else labels.RESULT


def _is_division(fraction: Literal, step: Step) -> bool:
    """Whether a fraction is really an unevaluated division: ``x = 300/3``."""
    common = gcd(fraction.numerator, fraction.denominator)
    return common == fraction.denominator or (common != 1 and step.role == "value")


@lru_cache(1 << 10)
def question_values(question: str) -> frozenset[str]:
    """The values, as p/q, of the numbers in a question, written in digits or words."""
    numbers = _QUESTION_NUMBER.findall(question)
    if "frac" in question:
        numbers += [fraction.group() for fraction in _QUESTION_FRACTION.finditer(question)]
    elif "/" in question:
        numbers += _PLAIN_FRACTION.findall(question)
    if "%" in question or "percent" in question:
        numbers += [f"{percent}/100" for percent in _QUESTION_PERCENT.findall(question)]
    literals = [parse_literal(number) for number in numbers]
    words = [NUMBER_WORDS[word] for word in NUMBER_WORDS.keys() & _WORD.findall(question.lower())]
    return frozenset([lowest_terms(literal.value) for literal in literals if literal] + [f"{word}/1" for word in words])


def shuffled(candidates: list[Candidate], rng: RowRng) -> Iterator[Candidate]:
    """The candidates in random order; the list is emptied."""
    while candidates:
        yield candidates.pop(rng.below(len(candidates)))


def outside_calculations(solution: Solution, question: str, rng: RowRng) -> Iterator[Iterator[Candidate]]:
    """Numbers that are neither results nor in the question: after an equals sign, then elsewhere in the reasoning.

    The latter include the boxed answer of a LaTeX solution, after standalone numbers. In each group, numbers stated by
    a sentence come first; operands are left out, since they are not results.
    """
    text, stop = solution.visible, solution.stop
    in_question = question_values(question)

    def group(strategy: str, spans: Iterable[tuple[int, int]], minimum: int = 0) -> Iterator[Candidate]:
        roles: tuple[list[Candidate], ...] = ([], [], [])
        for start, end in islice(spans, MAX_NUMBERS):
            literal = _literal(solution, start, end)
            if literal is None or literal.numerator < minimum or _is_label(strategy, start, text):
                continue
            if border.is_bound(text, start, end) or border.is_part(text, -1, start, end):
                continue
            if not (minimum and lowest_terms(literal.value) in in_question):
                candidate = Candidate(strategy, start, end, literal, None, labels.STATED)
                roles[_role(candidate, text)].append(candidate)
        for role in roles[:2]:
            yield from shuffled(role, rng)

    def matches(pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        return (match.span(1) for match in pattern.finditer(text, 0, stop))

    if not solution.is_latex:
        yield group(labels.STATED_VALUE, matches(_STATED_VALUE), 1)
        yield group(labels.NUMBER, matches(_NUMBER_IN_REASONING), 1)
    else:
        yield group(labels.STATED_VALUE, formulas.values(text, stop), 1)
        yield group(labels.NUMBER, matches(_STANDALONE_IN_LATEX), MIN_STANDALONE)
        yield group(labels.NUMBER, matches(_BOXED))
        yield group(labels.NUMBER, matches(_MATRIX_ENTRY), 1)
        yield group(labels.NUMBER, matches(_TERM_IN_LATEX), MIN_STANDALONE)


def _is_label(strategy: str, start: int, text: str) -> bool:
    """Whether a number is a label, a list number, part of a date, or a value that is only assumed."""
    if _LABEL.search(text, max(0, start - 40), start):
        return True
    return strategy == labels.STATED_VALUE and border.is_assumed(text, start)


def _role(candidate: Candidate, text: str) -> int:
    """0 if a sentence states the number (``there are 5``), 2 for an operand (``divide both sides by 5``), else 1."""
    start, stop = candidate.start, candidate.stop
    before = max(0, start - 40)
    if _OPERATOR_AFTER.match(text, stop, stop + 40) or _OPERATOR_BEFORE.search(text, before, start):
        return 2
    return 0 if _STATEMENT_BEFORE.search(text, before, start) else 1
