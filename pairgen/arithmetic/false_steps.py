"""Steps of a solution that are false: closed arithmetic whose value is not the one stated.

What people write for right is not false: rounded or truncated results, cents for dollars, percentages, other units,
quotients with a remainder, and whatever is not certain to be read as it was meant.
"""

import re
from collections.abc import Iterator
from functools import lru_cache, reduce
from itertools import permutations
from typing import NamedTuple

from pairgen.arithmetic.exact.evaluate import evaluate, evaluate_text
from pairgen.arithmetic.exact.expression import render
from pairgen.arithmetic.exact.literals import NUMBER, Literal, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio, add, divide, multiply, reduced, subtract
from pairgen.arithmetic.exact.verification import is_one_number, matches
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading import formulas, latex
from pairgen.arithmetic.reading.plain import calculation_before, supposed_calculation_before, to_ascii
from pairgen.arithmetic.reading.steps import Step, step_of
from pairgen.arithmetic.reading.tokens import NUMBER_WORDS
from pairgen.arithmetic.reading.units import SIZE_RATIOS, units_in
from pairgen.arithmetic.solution import Solution


class FalseStep(NamedTuple):
    """A false step: the calculation as ASCII arithmetic, its value, and the step that states another one."""

    step: Step
    expression: str
    value: Ratio


def false_steps(solution: Solution) -> Iterator[FalseStep]:
    """The false steps of a solution; where a source marks its results, those that it marks, then those of the text."""
    steps = [*solution.found, *solution.found_in_text()] if solution.annotated else solution.found
    for found in steps:
        if isinstance(found, re.Match) and _is_plainly_true(found):
            continue
        step = step_of(found)
        if not step.role and (false := _judged(solution, step)) is not None:
            yield false


# From right to left, the commonest calculations: ` 4 * 6`, `pens 4.50 * 6 boxes`, `$1 + $2 + 3`, and nothing that goes
# on before them.
_WORDS_BETWEEN, _NUMBER = r"(?:[a-zA-Z]{2,15} ){0,2}", r"((?:\d{1,4}\.)?\d{1,9})\$?"
_NOTHING_BEFORE = r"(?!\$? ?[-+*/×÷·−–^.,:%)\dxX=])"
_TWO_NUMBERS = re.compile(
    rf" ?{_WORDS_BETWEEN}{_NUMBER} ?([-+*/x]) ?{_WORDS_BETWEEN}{_NUMBER}{_NOTHING_BEFORE}", re.ASCII
).match
_SUM = re.compile(rf" ?((?:\d{{1,9}}\$? ?\+ ?){{2,8}}\d{{1,9}})\$?{_NOTHING_BEFORE}", re.ASCII).match
_WINDOW = 72


def _is_plainly_true(result: re.Match[str]) -> bool:
    """Whether two numbers or a sum give the result: most steps are that; only the others are looked at closely."""
    sign, stated = result.start(), result.group(1)
    window = result.string[sign - 1 : sign - _WINDOW if sign >= _WINDOW else None : -1]
    two = _TWO_NUMBERS(window)
    if two is None:
        terms = _SUM(window) if stated.isdecimal() else None
        return terms is not None and int(stated) == sum(int(term.strip("$ ")) for term in terms[1][::-1].split("+"))
    if not stated.replace(".", "", 1).isdecimal():
        return False
    second, operator, first = two.groups()
    (left, left_decimals), (right, right_decimals) = _scaled(first[::-1]), _scaled(second[::-1])
    value, decimals = _scaled(stated)
    left_unit, right_unit, unit = (int(10**places) for places in (left_decimals, right_decimals, decimals))
    if operator == "/":
        return left * right_unit * unit == value * right * left_unit
    if operator in "+-":
        other = right * left_unit
        total = left * right_unit + (other if operator == "+" else -other)
    else:
        total = left * right
    return total * unit == value * left_unit * right_unit


def _scaled(number: str) -> tuple[int, int]:
    """A number without its decimal point, and its number of decimals: ``4.50`` is 450 and 2."""
    if number.isdecimal():
        return int(number), 0
    integer, _, decimals = number.partition(".")
    return int(integer + decimals), len(decimals)


def _judged(solution: Solution, step: Step) -> FalseStep | None:
    text = solution.visible
    literal = parse_literal(text[step.start : step.stop])
    if literal is None or (step.sign >= 0 and text[step.sign] != "="):  # `1/4 of it is equal to $20` does not calculate
        return None
    if step.sign < 0 and not solution.annotated:  # the calculation is not written: `Half of 318 is 150`
        return None
    if step.sign >= 0 and solution.is_latex:
        return _judged_formula(solution, step, literal)
    written = step.calculation if step.sign < 0 else supposed_calculation_before(text, step.sign)
    if not written:
        return None
    expression, value = _evaluated(written)
    if value is None or _states(literal, value, step) or _is_doubtful(solution, step, written, expression):
        return None
    if step.sign >= 0 and calculation_before(text, step.sign) is None:
        return None
    return FalseStep(step, expression, value)


