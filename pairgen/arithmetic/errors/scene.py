"""What surrounds a calculation: its sentence, and the other numbers of the question and of earlier results."""

import re
from bisect import bisect_right
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import NamedTuple

from pairgen.arithmetic.errors.terms import Calculation, read_calculation
from pairgen.arithmetic.exact.literals import NUMBER, number_key
from pairgen.arithmetic.reading.plain import calculation_before
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.reading.tokens import NUMBER_WORDS
from pairgen.arithmetic.solution import Solution

MAX_SENTENCE = 1000
"""Code points of a sentence that are looked at before a calculation, and after its result."""
MAX_KNOWN = 64
"""Quantities of the question, and earlier results, that are looked at."""
MIN_LINES = 3
"""Lines of a solution from which each line is taken for a step."""

_BORDER = re.compile(r"\n|[.!?](?:[\"')]*)(?=\s|\Z)")
# A quantity, not a label, a time, a date or an ordinal. Examples: `8` in `8 days`, `$1,500`; not `9:30`, `3rd`, `2b`.
_QUANTITY = re.compile(
    rf"(?<![\w.,/:#-])(?P<money>[$€£¥] ?)?(?<!\d)(?P<digits>{NUMBER})(?P<percent> ?%| percent)?(?![\w/:-]|[.,]\d)"
)
_NUMBER = re.compile(rf"(?<![\w.])(?<!\d,)(?P<digits>{NUMBER})(?![.,]?\d)(?P<percent> ?%| percent)?", re.ASCII)
_MEASURE = re.compile(
    r" ?%| ?(?:hours?|minutes?|seconds?|days|weeks|miles?|feet|foot|inch(?:es)?|yards?|pounds?|ounces?|"
    r"gallons?|quarts?|pints?|cups?|tons?|acres?|degrees|(?:kilo|centi|milli)?(?:meters?|grams?|liters?)|km|cm|mm|kg|lbs?|oz|ml|mph)\b"
)
_SEPARATOR = re.compile(r"\d,\d{3}(?!\d)", re.ASCII)
_THOUSANDS = re.compile(r"(?<![\d.])\d{4}", re.ASCII)
_WORD = re.compile(r"[a-z]+")
_SAME_VALUE = (
    *((word, number) for word, number in NUMBER_WORDS.items() if number.isdigit()),
    *(("twice", "2"), ("both", "2"), ("double", "2"), ("doubles", "2"), ("doubled", "2"), ("half", "2"), ("pair", "2")),
    *(("couple", "2"), ("halves", "2"), ("thrice", "3"), ("triple", "3"), ("tripled", "3"), ("third", "3")),
    *(("thirds", "3"), ("quarter", "4"), ("quarters", "4"), ("fourth", "4"), ("fifth", "5"), ("dozen", "12")),
    *(("week", "7"), ("weeks", "7"), ("year", "12"), ("hundred", "100"), ("once", "1"), ("zero", "0")),
)
_VALUES_OF_WORDS = {word: f"{number}/1" for word, number in _SAME_VALUE}


class Quantity(NamedTuple):
    """A number of the question or an earlier result: how it is written, and its value in lowest terms."""

    text: str
    key: str
    money: bool


