"""Quantities in different units of one kind, which their numbers alone do not tell: ``1 km - 400 m = 600``."""

import re
from itertools import combinations, product
from typing import NamedTuple

_KINDS = (
    "second sec s|minute min|hour hr h|day|week|fortnight|month|year yr|decade|century centurie",
    "millimeter mm|centimeter cm|dm|meter metre m|kilometer kilometre km|inch inche in|foot feet ft|yard yd|mile mi",
    "mg milligram|gram g|kilogram kilo kg|ounce oz|pound lb|ton tonne",
    "milliliter millilitre ml|cl|dl|liter litre l|teaspoon tsp|tablespoon tbsp|cup|pint pt|quart qt|gallon gal",
    "dollar $ buck|cent ¢ penny pennie|nickel|dime|quarter",
    "ten|hundred|thousand k|million|billion|trillion|dozen|score|pair",
)
_UNITS = {
    name: (kind, index)
    for kind, units in enumerate(_KINDS)
    for index, names in enumerate(units.split("|"))
    for name in names.split()
}
_LENGTH, _COUNT = 1, 5
_HOUR = _UNITS["hour"]

Unit = tuple[int, int]
"""A kind of quantity, and a unit of it."""


class Quantity(NamedTuple):
    """What stands at a number: its unit, and that after ``per``; None for each that is not known."""

    unit: Unit | None
    per: Unit | None


_TEXT = r"(?:\\[a-z]+\{ ?)?"  # `\text{`
_BEHIND = (
    rf"[ -]?{_TEXT}(?P<unit>(?!(?:an?|per|each|every)\b)[A-Za-z]+|¢)?\}}?"
    rf"(?: ?(?:/|\bper |\ban? |\beach |\bevery ){_TEXT} ?(?P<per>[A-Za-z]+))?"
)
_QUANTITY = re.compile(rf"(?P<money>\$ ?)?(?P<number>\d+(?:[.,]\d+)*(?: ?\d*/\d+)?)\)?{_BEHIND}", re.ASCII)
_RESULT = re.compile(_BEHIND, re.ASCII)
_COMPOUND_RESULT = re.compile(r"[ -]?([A-Za-z]+),?(?: and)? \d[\d.,]*[ -]?([A-Za-z]+)")
_QUANTITY_BEFORE = re.compile(r"\d[ -]?([A-Za-z]+),?(?: and)? \Z")
_TERMS = re.compile(r"(?<=[\w%)}¢€.$])\s*[+−–]\s*(?=[\w$(.\\€£])|(?<=[\w%)}¢$])\s+-\s*(?=[\d$(.\\])|\b(?:plus|minus)\b")
_DIVISOR = re.compile(rf"[/÷] ?\$?\d+(?:[.,]\d+)*{_BEHIND}", re.ASCII)  # `/ 4 jumps per minute`: no factor
_AREA = re.compile(r" ?(?:\\text\{ ?)?(?:sq|square|cubic|cu)\b|[ ~]?(?:\\[a-z]+\{ ?)?[a-z]{1,3}\}?(?:[²³]|\^ ?\{?[23])")


def mixes(before: str, written: str, sign: str, after: str) -> bool:
    """Whether a claim is in different units of one kind, so that its numbers alone may not show it to be right.

    Those are the terms of a sum (``2 kg + 500 g``), or its result (``2 weeks + 3 = 17 days``); a quantity in two units
    (``2 kg 500 g / 5``); a product of a rate with another unit than its own (``90 min * 40 mph``); and an area or a
    volume of lengths in different units.

    Args:
        before: the text before the calculation.
        written: the calculation, with its units.
        sign: what stands between the calculation and the number of its result.
        after: the text behind that number.
    """
    result = _quantity(_RESULT.match(after), is_money="$" in sign)
    return (
        _is_compound(before, written, after)
        or _has_foreign_rate(written, result)
        or _has_foreign_terms(_TERMS.split(written), result)
        or _is_area_of_lengths(written, after)
    )


def _unit(name: str | None) -> Unit | None:
    if not name:
        return None
    found = _UNITS.get(name) or _UNITS.get(name.lower()) if name != "M" else None
    return found or (_UNITS.get(name.lower().removesuffix("s")) if len(name) > 2 else None)


def _quantity(found: re.Match[str] | None, *, is_money: bool) -> Quantity:
    name = None if found is None else found["unit"]
    if name and name.lower() in ("mph", "kph", "kmh"):
        return Quantity(None, _HOUR)
    unit = _unit(name) or (_UNITS["$"] if is_money else None)
    return Quantity(unit, _unit(found["per"]) if found else None)


def _quantities(text: str) -> list[Quantity]:
    return [_quantity(found, is_money=bool(found["money"])) for found in _QUANTITY.finditer(text)]


def _differ(one: Unit, other: Unit) -> bool:
    """Whether these are different units of one kind."""
    return one[0] == other[0] and one != other


def _has_foreign_terms(terms: list[str], result: Quantity) -> bool:
    if len(terms) < 2:
        return False
    units = [_units_of_term(term) for term in terms]
    if any(_differ(*pair) for one, other in combinations(units, 2) for pair in product(one, other)):
        return True
    known = set().union(*units)
    of_result = result.unit if result.per is None else None
    if any(kind == _COUNT for kind, _ in known):  # `2 dozen + 3 = 27`
        return of_result not in known
    if of_result is None or all(any(unit[0] == of_result[0] for unit in term) for term in units):
        return False  # in no unit, or each term has one, the same
    return any(_differ(unit, of_result) for unit in known)


def _units_of_term(term: str) -> set[Unit]:
    """The units of a term, without those kinds of which it has two: ``2 hours * 60 minutes``."""
    found = {quantity.unit for quantity in _quantities(term) if quantity.unit and not quantity.per}
    return {unit for unit in found if not any(_differ(unit, other) for other in found)}


def _has_foreign_rate(written: str, result: Quantity) -> bool:
    quantities = _quantities(written)
    plain = {quantity.unit for quantity in quantities if quantity.unit and not quantity.per}
    rates = [quantity for quantity in (*_quantities(_DIVISOR.sub("/ ", written)), result) if quantity.per]
    bridged = {rate.per[0] for rate in rates if rate.per and rate.unit and rate.unit[0] == rate.per[0]}
    return any(
        rate.per
        and rate.per[0] not in bridged
        and rate.per not in plain
        and any(_differ(rate.per, unit) for unit in plain)
        for rate in rates
    )


def _is_compound(before: str, written: str, after: str) -> bool:
    found = _COMPOUND_RESULT.match(after)
    if found and (one := _unit(found[1])) and (other := _unit(found[2])) and _differ(one, other):
        return True
    found, first = _QUANTITY_BEFORE.search(before[-30:]), _QUANTITY.match(written.lstrip())
    if not found or not first:
        return False
    one, other = _unit(found[1]), _unit(first["unit"])
    return bool(one and other and _differ(one, other))


def _is_area_of_lengths(written: str, after: str) -> bool:
    lengths = {quantity.unit for quantity in _quantities(written) if quantity.unit and quantity.unit[0] == _LENGTH}
    return len(lengths) > 1 and _AREA.match(after) is not None