@lru_cache(1 << 14)
def _evaluated(written: str) -> tuple[str, Ratio | None]:
    expression = to_ascii(written)
    return expression, None if is_one_number(expression) else evaluate_text(expression)


def _judged_formula(solution: Solution, step: Step, literal: Literal) -> FalseStep | None:
    side = formulas.side_before(solution.visible, step.sign)
    try:
        expr = latex.read(side, frozenset())
    except Unverified:
        return None
    value = evaluate(expr)
    if value is None or _states(literal, value, step) or formulas.continues(solution.visible, step.sign, side):
        return None
    expression = render(expr)
    if is_one_number(expression) or _is_doubtful(solution, step, side, expression):
        return None
    return FalseStep(step, expression, value)


def _states(literal: Literal, value: Ratio, step: Step) -> bool:
    """Whether a literal states a value, at its precision or that of the calculation."""
    if step.negated:
        value = -value[0], value[1]
    return matches(literal, value) or (step.percent and matches(literal, (value[0] * 100, value[1])))


def recomputed_values(solution: Solution) -> list[Ratio]:
    """What calculations give whose stated results differ, however they were read: none of it is a wrong value."""
    values = []
    for step in solution.steps[:MAX_CHECKED]:
        try:
            solution.check(step)
        except Unverified as error:
            if error.value is not None:
                values.append(error.value)
    return values


def is_form_of(literal: Literal, value: Ratio) -> bool:
    """Whether a literal is a value, up to sign, rounded or truncated, as a percentage or as a hundredth."""
    top, bottom = literal.value
    scale = 1 if literal.denominator != 1 else 10**literal.decimals
    for one, other in ((1, 1), (100, 1), (1, 100)):
        value_top, value_bottom = abs(value[0]) * one, value[1] * other
        gap = abs(abs(top) * value_bottom - value_top * bottom)
        if not gap or (literal.denominator == 1 and gap * scale < value_bottom * bottom):
            return True
    return False


def combined_values(text: str, start: int) -> list[Ratio]:
    """What two of the last numbers before ``start`` in its sentence give, and their sum and product.

    A number stated in words may be any of these: ``The sum of 3 and 4 is``.
    """
    sentence = _SENTENCE_START.sub("", text[max(0, start - 160) : start].lower())
    if "\\" in sentence:  # a formula: its numbers are not what the words around it combine
        return []
    written = [NUMBER_WORDS.get(found, found) for found in _NUMBER_OR_WORD.findall(sentence)]
    literals = [literal for found in written if (literal := parse_literal(found)) is not None]
    numbers = [literal.value for literal in literals if literal.numerator][-MAX_COMBINED:]
    values = [reduce(add, numbers), reduce(multiply, numbers)] if numbers else []
    for one, other in permutations(numbers, 2):
        values += [add(one, other), subtract(one, other), multiply(one, other), divide(one, other)]
    return values


MAX_COMBINED = 4
"""Maximum number of numbers combined."""
_SENTENCE_START = re.compile(r".*(?:[.?!;]\s|\n)", re.DOTALL)
_NUMBER_OR_WORD = re.compile(rf"{NUMBER}|\b(?:{'|'.join(word for word in NUMBER_WORDS if word != 'half')})\b", re.ASCII)

MAX_CHECKED = 256
"""Maximum number of results recomputed per solution."""


# ---------------------------------------------------------------- what is not certain

