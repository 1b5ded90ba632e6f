r"""Claims of closed arithmetic: a calculation of numbers alone and the result stated for it, or why there is none.

The engine reads generously, since a reading counts only if the result confirms it. Here a result is doubted, so the
reading itself must be beyond doubt: no letters, no words that join sentences, nothing left over on either side.
"""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from pairgen.arithmetic.claims.mixed_units import mixes
from pairgen.arithmetic.claims.surroundings import is_compound, joins, leaves_doubt, since_border
from pairgen.arithmetic.exact.evaluate import evaluate_text, exact
from pairgen.arithmetic.exact.expression import parse, render
from pairgen.arithmetic.exact.literals import Literal, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio
from pairgen.arithmetic.exact.surds import approximation
from pairgen.arithmetic.exact.verification import is_one_number
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading import border, formulas, latex, plain, sentence, units
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.reading.tokens import NUMBER_WORDS
from pairgen.arithmetic.solution import Solution

Read = Callable[[str], Ratio | None]
"""The exact value of a calculation as written; None if it cannot be read or has no rational value."""

CONTEXT = 120
"""Code points around a claim in which words that change its meaning are looked for."""


class Claim(NamedTuple):
    """A calculation, and the number stated as its result.

    ``written`` is the calculation as in the text and ``read`` its reader, so that other readings of it can be tried.
    ``before`` is the text before it, ``sign`` what stands between it and the number, and ``after`` what follows.
    ``value`` is exact if ``is_exact``, else a rational number near it. ``sure`` is False if the words around the claim
    leave a doubt.
    """

    start: int
    stop: int
    expression: str
    value: Ratio
    literal: Literal
    percent: bool
    written: str
    read: Read
    before: str
    sign: str
    after: str
    sure: bool
    is_exact: bool


class Calculation(NamedTuple):
    """A calculation as written, as ASCII arithmetic, and its value; ``read`` reads other ways of writing it."""

    start: int
    written: str
    expression: str
    value: Ratio
    read: Read
    is_exact: bool = True


def closed_claim(solution: Solution, step: Step) -> Claim | None:
    """What a step claims, if that is closed arithmetic; None if it is not, or not certainly."""
    literal = parse_literal(solution.text[step.start : step.stop])
    if literal is None or step.role or step.variable:
        return None
    if step.negated:
        literal = literal._replace(negative=not literal.negative)
    unit = _UNIT_LETTER.match(solution.visible, step.stop)
    calculation = _given(step) if step.sign < 0 else _written_before(solution, step.sign, unit[1] if unit else "")
    if calculation is None:
        return None
    sign = solution.visible[step.sign : step.start] if step.sign >= 0 else "="
    after = solution.visible[step.stop : step.stop + CONTEXT]
    claim = _claim(solution, calculation, literal, sign, after)
    is_sure = claim.sure and not (step.sign < 0 and _is_of_two_units(solution.visible, step))
    return claim._replace(start=step.start, stop=step.stop, percent=step.percent, sure=is_sure)


def _is_of_two_units(text: str, step: Step) -> bool:
    """Whether a conversion is of two units at once: ``1 hour and 30 minutes = 90 minutes``."""
    found = units.conversion.search(text, max(0, step.start - 60), step.stop + 20)
    return found is not None and found.start(3) == step.start and is_compound(text[: found.start()], text[step.stop :])


def calculation_before(solution: Solution, sign: int) -> Calculation | None:
    """The closed calculation that ends at an equals sign; None if there is none, or not certainly."""
    return _written_before(solution, sign, "")


def claim_of(solution: Solution, calculation: Calculation) -> Claim:
    """A calculation as a claim, whose number is still to be filled in."""
    return _claim(solution, calculation, Literal(0), "=", "")