class Scene:
    """A verified result, its calculation, and the rest of the solution, as the kinds of error see them."""

    def __init__(self, solution: Solution, question: str, step: Step, calculation: Calculation) -> None:
        self.text = solution.text
        self.calculation = calculation
        self.result = step.start, step.stop
        self._solution = solution
        self._question = question

    @cached_property
    def sentence(self) -> tuple[int, int]:
        """Start and stop of the sentence that states the calculation, at most ``MAX_SENTENCE`` around it."""
        start = before = max(0, self.calculation.span[0] - MAX_SENTENCE)
        for border in _BORDER.finditer(self.text, before, self.calculation.span[0]):
            start = border.end()
        after = min(len(self.text), self.result[1] + MAX_SENTENCE)
        end = _BORDER.search(self.text, self.result[1], after)
        return start, end.start() if end else after

    @cached_property
    def step(self) -> tuple[int, int]:
        """Start and stop of the step: the line of a solution of ``MIN_LINES`` lines or more, else the sentence."""
        if self.text.count("\n", 0, self._solution.stop) < MIN_LINES - 1:
            return self.sentence
        end = self.text.find("\n", self.result[1])
        return self.text.rfind("\n", 0, self.calculation.span[0]) + 1, end if end >= 0 else len(self.text)

    @cached_property
    def around(self) -> str:
        """The sentence without the calculation and its result."""
        start, stop = self.sentence
        return f"{self.text[start : self.calculation.span[0]]} {self.text[self.result[1] : stop]}"

    @cached_property
    def restated(self) -> frozenset[str]:
        """The values that the sentence also states elsewhere, in digits or in words."""
        return values_in(self.around)

    @property
    def is_chained(self) -> bool:
        """Whether another calculation states the same value: ``2 * 30 = 5 * 12 = 60``, ``= 60 minutes = 1 hour``."""
        start, stop = self.sentence
        left = self.text[start : self.calculation.span[0]].rstrip(" $€£")
        if left.endswith("=") and re.search(r"\d", re.split(r"[;:,]", left[:-1])[-1]):
            return True
        return re.match(r"[^\d=]*=", self.text[self.result[1] : stop]) is not None

    @property
    def is_money(self) -> bool:
        """Whether the result is an amount of money: ``$24``."""
        start, stop = self.result
        return self.text.endswith(("$", "€", "£", "$ "), 0, start) or self.text.startswith(("€", "$"), stop)

    @property
    def is_measured(self) -> bool:
        """Whether the result is a measurement or a percentage, which need not be whole: ``2 hours``."""
        return _MEASURE.match(self.text, self.result[1]) is not None

    @property
    def is_percentage(self) -> bool:
        """Whether a percent sign follows the result."""
        return self.text.startswith(("%", " %", " percent"), self.result[1])

    @property
    def is_area(self) -> bool:
        """Whether the result is an area or a volume, whose unit says how many lengths are multiplied."""
        return re.match(r" ?(?:square|cubic|sq)\b", self.text[self.result[1] :][:8]) is not None

    @property
    def counts(self) -> bool:
        """Whether the result is followed by a word, which may be a plural: ``24 jars``."""
        return self.text[self.result[1] : self.result[1] + 2].strip(" -").isalpha()

    @property
    def has_separators(self) -> bool:
        """Whether thousands are written as ``1,500``: where the result is, else in its calculation or anywhere."""
        start, stop = self.calculation.span[0], self.result[1]
        if _SEPARATOR.search(self.text, start, stop):
            return True
        return not _THOUSANDS.search(self.text, start, stop) and _has_separators(self.text)

    @cached_property
    def known(self) -> tuple[Quantity, ...]:
        """The quantities that the question and earlier results give, without repetition."""
        results = _results(self._solution)
        earlier = bisect_right(results, self.calculation.span[0], key=itemgetter(0))
        nearest = (result for _, result in results[max(0, earlier - MAX_KNOWN) : earlier])
        return tuple(dict.fromkeys((*quantities(self._question)[:MAX_KNOWN], *nearest)))


@lru_cache(1)
def _has_separators(text: str) -> bool:
    return _SEPARATOR.search(text) is not None


@lru_cache(1)
def _results(solution: Solution) -> list[tuple[int, Quantity]]:
    """The results of a solution, with the positions where they end; percentages are none."""
    found, text = [], solution.text
    for step in solution.steps:
        written = text[step.start : step.stop]
        if not step.percent and (key := number_key(written)):
            found.append((step.stop, Quantity(written, key, text[step.start - 1 : step.start] in ("$", "€", "£"))))
    return found


def scene_of(solution: Solution, question: str, step: Step) -> Scene | None:
    """The scene of a result; None unless a calculation in plain text ends at the equals sign before it."""
    text = solution.text
    if solution.is_latex or solution.visible != text:
        return None
    sign = step.sign
    if sign < 0:  # the source states the calculation; the one to change is in the text
        sign = text.rfind("=", max(0, step.start - 4), step.start)
        if sign < 0 or text[sign + 1 : step.start].strip(" $€£¥"):
            return None
    written = calculation_before(text, sign) if sign > 0 else None
    calculation = read_calculation(text, sign - len(written), sign) if written else None
    return None if calculation is None else Scene(solution, question, step, calculation)


@lru_cache(1 << 10)
def quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities in a text, in order; percentages are none."""
    found = []
    for match in _QUANTITY.finditer(text):
        key = number_key(match["digits"])
        if key and not match["percent"]:
            found.append(Quantity(match["digits"], key, match["money"] is not None))
    return tuple(found)


def values_in(text: str) -> frozenset[str]:
    """The values that a text states, in digits or in words, in lowest terms."""
    digits = {number_key(match["digits"]) for match in _NUMBER.finditer(text)}
    digits |= {number_key(f"{match['digits']}/100") for match in _NUMBER.finditer(text) if match["percent"]}
    words = {_VALUES_OF_WORDS[word] for word in _WORD.findall(text.lower()) if word in _VALUES_OF_WORDS}
    return frozenset(digits | words)
