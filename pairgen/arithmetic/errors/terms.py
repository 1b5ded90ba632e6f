"""A calculation in plain text as terms with their places, so that it can be changed where it stands.

``She pays 3 boxes * $1,500 = $4,500.`` has the terms ``3 boxes``, ``*`` and ``$1,500``.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.expression import parse
from pairgen.arithmetic.exact.literals import NUMBER
from pairgen.arithmetic.exact.ratios import Ratio, lowest_terms
from pairgen.arithmetic.reading.plain import without_leading_zeros

OPERATORS = {
    "+": "+",
    "plus": "+",
    "-": "-",
    "−": "-",
    "–": "-",
    "minus": "-",
    "*": "*",
    "×": "*",
    "·": "*",
    "x": "*",
    "times": "*",
    "of": "*",
    "/": "/",
    "÷": "/",
    "divided by": "/",
}
"""How operators are written, each with its sign in ASCII."""

_JOINING = r"(?:times|plus|minus|divided\ by|of|x)(?![A-Za-z])"
_WORD = rf"(?!{_JOINING})[A-Za-z][A-Za-z'’]*"
_TERM = re.compile(
    rf"""
    (?P<number>(?P<currency>[$€£¥]\ ?)?(?P<digits>{NUMBER})(?P<after>[$€£¥¢])?(?P<percent>\ ?%)?
        (?P<unit>[ -]?{_WORD}(?:(?:[ -]|\ ?/\ ?(?=[A-Za-z])){_WORD})*)?)
    |(?P<operator>[-+*/×÷·−–]|{_JOINING})
    |(?P<bracket>[()])
    """,
    re.ASCII | re.VERBOSE,
)


class Term(NamedTuple):
    """An operand, an operator or a bracket of a calculation: ``text[start:stop]``.

    ``ascii`` is the term as ASCII arithmetic. The number of an operand is ``text[number:number_stop]``, without its
    currency, percent sign and ``unit``; an operand such as ``2/3`` in ``2/3 * 60`` is one ``fraction``.
    """

    kind: str
    start: int
    stop: int
    ascii: str
    number: int = -1
    number_stop: int = -1
    money: bool = False
    percent: bool = False
    unit: str = ""
    fraction: bool = False

    @property
    def value(self) -> Ratio | None:
        """The value of an operand."""
        return evaluate_text(self.ascii)

    @property
    def key(self) -> str:
        """The value of the number of an operand, without its percent sign, in lowest terms."""
        value = evaluate_text(self.ascii.strip("()").removesuffix("/100") if self.percent else self.ascii)
        return "" if value is None else lowest_terms(value)

    @property
    def is_bare(self) -> bool:
        """Whether an operand is a number, possibly with a currency, and nothing else."""
        return not (self.percent or self.unit or self.fraction)


class Calculation(NamedTuple):
    """The terms of a calculation in ``text``: operands and operators in turn, with brackets."""

    text: str
    terms: tuple[Term, ...]

    @property
    def ascii(self) -> str:
        """The calculation as ASCII arithmetic."""
        return "".join(f" {term.ascii} " if term.ascii in ("+", "-") else term.ascii for term in self.terms)

    @property
    def value(self) -> Ratio | None:
        """Its exact value; None if it has none."""
        return evaluate_text(self.ascii)

    @property
    def operands(self) -> list[Term]:
        return [term for term in self.terms if term.kind == "operand"]

    @property
    def span(self) -> tuple[int, int]:
        return self.terms[0].start, self.terms[-1].stop

    def operations(self) -> Iterator[tuple[Term, Term, Term]]:
        """Each operator between the operands next to it, from left to right; brackets are passed over."""
        terms = [term for term in self.terms if term.kind != "bracket"]
        yield from zip(terms[::2], terms[1::2], terms[2::2], strict=False)


def read_calculation(text: str, start: int, stop: int) -> Calculation | None:
    """The calculation ``text[start:stop]``; None unless it is one, with an operator between all operands."""
    terms: list[Term] = []
    while start < stop:
        if text[start] == " ":
            start += 1
            continue
        match = _TERM.match(text, start, stop)
        if match is None:
            return None
        terms.append(_term(match))
        start = match.end()
    terms = _with_fractions(text, terms)
    if not _alternates(terms) or sum(term.kind == "operator" for term in terms) == 0:
        return None
    calculation = Calculation(text, tuple(terms))
    return calculation if parse(calculation.ascii) is not None else None


def _term(match: re.Match[str]) -> Term:
    start, stop = match.span()
    if match["operator"]:
        return Term("operator", start, stop, OPERATORS[match["operator"]])
    if match["bracket"]:
        return Term("bracket", start, stop, match["bracket"])
    digits = without_leading_zeros(match["digits"].replace(",", ""))
    unit = (match["unit"] or "").strip(" -")
    is_money, is_percent = bool(match["currency"] or match["after"]), bool(match["percent"])
    return Term(
        "operand",
        start,
        stop,
        f"({digits}/100)" if is_percent else digits,
        *match.span("digits"),
        money=is_money,
        percent=is_percent,
        unit=unit,
    )


def _with_fractions(text: str, terms: list[Term]) -> list[Term]:
    """Terms with ``2/3`` as one operand where it is not all of the calculation and is less than 1."""
    if len(terms) <= 3:
        return terms
    joined: list[Term] = []
    for term in terms:
        joined.append(term)
        if len(joined) < 3 or text[joined[-3].start : term.stop].count(" "):
            continue
        top, over, bottom = joined[-3:]
        is_division = over.ascii == "/" and top.kind == bottom.kind == "operand" and top.is_bare and not top.money
        if is_division and top.ascii.isdigit() and bottom.ascii.isdigit() and int(top.ascii) < int(bottom.ascii):
            ascii_ = f"({top.ascii}/{bottom.ascii})"
            spans = top.start, bottom.stop, ascii_, top.number, bottom.number_stop
            joined[-3:] = [Term("operand", *spans, unit=bottom.unit, fraction=True)]
    return joined


def _alternates(terms: list[Term]) -> bool:
    """Whether operands and operators take turns, from an operand to an operand; ``parse`` checks the brackets."""
    kinds = [term.kind for term in terms if term.kind != "bracket"]
    is_regular = all(one != other for one, other in pairwise(kinds))
    return bool(kinds) and kinds[0] == kinds[-1] == "operand" and is_regular
