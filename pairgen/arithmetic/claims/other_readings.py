"""Other readings of a calculation: usual ones, and those that leave a doubt."""

import re
from collections.abc import Iterator

from pairgen.arithmetic.claims import agreement
from pairgen.arithmetic.claims.closed import Claim
from pairgen.arithmetic.claims.other_units import is_hundred_off, mixes_units
from pairgen.arithmetic.claims.surroundings import names_a_part, since_border
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.expression import TOKEN
from pairgen.arithmetic.exact.literals import NUMBER
from pairgen.arithmetic.exact.ratios import Ratio, equal
from pairgen.arithmetic.exact.verification import matches

_TIGHT_FRACTION = re.compile(r"(?<![\d.,/])(\d+/\d+)(?![\d.,]*\d)", re.ASCII)
_MIXED_NUMBER = re.compile(r"(?<![\d.,/])(?:(\d+) )?(\d+/\d+)(?![\d.,]*\d)", re.ASCII)  # `1 1/2`
_OUT_OF = re.compile(rf"({NUMBER})(?: [a-z]+)? (?:out of|of) (?:the )?({NUMBER})(?: [a-z]+)?", re.ASCII)
_PERCENT_SIGN = re.compile(rf"({NUMBER}) ?(?:\\?%|per ?cent\b)", re.ASCII)
_DIVIDED_BY_PERCENT = re.compile(rf"(?<=/)( ?{NUMBER}) ?\\?%", re.ASCII)  # `$7500/75%`: for each percent
_HUNDRED_PERCENT = re.compile(r"\b100 ?(?:\\?%|per ?cent\b)", re.ASCII)
_PERCENT_MORE = re.compile(rf"\A([^%]+?) ?([-+]) ?({NUMBER}) ?\\?%\s*\Z", re.ASCII)  # `$80 - 25%`
_PRODUCT_BELOW = re.compile(r"(\\div|[/÷])\s*(\d+ ?\\(?:pi|sqrt\{\d+\})(?![a-zA-Z]))")  # `12\\pi \\div 6\\pi`
_PI = re.compile(r"\\pi(?![a-zA-Z])|π")
_MIXED = re.compile(r"(\d) ?(\\[dt]?frac)")
_RATE = re.compile(rf"(?<=[A-Za-z]{{2}}) ?/ ?{NUMBER}%?(?= [A-Za-z]{{2,}})", re.ASCII)
_LAST_QUOTIENT = re.compile(r"(?<=[/÷] )(\d+ [/÷] \d+)(?= ?\Z)", re.ASCII)
_FACTOR_BEFORE = re.compile(rf"({NUMBER})[^\d]+\Z", re.ASCII)  # `3 sets of `, before `4 + 2`
_DIVIDEND_BEFORE = re.compile(rf"({NUMBER}) ?: ?\Z", re.ASCII)  # `10 : ` before `2 + 3`
_DATE_BEFORE = re.compile(
    r"\b(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July|August|September"
    r"|October|November|December) \Z"
)
_LABEL = re.compile(r"\s*\d+ ?[-–−] ?(?=[\d$(]\S* ?[-+*/×÷])", re.ASCII)  # `Monday 5 - 12 + 3`
_HYPHENATED = re.compile(r"(?<![\d.,/])(\d+)-(\d+/\d+)(?![\d.,]*\d)", re.ASCII)  # `2-3/4 cups`
_DIVISOR_AT_BRACKETS = re.compile(r"([/÷] ?)(\d+ ?\([^()]*\))", re.ASCII)  # `6/2(1+2)`
_RANGE = re.compile(r"\s*(?:(\d+)[-–−—](\d+)|(1\d{3}|20\d\d) [-–−—] (1\d{3}|20\d\d))\s*", re.ASCII)
_IN_FORMULA = re.compile(r"(?:[=&$]|\\[(\[])\s*\Z")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+(?![\d.,]*\d)", re.ASCII)
_OF = re.compile(rf"\bof (?:the )?\$?{NUMBER}(?: [a-z]+)?", re.ASCII)


def usual_values(claim: Claim) -> Iterator[Ratio]:
    """The value, then those of readings that are as usual: ``7/12 / 1/12`` of two fractions, ``* 100%`` in percent."""
    yield claim.value
    written = claim.written
    readings = [_TIGHT_FRACTION.sub(r"(\1)", written)]
    if " ÷ " in written or " / " in written:
        readings.append(
            _MIXED_NUMBER.sub(lambda found: f"({found[1]}+{found[2]})" if found[1] else f"({found[2]})", written)
        )
    if (parts := _OUT_OF.fullmatch(written.strip())) is not None:
        readings.append(f"{parts[1]}/{parts[2]}")
    if "%" in written or "ercent" in written:
        readings.append(_PERCENT_MORE.sub(r"(\1)*(100\2\3)/100", written))
        readings.append(_HUNDRED_PERCENT.sub("100", written))
        readings.append((_PERCENT_SIGN if claim.percent else _DIVIDED_BY_PERCENT).sub(r"\1", written))
    if "div" in written or "/" in written:
        readings.append(_PRODUCT_BELOW.sub(r"\1(\2)", written))
    if "frac" in written:
        readings.append(_MIXED.sub(r"\1*\2", written))
    if not claim.is_exact:
        readings += [_PI.sub(number, written) for number in ("(3.14)", "(3.1416)", "(22/7)", "(3)")]
    yield from _values(claim, readings)