def _claim(solution: Solution, calculation: Calculation, literal: Literal, sign: str, after: str) -> Claim:
    start, written, expression, value, read, is_exact = calculation
    before = solution.visible[max(0, start - CONTEXT) : start]
    stop = start + len(written)
    has_decimal_comma = solution.text.count(",", start, stop) > solution.visible.count(",", start, stop)
    in_text = solution.visible[start:stop]  # with the letters that are units
    if any(letter not in (" ", other) for letter, other in zip(written, in_text, strict=False)):
        in_text = written  # of another line
    has_doubt = leaves_doubt(before, written, after) or mixes(before, in_text, sign, after)
    sure = not has_doubt and not has_decimal_comma
    return Claim(
        start,
        start + len(written),
        expression,
        value,
        literal,
        False,
        written,
        read,
        before,
        sign,
        after,
        sure,
        is_exact,
    )


# ---------------------------------------------------------------- the calculation


def _written_before(solution: Solution, sign: int, unit: str) -> Calculation | None:
    """The calculation that ends at an equals sign; ``unit`` is the letter behind its result, if that may be a unit."""
    first = max(0, sign - _REACH)
    window = _without_unit_letters(solution.visible[first:sign], unit, solution.values.keys())
    found = _in_latex(window, len(window)) if solution.is_latex else _in_text(window, len(window))
    found = found or _in_sentence(window, len(window))
    return found and found._replace(start=first + found.start)


_REACH = sentence.WINDOW + border.REACH
"""Code points before an equals sign that are read."""


def _without_unit_letters(text: str, unit: str, unknowns: Collection[str]) -> str:
    """A text that ends at an equals sign, with letters that are units as spaces: ``200 g + 100 g = 300 g``.

    A letter is a unit if it stands apart from its number, or if it follows the result or every number.
    """
    start = max(text.rfind("\n") + 1, text.rfind("=") + 1, len(text) - sentence.WINDOW, 0)
    side = text[start:]
    letters = sorted({match[1] for match in _UNIT_IN_SIDE.finditer(side)} - set(unknowns))
    if letters:
        side = re.sub(rf"(?<=[A-Za-z])/[{''.join(letters)}](?![A-Za-z])", _spaces, side)  # first: the s of `m/s`
    for letter in letters:
        is_unit = letter == unit or len(re.findall(rf"\d ?{letter}\b", side)) == len(_NUMBER.findall(side))
        apart = " ?" if is_unit else " "
        side = re.sub(rf"(?<=\d){apart}{letter}(?![A-Za-z])", _spaces, side)
        side = re.sub(rf"(?<=\d) (?:sq|square|cubic) {letter}(?![A-Za-z])", _spaces, side)
    return text[:start] + side


