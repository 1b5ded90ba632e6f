"""Kinds of error: how a wrong step comes about, besides a wrong result of a right calculation.

About 75% of the errors that language models make in mathematics are of these kinds (RISE, arXiv 2410.06638). To add
one, write a function from a scene to the ways in which its calculation may be changed, and enter it in ``ERRORS``.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations, pairwise
from typing import NamedTuple

from pairgen.arithmetic.errors.scene import Scene
from pairgen.arithmetic.errors.terms import Term

Replacement = tuple[int, int, str]
"""``text[start:stop]`` of a solution becomes a text."""
Rewriting = Callable[[Scene], Iterator[tuple[Replacement, ...]]]
"""Finds the ways to change a calculation; each is one or several replacements in order. Pure."""


MOST = 10
"""Maximum factor between two values of which one may stand for the other: larger differences are implausible."""


class ErrorKind(NamedTuple):
    """A kind of error: a one-line summary for help texts, and how the calculation is changed; None if it is not.

    The new value is at most ``most`` times as large or small as the right one, of a calculation with two operands, and
    ``MOST`` times if there are more.
    """

    summary: str
    rewrite: Rewriting | None = None
    most: int = MOST


# ---------------------------------------------------------------- a wrong operator

_OPERATION_NAMED = re.compile(  # the sentence says what is calculated
    r"\b(?:times|multipl\w*|products?|sum|sums|add(?:s|ed|ing|ition)?|plus|minus|subtract\w*|differences?|divid\w*|"
    r"quotient|twice|doubl\w*|tripl\w*|thrice|quadrupl\w*|half|halves|halv\w*|thirds?|quarters?|fourths?|fifths?|"
    r"tenths?|percent\w*|split\w*|averag\w*|mean|ratio|squared?|cubed?|(?:more|less|fewer|earlier|later|after|before)|"
    r"older|younger|taller|shorter|longer|heavier|lighter|higher|lower|bigger|larger|smaller|faster|slower|cheaper|"
    r"[a-z]+er (?:[a-z]+ )?than)\b|%|\d/\d+ of\b",
    re.IGNORECASE,
)
_SUM_NAMED = re.compile(r"\b(?:total|altogether|combined|together|sum|in all|overall)\b", re.IGNORECASE)
_REST_NAMED = re.compile(r"\b(?:left|leaves|leaving|remain\w*|rest|over|still|change)\b", re.IGNORECASE)

_WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


def operator(scene: Scene) -> Iterator[tuple[Replacement, ...]]:
    """One operator replaced: ``5 * 12 = 60`` becomes ``5 + 12 = 17``.

    Only where the operands allow the other operation, and the sentence does not name the right one.
    """
    if _OPERATION_NAMED.search(scene.around) or scene.is_area:
        return
    for left, sign, right in scene.calculation.operations():
        for other in _other_operators(left, sign.ascii, right):
            excluded = {"-": _SUM_NAMED, "/": _SUM_NAMED, "+": _REST_NAMED, "*": _REST_NAMED}[other]
            if not excluded.search(scene.around):
                yield ((sign.start, sign.stop, _written(other, sign, scene)),)


def _other_operators(left: Term, sign: str, right: Term) -> str:
    """The operations that two operands allow instead: those of units must be of the same unit, for example."""
    opposite = {"+": "-", "-": "+", "*": "/", "/": "*"}[sign]
    is_sum = sign in "+-"
    if left.fraction or right.fraction or {"0/1", "1/1", "100/1"} & {left.key, right.key}:
        return ""
    if left.unit or right.unit or left.percent or right.percent:
        is_alike = (left.unit.removesuffix("s"), left.percent) == (right.unit.removesuffix("s"), right.percent)
        return opposite if is_alike and is_sum else ""
    if left.money or right.money:
        return opposite if (left.money and right.money) == is_sum and not (right.money and opposite == "/") else ""
    if not (left.key.endswith("/1") and right.key.endswith("/1")):  # a share of something is not added to it
        return opposite
    return "+-*/".replace(sign, "")


def _written(other: str, sign: Term, scene: Scene) -> str:
    """An operator in the notation of the one that it replaces, and of the solution."""
    old = scene.text[sign.start : sign.stop]
    if old.isalpha() and old != "x":
        return _WORDS[other]
    if other == "/":
        return "÷" if old == "×" or "÷" in scene.text else "/"
    if other == "*":
        return _product_sign(scene.text) or ("×" if old == "÷" else "*")
    return other


@lru_cache(1)
def _product_sign(text: str) -> str | None:
    """How products are written in a text; None if there are none."""
    found = _PRODUCT.search(text)
    return found[1] if found else None


_PRODUCT = re.compile(r"\d ?([*x×·]) ?\$?\d", re.ASCII)


# ---------------------------------------------------------------- operands swapped


def swap(scene: Scene) -> Iterator[tuple[Replacement, ...]]:
    """Two operands swapped where it matters: ``60 / 5 * 3 = 36`` becomes ``60 / 3 * 5 = 100``."""
    if _OPERATION_NAMED.search(scene.around):
        return
    operands = scene.calculation.operands
    is_product = any(term.ascii in "*/" for term in scene.calculation.terms)
    fixed = {"100/1", "1/1"} if is_product else {"100/1"}  # not `4 / 1`
    for one, other in combinations(operands, 2):
        if not (one.is_bare and other.is_bare) or one.key == other.key or fixed & {one.key, other.key}:
            continue
        if len(operands) == 2 or _is_similar(one.key, other.key):
            yield _number(one, _digits(other, scene)), _number(other, _digits(one, scene))


def _number(term: Term, new: str) -> Replacement:
    return term.number, term.number_stop, new


def _digits(term: Term, scene: Scene) -> str:
    return scene.text[term.number : term.number_stop]


# ---------------------------------------------------------------- a term left out


def omit(scene: Scene) -> Iterator[tuple[Replacement, ...]]:
    """A term of a sum or a factor of a product left out: ``3 + 4 + 5 = 12`` becomes ``3 + 5 = 8``.

    At least two operands remain. A term that the sentence names, or a number of terms that it states, stays.
    """
    calculation = scene.calculation
    terms = calculation.terms
    if any(term.kind == "bracket" for term in terms) or f"{len(calculation.operands)}/1" in scene.restated:
        return
    for first, last in _parts(scene):
        is_named = any(term.key in scene.restated or term.percent or term.fraction for term in terms[first : last + 1])
        if is_named or len(terms) - (last - first + 1) < 4:
            continue
        if first:
            yield ((terms[first - 2].stop, terms[last].stop, ""),)
        elif terms[last + 1].ascii in "+*":
            yield ((terms[0].start, terms[last + 2].start, ""),)


def _parts(scene: Scene) -> Iterator[tuple[int, int]]:
    """What can be left out, as numbers of its first and last term: the summands, or the factors of one product."""
    terms = scene.calculation.terms
    signs = [at for at, term in enumerate(terms) if term.kind == "operator" and term.ascii in "+-"]
    if signs:
        borders = [-1, *signs, len(terms)]
        yield from ((one + 1, other - 1) for one, other in pairwise(borders))
    elif all(term.ascii == "*" for term in terms[1::2]) and not scene.is_area:
        yield from ((at, at) for at in range(0, len(terms), 2))


# ---------------------------------------------------------------- another number


def operand(scene: Scene) -> Iterator[tuple[Replacement, ...]]:
    """An operand replaced by another number of the question or by another earlier result.

    Both are quantities of the same kind, amounts of money or not. An operand that the sentence repeats stays.
    """
    used = {term.key for term in scene.calculation.operands}
    money = {quantity.key for quantity in scene.known if quantity.money}
    known = {quantity.key for quantity in scene.known}
    for term in scene.calculation.operands:
        if not term.is_bare or term.key not in known or term.key in scene.restated:
            continue
        is_money = term.money or term.key in money
        for quantity in scene.known:
            if quantity.key not in used and quantity.money == is_money and _is_usable(quantity.key, term.key):
                yield (_number(term, quantity.text),)


def _is_usable(key: str, instead_of: str) -> bool:
    """Whether a value may stand for another: it is not 0, 1 or a year, and of a similar size."""
    top, bottom = map(int, key.split("/"))
    is_year = bottom == 1 and 1800 <= top <= 2100
    return top > bottom and not is_year and _is_similar(key, instead_of)


def _is_similar(key: str, other_key: str) -> bool:
    (top, bottom), (other_top, other_bottom) = (map(int, one.split("/")) for one in (key, other_key))
    one, other = top * other_bottom, other_top * bottom
    return one <= MOST * other and other <= MOST * one


RESULT = "result"
"""The kind that leaves the calculation as it is."""
MIXED = "mixed"
"""Stands for all others."""

ERRORS: dict[str, ErrorKind] = {
    RESULT: ErrorKind("a wrong result of the right calculation"),
    "operator": ErrorKind("an operator replaced", operator),
    "swap": ErrorKind("two operands swapped", swap, 100),
    "omit": ErrorKind("a term left out", omit),
    "operand": ErrorKind("another number of the question or of an earlier result instead of an operand", operand),
    MIXED: ErrorKind("a kind drawn for each row, among those that apply"),
}