def is_doubtful(claim: Claim) -> bool:
    """Whether a less usual reading of the claim is right, or its context leaves a doubt."""
    return (
        not claim.sure
        or is_part_of_something(claim)
        or is_size_of_negative(claim)
        or is_hundred_off(claim)
        or mixes_units(claim)
        or is_range(claim)
        or is_not_equal(claim)
        or has_grouping_dots(claim)
        or is_part_of_result(claim)
        or any(agreement.states(claim, value) for value in _loose_values(claim))
    )


def is_part_of_result(claim: Claim) -> bool:
    """Whether what is stated may be part of the result: ``the units digit of 7 * 8 = 6``, which is less than it."""
    (top, bottom), (value_top, value_bottom) = claim.literal.value, claim.value
    return top * value_bottom < value_top * bottom and names_a_part(claim.before, claim.written)


def _loose_values(claim: Claim) -> Iterator[Ratio]:
    """Readings without a number that only describes (``4 cups/10 minutes x 6``), and without precedence."""
    written = claim.written
    readings = [
        written[: found.start()] + written[found.end() :]
        for pattern in (_RATE, _OF)
        for found in pattern.finditer(written)
    ]
    if (factor := _FACTOR_BEFORE.search(since_border(claim.before))) is not None:
        readings.append(f"{factor[1]}*{written.strip()}")
    if (dividend := _DIVIDEND_BEFORE.search(claim.before)) is not None:
        readings.append(f"{dividend[1]}/{written.strip()}")
    if _DATE_BEFORE.search(claim.before) and (label := _LABEL.match(written)) is not None:
        readings.append(written[label.end() :])
    readings.append(_HYPHENATED.sub(r"(\1+\2)", written))
    readings.append(_DIVISOR_AT_BRACKETS.sub(r"\1(\2)", written))
    readings.append(_LAST_QUOTIENT.sub(r"(\1)", written))
    _, of, rest = written.partition(" of ")
    yield from _values(claim, [*readings, *([rest.removeprefix("the ")] if of else [])])
    in_order = from_left_to_right(claim.expression)
    if in_order is not None:
        yield in_order


def _values(claim: Claim, readings: list[str]) -> Iterator[Ratio]:
    for reading in readings:
        if reading != claim.written and (value := claim.read(reading)) is not None:
            yield value


def from_left_to_right(expression: str) -> Ratio | None:
    """The value without precedence: ``5 + 3*2`` as 16; None if the expression has brackets or is not flat."""
    tokens = TOKEN.findall(expression)
    if len(tokens) < 5 or len(tokens) % 2 == 0 or not set(tokens[1::2]) <= set("+-*/"):
        return None
    text = tokens[0]
    for operator, operand in zip(tokens[1::2], tokens[2::2], strict=True):
        text = f"({text}){operator}{operand}"
    return evaluate_text(text)


_LARGEST_PART = 12
"""Largest denominator of a part of something; ``20/60`` is a calculation."""
_ONE_FRACTION = re.compile(r"\(?(\d+) ?/ ?(\d+)\)?")


def is_part_of_something(claim: Claim) -> bool:
    """Whether a part of something is said to be a quantity: ``Since 2/3 is equal to $20``, ``1/2 a cup = 4 ounces``.

    That takes words; ``4/6 = 5/3`` has none. Units in a quotient can also make it one: ``8 miles / 1 hour = 1``.
    """
    found = _ONE_FRACTION.fullmatch(claim.expression)
    if found is None:
        return False
    top, bottom = claim.literal.value
    if "\\text" in claim.written or "\\mathrm" in claim.written:
        return top == bottom
    if int(found[1]) >= int(found[2]) or abs(top) < bottom:
        return False
    if claim.sign[:1] != "=":
        return True
    if int(found[2]) > _LARGEST_PART or claim.literal.decimals:
        return False
    says_of_what = _WORD.search(claim.written) or (claim.literal.denominator == 1 and _WORD.match(claim.after.lstrip()))
    return bool(says_of_what)


_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}|\$")


_SHORTFALL = re.compile(
    r"\b(?:less|fewer|short|loss|lost|behind|below|under|decrease|difference|debt|owe[sd]?|deficit|down|negative)\b",
    re.I,
)


def is_size_of_negative(claim: Claim) -> bool:
    """Whether the size of a negative result is stated in words: ``5 - 8 = 3 less``."""
    top, bottom = claim.value
    return (
        top < 0
        and matches(claim.literal, (-top, bottom))
        and _SHORTFALL.search(f"{claim.before[-60:]} {claim.after[:40]}") is not None
    )


def is_range(claim: Claim) -> bool:
    """Whether the calculation may be a range, whose length is stated: ``2019-2021 = 3 seasons``.

    Without spaces, unless both are years.
    """
    found = _RANGE.fullmatch(claim.written)
    if found is None or claim.literal.negative or _IN_FORMULA.search(claim.before):
        return False
    first, last = (int(number) for number in found.groups() if number)
    return first < last


def is_not_equal(claim: Claim) -> bool:
    """Whether ``!=`` may stand between the sides, rather than a factorial and an equals sign."""
    return claim.written.endswith("!") and claim.sign[:1] == "="


def has_grouping_dots(claim: Claim) -> bool:
    """Whether the claim is right if dots group digits: ``1.200 + 300 = 1.500``."""
    literal = claim.literal
    stated = [literal.value]
    if literal.decimals and literal.decimals % 3 == 0 and literal.denominator == 1:
        stated.append((-literal.numerator if literal.negative else literal.numerator, 1))
    reading = _GROUPED.sub(lambda found: found[0].replace(".", ""), claim.written)
    if reading == claim.written and len(stated) == 1:
        return False
    return any(equal(value, other) for value in [claim.value, *_values(claim, [reading])] for other in stated)