def _spaces(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _given(step: Step) -> Calculation | None:
    """A calculation that the source annotates, or that stands on the line before."""
    value = evaluate_text(step.calculation)
    if value is None or is_one_number(step.calculation):
        return None
    return Calculation(step.start, step.calculation, step.calculation, value, evaluate_text)


def _in_text(text: str, sign: int) -> Calculation | None:
    """A calculation as the patterns of ``plain`` read it, without words that join sentences."""
    written = plain.calculation_before(text, sign)
    if written is None or joins(written) or _LONE_LETTER.search(written) or has_unknown_words(written):
        return None
    return _calculation(sign - len(written), written, plain.to_ascii)


def _in_sentence(text: str, sign: int) -> Calculation | None:
    """A calculation with longer units, if everything since the last border of a sentence is part of it."""
    window = text[max(0, sign - sentence.WINDOW) : sign]
    written = since_border(window)
    if len(written) == sentence.WINDOW:
        return None
    if len(_REMARK.findall(written)) == len(_NUMBER.findall(written)):  # `$20 (shirt) + $30 (pants)`
        written = _REMARK.sub(_spaces, written)
    if _LONE_LETTER.search(written) or has_unknown_words(written) or "\\" in written.replace("\\$", ""):
        return None
    try:
        expression = _from_sentence(written)
    except Unverified:
        return None
    words = _FIRST_NUMBER.match(written)
    start = sign - len(written) + (words.end() if words else 0)
    if border.continues(text[max(0, start - border.REACH) : start][::-1], 0, text[start:sign]):
        return None
    if len(_NUMBER.findall(_NUMBER_WORD.sub("1", written))) != len(_NUMBER.findall(expression.replace("/100)", ")"))):
        return None
    return _calculation(sign - len(written), written, _from_sentence)


def _in_latex(text: str, sign: int) -> Calculation | None:
    r"""A side of an equation in LaTeX, without any letter but those of commands and ``\text``."""
    side = formulas.side_before(text, sign)
    if _LATEX_LETTER.search(_LATEX_COMMAND.sub(" ", side)):
        return None
    return _calculation(sign - len(side), side, _from_latex)


def _calculation(start: int, written: str, transcribe: Callable[[str], str]) -> Calculation | None:
    def read(other: str) -> Ratio | None:
        try:
            return _value(transcribe(other))
        except Unverified:
            return None

    try:
        expression = " ".join(transcribe(written).split())
    except Unverified:
        return None
    value = _value(expression)
    if value is None or is_one_number(expression) or not _OPERATION.search(expression):
        return None
    return Calculation(start, written, expression, value, read, evaluate_text(expression) is not None)


def _value(expression: str) -> Ratio | None:
    """The value of an expression, exact or near it; None if it has none or an unknown is in it."""
    value = evaluate_text(expression)
    if value is not None or ("sqrt" not in expression and "pi" not in expression):
        return value
    expr = parse(expression)
    surd = None if expr is None else exact(expr)
    return approximation(surd) if isinstance(surd, dict) else None


def _from_sentence(written: str) -> str:
    return sentence.transcribe(written, frozenset(), whole_side=True)


def _from_latex(written: str) -> str:
    return render(latex.read(written.strip("& \n"), frozenset()))


_OPERATION = re.compile(r"[-+*/]|sqrt")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*|\.\d+", re.ASCII)
_REMARK = re.compile(r"(?<=[\d%]) \([A-Za-z][^()\d]*\)")
_FIRST_NUMBER = re.compile(r"[^\d$(.]*")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(word for word in NUMBER_WORDS if word != 'half')})\b", re.IGNORECASE)
_UNIT_LETTER = re.compile(r" ?([gmlLhs])(?![A-Za-z])")
_UNIT_IN_SIDE = re.compile(r"(?:\d ?|/|(?:sq|square|cubic) )([gmlLhs])(?![A-Za-z])")
_LONE_LETTER = re.compile(r"(?<![A-Za-z'’])(?!x(?![a-z]) ?[\d$(.])[A-Zb-z](?![A-Za-z])")
_TO_NUMBER = (
    r"(?:(?!(?:half|twice|thrice|double|triple|third|quarter|of|to|from|by|less|more|than|per)\b)[a-z]+(?:['’]s?)? )"
    r"{1,3}\$?\d"
)
# A word as an operand, or letters at a number that are no unit: `60 - Losses`, `.4(total apples)`, `2ab`. But words
# may stand between an operator and its number: `2 * the 10 marbles`.
_UNKNOWN = re.compile(
    rf"(?:[+*×÷·]\s*|- | -|\(\s*)(?!of\b|(?:{'|'.join(NUMBER_WORDS)})\b)(?!{_TO_NUMBER})[A-Za-z]"
    r"|\d(?!(?:[cdkmn]m|[kmn]?g|[cdkm]?l|ft|in|lb|oz|hr|mi|yd|pt|qt|kw|wh|[kmgt]b|mph|min|sec|cents?|km/h|x)s?(?![A-Za-z])"
    r"|[hs]\b|st\b|nd\b|rd\b|th\b)[A-Za-z]",
    re.IGNORECASE,
)


def has_unknown_words(side: str) -> bool:
    """Whether words or letters in a side of an equation stand for numbers."""
    return _UNKNOWN.search(side) is not None


_LATEX_COMMAND = re.compile(
    r"\\(?:text|mbox|textrm|mathrm|hbox|textit|textnormal|operatorname) *\{[^{}]*\}|\\[a-zA-Z]+"
)
_LATEX_LETTER = re.compile(r"[A-Za-z_]")
