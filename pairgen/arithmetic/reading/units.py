"""Unit conversions written without a calculation: ``300 minutes = 5 hours`` is ``300/60``."""

import re

from pairgen.arithmetic.exact.literals import NUMBER

_SCALES: tuple[dict[str, int], ...] = (
    {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "h": 3600, "day": 86400, "week": 604800},
    {"month": 1, "year": 12, "decade": 120, "century": 1200},
    {"inch": 1, "inche": 1, "in": 1, "foot": 12, "feet": 12, "ft": 12, "yard": 36, "yd": 36, "mile": 63360},
    {
        "millimeter": 1,
        "mm": 1,
        "centimeter": 10,
        "cm": 10,
        "meter": 1000,
        "m": 1000,
        "kilometer": 1000000,
        "km": 1000000,
    },
    {"ounce": 1, "oz": 1, "pound": 16, "lb": 16, "ton": 32000},
    {"gram": 1, "g": 1, "kilogram": 1000, "kg": 1000},
    {"milliliter": 1, "ml": 1, "liter": 1000, "l": 1000},
    {"cup": 1, "pint": 2, "quart": 4, "gallon": 16},
    {"cent": 1, "penny": 1, "pennie": 1, "nickel": 5, "dime": 10, "quarter": 25, "dollar": 100},
)
_SCALE_OF = {name: (index, size) for index, scale in enumerate(_SCALES) for name, size in scale.items()}

conversion = re.compile(
    rf"(?<![\w.,/*+×÷-])(?<![*+×÷/-] )\$?({NUMBER}) ?([A-Za-z]+?)s?(?: of [a-z]+)? = "
    rf"\$?({NUMBER})[ -]?([A-Za-z]+?)s?(?![\w*/+-])(?! ?[*/+×÷-] ?[\d$])",
    re.ASCII,
)
"""A quantity stated in another unit: ``300 minutes = 5 hours``, ``4.5 pounds of ham = 72 ounces``."""


def factor(one: str, other: str) -> str | None:
    """The conversion from unit ``one`` to unit ``other``, as ``*60`` or ``/60``; None if there is none."""
    first, second = _SCALE_OF.get(one.lower()), _SCALE_OF.get(other.lower())
    if first is None or second is None or first[0] != second[0] or first[1] == second[1]:
        return None
    if first[1] % second[1] == 0:
        return f"*{first[1] // second[1]}"
    return f"/{second[1] // first[1]}" if second[1] % first[1] == 0 else f"*{first[1]}/{second[1]}"


SIZE_RATIOS = frozenset(
    large // small
    for scale in _SCALES
    for large in scale.values()
    for small in scale.values()
    if large > small and large % small == 0
) | {7, 30, 52, 365}
"""How many of one unit are one of another."""
_WORDS = re.compile(r"[A-Za-z]+", re.ASCII)


def units_in(text: str) -> set[str]:
    """The units with a known size that a text names: ``hour``, ``cm``; not ``in``, which is mostly a word."""
    words = (word.lower() for word in _WORDS.findall(text) if word != "in")
    return {unit for word in words if (unit := word if word in _SCALE_OF else word.removesuffix("s")) in _SCALE_OF}


# The terms of a sum, each one number and its unit: `1 km` in `1 km + 500 m`, `3p` in `2p + 3`.
_TERMS = re.compile(r"(?:(?<=\s)|(?<=[\w%)$]))[-+−–](?=[\s$(\d.])| plus | minus ", re.ASCII | re.IGNORECASE)
_SIGN_OF_SUM = re.compile(r"[-+−–uU]")  # the last one for `plus` and `minus`
_TERM = re.compile(rf"[\s(]*(\$?)\s?{NUMBER}(?: an? )?[ -]?(?:([A-Za-z]++)(?![-&'’])[^\d*/×÷]*|[\s).]*)", re.ASCII)
_MULTIPLES = frozenset({"dozen", "hundred", "thousand", "million", "billion", "trillion", "k"})
_COINS = frozenset({"penny", "pennie", "nickel", "dime", "quarter"})


def conflict(calculation: str, variables: str) -> bool:
    """Whether a sum has terms that cannot be added as they are: ``1 km + 500 m``, ``2p + 3q``, ``3 dozen + 4``."""
    if not _SIGN_OF_SUM.search(calculation):
        return False
    terms = _TERMS.split(calculation)
    if len(terms) < 2:
        return False
    found = [match.group(2) or match.group(1) for match in map(_TERM.fullmatch, terms) if match]
    if variables:
        found = [unit for unit in found if len(unit) != 1 or unit not in variables]
    first = found[0] if found else ""
    return any(_differ(first, other) for other in found[1:])


def _differ(one: str, other: str) -> bool:
    if one == other:
        return False
    one, other = (_LONG.get(unit, unit.lower().removesuffix("s") or unit) for unit in (one, other))
    if one == other or {one, other} & _COINS:
        return False
    first, second = _SCALE_OF.get(one), _SCALE_OF.get(other)
    if first and second and first[0] == second[0]:
        return first != second
    return len(one) == 1 or len(other) == 1 or one in _MULTIPLES or other in _MULTIPLES  # 2p + 3q, 3 dozen + 4


_LONG = {"$": "dollar", "¢": "cent"}