# Words that change what a calculation means: `20% of the $400 + $1580`, `2 groups of 7 * 4`, `44 x 55 in base 7`.
_OTHER_ARITHMETIC = re.compile(r"\b(?:mod|modulo|base|clock|congruent)\b|mod\b|\\equiv|\d_\{?\d", re.IGNORECASE)
_UNCERTAIN = re.compile(
    r"\bof\b|\bper\b|[a-z]\s*\d*\s*-\s*[a-z]|/[^*+×-]*/|\d *\\[dt]?frac"
    r"|\b(?:dozen|pair|hundred|thousand|million|billion)|\d ?(?!x ?[\d$(.])[a-z]\b|\A *[-+]",
    re.IGNORECASE,
)
_PERCENTAGE = re.compile(r" *[\d.]+% of (?:the )?\$?[\d.,]+ *", re.ASCII)  # all of a calculation: `20% of 50`
_ONE_FRACTION = re.compile(r"\(*\d+/\d+\)*", re.ASCII)
_WORDS = re.compile(r"(?<!\\)\b[a-z]{2}|\\text", re.IGNORECASE)
_BROKEN_NUMBER = re.compile(r"(?:\d,|[-+*/×÷] ?\.) ?\$?\Z")  # `14, 400 / 80`, `+ . 84`
_CLAUSE = re.compile(r"\d ?[-+*/×÷] ?\$?\d[^.,;:=\n]*\Z")  # `she adds 20 + 10 to the `
_LABEL = re.compile(
    r"\b(?<!total )(?<!sum )(?:of|day|week|month|year|step|case|part|problem|question|number|no\.?) \Z", re.IGNORECASE
)
# Behind the result, what shows that it goes on, or is no plain number. Examples: `M`, `/shirt * 10`, ` remainder 3`.
_GOES_ON = re.compile(
    r"\}?\$?(?: ?(?![aAI] )[A-Za-z](?![A-Za-z])|[\s.…]*\.\."
    r"|(?: ?/? ?[A-Za-z]+){0,4} ?(?:[*/+×÷^-]|x(?= ?[\d$])) ?[\w$(\\]"
    r"|[ \\]*(?:\(?mod|pmod|(?:and ?\(?\d+ ?/|(?:[Rr]|remainder) ?\(?\d)))"
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|supposing|assum\w+|whether|let|not|n't|never|wrong\w*|incorrect\w*|mistake\w*|instead)\b[^.,;:]{0,40}\Z",
    re.IGNORECASE,
)
_MONEY = re.compile(r"%|\bper ?cent|\$|¢|\bcents?\b|\bpenn|\bdollar|\bnickel|\bdime|\bquarter|\bcoin", re.IGNORECASE)
_LARGE = re.compile(r"thousand|million|billion|\bk|\dk\b|\dM\b|kilo|milli|\bm[lg]\b|\bton", re.IGNORECASE)


def _is_doubtful(solution: Solution, step: Step, written: str, expression: str) -> bool:
    """Whether a stated value that is not the calculated one may be right, or the calculation another one."""
    text = solution.visible
    literal = parse_literal(text[step.start : step.stop])
    _, value = _evaluated(expression)
    if literal is None or value is None or _is_rounded(literal, value, expression):
        return True
    start = step.sign - len(written) if step.sign >= 0 else step.start
    before, after = text[max(0, start - 80) : start], text[step.stop : step.stop + 40]
    if (
        (_UNCERTAIN.search(written) and not _PERCENTAGE.fullmatch(written))
        or _GOES_ON.match(after)
        or _BROKEN_NUMBER.search(before)
        or _CLAUSE.search(before)
        or _LABEL.search(before)
        or (_ONE_FRACTION.fullmatch(expression) and (_WORDS.search(written) or before.endswith("and ")))
        or _OTHER_ARITHMETIC.search(text, 0, solution.stop)
        or (step.sign >= 0 and _SUPPOSED.search(before))
    ):
        return True
    return _is_in_other_unit(literal, value, f"{before}{written} = {after[:25]}")


def _is_rounded(literal: Literal, value: Ratio, expression: str) -> bool:
    """Whether a literal is a value rounded or truncated, or both are near and come from rounded numbers."""
    (top, bottom), (value_top, value_bottom) = literal.value, reduced(value)
    gap = abs(abs(top) * value_bottom - abs(value_top) * bottom)  # in units of 1 / (bottom * value_bottom)
    if literal.denominator == 1 and value_bottom != 1 and gap * 10**literal.decimals < value_bottom * bottom:
        return True
    may_be_rounded = "." in expression or literal.decimals > 0 or literal.numerator % 100 == 0
    return may_be_rounded and gap * 100 < abs(value_top) * bottom


def _is_in_other_unit(literal: Literal, value: Ratio, around: str) -> bool:
    """Whether one is a multiple of the other by a factor between units, and such units are near."""
    (top, bottom), (value_top, value_bottom) = literal.value, value
    if not top or not value_top:
        return False
    ratio = reduced((abs(top * value_bottom), abs(bottom * value_top)))
    if 1 not in ratio and (ratio := _near_hundred(ratio)) != (100, 1):
        return False
    factor = max(ratio)
    if factor == 1:  # a loss stated without its sign
        return True
    if factor == 100:
        return _MONEY.search(around) is not None or _has_units(factor, around)
    if factor in (1000, 10**6) and _LARGE.search(around):
        return True
    return _has_units(factor, around)


def _near_hundred(ratio: Ratio) -> Ratio:
    """100 to 1 if the ratio is within one in a thousand of it: a rounded percentage."""
    top, bottom = max(ratio), min(ratio)
    return (100, 1) if abs(top - 100 * bottom) * 1000 < 100 * bottom else ratio


def _has_units(factor: int, around: str) -> bool:
    return factor in SIZE_RATIOS and len(units_in(around)) > 1
