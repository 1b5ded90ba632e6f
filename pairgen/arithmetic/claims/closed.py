r"""Claims of closed arithmetic: a calculation of numbers alone and the result stated for it, or why there is none.

The engine reads generously, since a reading counts only if the result confirms it. Here a result is doubted, so the
reading itself must be beyond doubt: no letters, no words that join sentences, nothing left over on either side.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.expression import render
from pairgen.arithmetic.exact.literals import Literal, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio
from pairgen.arithmetic.exact.verification import is_one_number
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading import formulas, latex, plain, sentence
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
    ``sure`` is False if the words around it leave a doubt.
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


class _Calculation(NamedTuple):
    start: int
    written: str
    expression: str
    value: Ratio
    read: Read


def closed_claim(solution: Solution, step: Step) -> Claim | None:
    """What a step claims, if that is closed arithmetic; None if it is not, or not certainly."""
    literal = parse_literal(solution.text[step.start : step.stop])
    if literal is None or step.role or step.variable:
        return None
    if step.negated:
        literal = literal._replace(negative=not literal.negative)
    if step.sign < 0:
        calculation = _given(step)
    else:
        unit = _UNIT_LETTER.match(solution.visible, step.stop)
        calculation = _written_before(solution, step.sign, unit[1] if unit else "")
    if calculation is None:
        return None
    text = solution.visible
    before = text[max(0, calculation.start - CONTEXT) : calculation.start]
    sign = text[step.sign : step.start] if step.sign >= 0 else "="
    after = text[step.stop : step.stop + CONTEXT]
    return Claim(
        step.start,
        step.stop,
        calculation.expression,
        calculation.value,
        literal,
        step.percent,
        calculation.written,
        calculation.read,
        before,
        sign,
        after,
        not _leaves_doubt(before, calculation.written, after) and not (step.sign < 0 and _is_compound(before, after)),
    )


# ---------------------------------------------------------------- the calculation


def _written_before(solution: Solution, sign: int, unit: str) -> _Calculation | None:
    """The calculation that ends at an equals sign. ``unit`` is a letter that is no variable: the g of ``= 300 g``."""
    text = solution.visible
    if unit:
        text = re.sub(rf"(?<=\d) ?{unit}(?![A-Za-z])", lambda found: " " * len(found[0]), text[:sign])
    first = _in_latex(text, sign) if solution.is_latex else _in_text(text, sign)
    return first or _in_sentence(text, sign)


def _given(step: Step) -> _Calculation | None:
    """A calculation that the source annotates, or that stands on the line before."""
    value = evaluate_text(step.calculation)
    if value is None or is_one_number(step.calculation):
        return None
    return _Calculation(step.start, step.calculation, step.calculation, value, evaluate_text)


def _in_text(text: str, sign: int) -> _Calculation | None:
    """A calculation as the patterns of ``plain`` read it, without words that join sentences."""
    written = plain.calculation_before(text, sign)
    if written is None or _JOINS.search(written) or _LONE_LETTER.search(written) or has_unknown_words(written):
        return None
    return _calculation(sign - len(written), written, _ascii)


def _in_sentence(text: str, sign: int) -> _Calculation | None:
    """A calculation with longer units, if everything since the last border of a sentence is part of it."""
    window = text[max(0, sign - sentence.WINDOW) : sign]
    written = _since_border(window)
    if len(written) == sentence.WINDOW:
        return None
    if _LONE_LETTER.search(written) or has_unknown_words(written) or "\\" in written.replace("\\$", ""):
        return None
    try:
        expression = _from_sentence(written)
    except Unverified:
        return None
    if len(_NUMBER.findall(_NUMBER_WORD.sub("1", written))) != len(_NUMBER.findall(expression.replace("/100)", ")"))):
        return None
    return _calculation(sign - len(written), written, _from_sentence)


def _since_border(text: str) -> str:
    """The text behind the last word or sign that begins a clause."""
    borders = [border.end() for border in _BORDER.finditer(text)]
    return text[borders[-1] if borders else 0 :]


def _in_latex(text: str, sign: int) -> _Calculation | None:
    r"""A side of an equation in LaTeX, without any letter but those of commands and ``\text``."""
    side = formulas.side_before(text, sign)
    if _LATEX_LETTER.search(_LATEX_COMMAND.sub(" ", side)) or _UNITS_IN_FRACTION.search(side):
        return None
    return _calculation(sign - len(side), side, _from_latex)


def _calculation(start: int, written: str, transcribe: Callable[[str], str]) -> _Calculation | None:
    def read(other: str) -> Ratio | None:
        try:
            return evaluate_text(transcribe(other))
        except Unverified:
            return None

    try:
        expression = " ".join(transcribe(written).split())
    except Unverified:
        return None
    value = evaluate_text(expression)
    if value is None or is_one_number(expression) or not _OPERATION.search(expression):
        return None
    return _Calculation(start, written, expression, value, read)


def _ascii(written: str) -> str:
    return plain.to_ascii(written)


def _from_sentence(written: str) -> str:
    return sentence.transcribe(written, frozenset(), whole_side=True)


def _from_latex(written: str) -> str:
    return render(latex.read(written.strip("& \n"), frozenset()))


_OPERATION = re.compile(r"[-+*/]|sqrt")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*|\.\d+", re.ASCII)
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(word for word in NUMBER_WORDS if word != 'half')})\b", re.IGNORECASE)
# Words that are not units: behind them another clause begins.
_JOINS = re.compile(
    r"\b(?:because|since|so|then|thus|hence|therefore|if|when|while|where|which|that|who|but|and|or|as|than|is|are|was"
    r"|were|be|has|have|had|will|would|can|could|must|should|needs?|gets?|got|gives?|makes?|made|takes?|took|costs?"
    r"|spends?|spent|pays?|paid|sells?|sold|buys?|bought|eats?|ate|earns?|earned|uses?|used|he|she|it|they|we|you|i"
    r"|equals?|equal|left with|remains?|find|calculate|compute|multiply|divide|add|subtract)\b",
    re.IGNORECASE,
)
_BORDER = re.compile(
    rf"[;:=?!\n]|\.(?!\d)|,(?!\d{{3}})|{_JOINS.pattern}",
    re.IGNORECASE,
)
_UNIT_LETTER = re.compile(r" ?([gmlLhs])(?![A-Za-z])")
_LONE_LETTER = re.compile(r"(?<![A-Za-z'’])(?!x(?![a-z]) ?[\d$(.])[A-Zb-z](?![A-Za-z])")
# A word as an operand, or letters at a number that are no unit: `60 - Losses`, `.4(total apples)`, `2ab`.
_UNKNOWN = re.compile(
    rf"(?:[+*×÷·]\s*|- | -|\(\s*)(?!of\b|(?:{'|'.join(NUMBER_WORDS)})\b)[A-Za-z]"
    r"|\d(?!(?:[ckm]?m|k?g|m?l|lbs?|oz|ft|hrs?|mins?|mph|km/h|x)(?![A-Za-z])|[hLs]\b|st\b|nd\b|rd\b|th\b)[A-Za-z]"
)


def has_unknown_words(side: str) -> bool:
    """Whether words or letters in a side of an equation stand for numbers."""
    return _UNKNOWN.search(side) is not None


_LATEX_COMMAND = re.compile(
    r"\\(?:text|mbox|textrm|mathrm|hbox|textit|textnormal|operatorname) *\{[^{}]*\}|\\[a-zA-Z]+"
)
_LATEX_LETTER = re.compile(r"[A-Za-z_]")
_UNITS_IN_FRACTION = re.compile(r"frac *\{[^{}]*\\(?:text|mathrm)[^{}]*\{[^{}]*\}[^{}]*\} *\{[^{}]*\\(?:text|mathrm)")

# ---------------------------------------------------------------- what stands around it

# The statement goes on behind the number, so that it is not the result: `= 7 kg x ($4 + $2)`, `= 4M`, `= 18:30`.
_GOES_ON = re.compile(
    r"[^\n.,;:=?!]{0,60}?(?:[*×·÷+^]|(?<![A-Za-z])x(?= ?[$\d(])|/ ?(?:-?[$(\d]|[A-Za-z]\b)|[-–−] ?[$(]?\d"
    r"|\\(?:times|cdot|div|frac|sqrt|pi)"
    rf"|\b(?:times|plus|minus|divided by|multiplied by) (?:the )?(?:\$?[\d(]|(?:{'|'.join(NUMBER_WORDS)})\b))"
    r"|:\d|!|(?![hgmlsx]\b)[A-Za-z]\b|_"
)


def goes_on(text: str, stop: int) -> bool:
    """Whether the number that ends at ``stop`` is only the first of a right side."""
    return _GOES_ON.match(text, stop, stop + 80) is not None


# What makes arithmetic mean something else, or says that it is not asserted.
_OTHER_ARITHMETIC = re.compile(
    r"\bmod(?:ulo)?\b|pmod|\bcongruent|\bin base\b|\bbase[- ]\$?\d|\bbinary\b|\boctal\b|\bhexadecimal\b"
    r"|\bclock\b",
    re.IGNORECASE,
)
_TIME_OF_DAY = re.compile(r" ?(?:[ap]\.?m\b|o'clock|noon|midnight)", re.IGNORECASE)
_NOT_ASSERTED = re.compile(
    r"\b(?:if|suppose|whether|not|incorrect(?:ly)?|wrong(?:ly)?|mistaken(?:ly)?|instead of|try|guess|assum\w+)\b"
    r"[^.,:\n]{0,40}\Z",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\s*(?:\?|\(?(?:which )?(?:is|was) (?:not|wrong|incorrect|false|impossible))", re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:day|week|month|year|night|step|part|case|question|problem|round|level|phase|stage|trip|number|no|grade|room"
    r"|page|chapter|group|class|floor|line|row|option|player|equation|method|hour|section|lane|route|#)s? ?\Z",
    re.IGNORECASE,
)
_ARITHMETIC_BEFORE = re.compile(r"\d[\d.,%]* ?[-+*×÷x] ?[$(]?\d")
_DIGITS_BEFORE = re.compile(r"\d, ?\Z|[-+*/×÷] ?\. \Z|:\s?\Z(?<=\d:)")


_QUANTITY_BEFORE, _QUANTITY_AFTER = re.compile(r"\d[^.;\n]{0,25}\Z"), re.compile(r" ?[A-Za-z]+,? (?:and )?\d")


def _is_compound(before: str, after: str) -> bool:
    """Whether a conversion is of two units at once: ``1 hour and 30 minutes = 90 minutes``."""
    return bool(_QUANTITY_BEFORE.search(before) or _QUANTITY_AFTER.match(after))


def has_other_arithmetic(text: str) -> bool:
    """Whether a text is about numbers modulo another or in another base, or about a clock."""
    return _OTHER_ARITHMETIC.search(text) is not None


def _leaves_doubt(before: str, written: str, after: str) -> bool:
    """Whether words around a claim may give it another meaning."""
    return bool(
        _NOT_ASSERTED.search(before)
        or _DENIED.match(after)
        or _TIME_OF_DAY.match(after)
        or (_LABEL.search(before) and not written.startswith(("(", "$")))
        or _ARITHMETIC_BEFORE.search(_since_border(before))
        or _DIGITS_BEFORE.search(before)
    )
