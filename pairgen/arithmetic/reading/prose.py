"""Results stated in plain text: ``4 * 6 = 24``, ``$25 + $6.80 = $31.80``, ``5 times 24 equals 120``, ``5x + 3 = 28``.

Almost every result follows an equals sign and is found by one pattern; the rarer forms are looked for only where
something in the text hints at them.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache

from pairgen.arithmetic.exact.literals import NUMBER
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading import plain, sentence, units
from pairgen.arithmetic.reading.plain import CURRENCY, OPERATOR, WINDOW
from pairgen.arithmetic.reading.steps import Found, Step

_GOES_ON = (  # not a result if the expression goes on: `= 16 * $47`, `= 75/x`, `= 3 x 4`, `= 2(5)`, `= 8x`, `= 1,5`
    rf"(?: *{OPERATOR}| *x(?= *[\d$(])) *(?:[\d$€£(.]|[a-zA-Z]\b)|[(^_]|(?!k [a-z])[a-fijknp-zA-KN-Z]\b"
    r"|[.,]?\d|:(?!00)\d| +of +[\d$]| \d{3}(?![\d-])|\.\.\.\d"
)
_UNITS_THEN_MORE = r"(?: ?[a-zA-Z]++(?:/(?=[a-zA-Z]))?){1,4}+ ?[-+*/×÷·−–] ?-?[$€£]?[\d(]"  # = 24 slices - 15 slices
_PLAIN_LITERAL = rf"-?(?:\d++(?![.,/ ]\d)|\d+ \d+/\d+(?![\d/])|{NUMBER}(?:/\d+)?)"  # the usual one first
_RESULT = re.compile(
    rf"=(?: ?=)? *+[%$€£¥¢]*+ *+({_PLAIN_LITERAL})"
    # nothing but words or the end of the line: the usual case, seen at once
    r"(?:(?= (?!of )[a-zA-Z]{2}[a-zA-Z ]*+(?![-+*/×÷·−–$€£\d(]))|(?=\.?(?:\n|$))"
    rf"|(?: ?{CURRENCY})?( ?%)?(?:(?=\.?(?:\n|$))|(?! ?[a-zA-Z]{{2}}|{_GOES_ON})"
    rf"|(?=[a-zA-Z]{{2}}| (?!of )[a-zA-Z]{{2}}| of [a-z]|-[a-zA-Z]{{2}})(?!{_UNITS_THEN_MORE})))",
    re.ASCII,
)
_NEGATED_RESULT = re.compile(
    rf"= *- *{CURRENCY} *({NUMBER})(?: ?{CURRENCY})?( ?%)?(?!{_GOES_ON})|= *- ({NUMBER})()(?!{_GOES_ON})", re.ASCII
)
_STATED_NUMBER = rf"(?:a total of )?(?:{CURRENCY} ?)?({_PLAIN_LITERAL})(?: ?{CURRENCY})?( ?%)?(?!{_GOES_ON})"
# Words instead of an equals sign: what a number behind one may begin with, and the whole of it.
_WORDS = tuple(
    (word, frozenset("$0123456789" + others), re.compile(word + pattern + _STATED_NUMBER, re.ASCII))
    for word, others, pattern in (
        (" equal", "s ", r"s? (?:to )?"),
        (" or ", "a", ""),
        (" gives ", "yuht", r"(?:(?:you|us|him|her|them) )?"),
        (" for a total of ", "", ""),
    )
)
_SIGN_NEAR = re.compile(r"[-+*/×÷·–−^(]")
_FACTOR_NEAR = re.compile(r"\d[A-Za-z]| (?:x|X|times|plus|minus|divided|multiplied) |\bof \d")

_HALF = re.compile(
    rf"[Hh]alf of (?:the )?{CURRENCY}?({NUMBER})(?: [a-z]+){{0,3}} (?:is|are) {CURRENCY}?({NUMBER})(?!{_GOES_ON})",
    re.ASCII,
)
_MARK = re.compile(rf"(<<([^<>\n]*)=[^<>=\n]*>>)(?: ?{CURRENCY}? ?({_PLAIN_LITERAL})( ?%)?)?", re.ASCII)
_NUMBERS = re.compile(NUMBER, re.ASCII)
_NAME = re.compile(r"(?<![\w)}\\^_*/+-])(?<![\d+*/^×·-] )\$?([A-Z](?=[a-z]+ ?\Z)|[A-Za-z](?= ?\Z))[a-z]* ?\Z", re.ASCII)
_STATED = re.compile(  # behind a letter, where the rest is worth looking at
    r"=(?:(?<=[A-Za-z]=)|(?<=[A-Za-z] =))(?:[\d .$()*/+×÷%-]{1,60}=){0,4}"
    rf" ?(?:{CURRENCY} ?)?({_PLAIN_LITERAL})(?: ?{CURRENCY})?( ?%)?(?![A-Za-z]|{_GOES_ON}| *=)",
    re.ASCII,
)

_LETTER_AHEAD = re.compile(r"=(?=[ $\d.,*+−–-]{0,20}[A-Za-z](?![\w'’]))", re.ASCII)
_LINEAR = re.compile(
    rf"= ?(?:{CURRENCY} ?)?(?:(?:(?P<a>{NUMBER}) ?\*? ?)?(?:{CURRENCY} ?)?(?P<x>[A-Za-z])(?![\w'’]| ?[$(\d])"
    rf"(?: ?[-+–−] ?(?:{CURRENCY} ?)?(?P<b>{NUMBER}))?(?!{_GOES_ON})"
    rf"|(?P<b2>{NUMBER}) ?[-+–−] ?(?:{CURRENCY} ?)?(?:(?P<a2>{NUMBER}) ?\*? ?)?(?:{CURRENCY} ?)?"
    rf"(?P<x2>[A-Za-z])(?![\w'’]| ?[$(\d]|{_GOES_ON}))",
    re.ASCII,
)

_WORKED_OUT = re.compile(  # 4 = children
    rf"\n(?:{CURRENCY} ?)?(?P<result>{_PLAIN_LITERAL})(?P<percent> ?%)?(?: [a-z]+(?:/[a-z]+)?)?"
    r" = (?P<side>[^\n=]+)(?=\n|$)",
    re.ASCII,
)

_VALUE_OF = re.compile(
    rf"[Vv]alue of (?:the )?(?:unknown )?(?:variable )?\$?([A-Za-z])\$? (?:is|must be|equals) (?:equal to )?\\?\$?"
    rf"({_PLAIN_LITERAL})(?!{_GOES_ON})",
    re.ASCII,
)


def find(text: str, end: int) -> list[Found]:
    """All results before ``end``, in order.

    Worked example: in ``"He pays 3 * $1,500 = $4,500."`` the result is ``4,500``. Read backwards from the equals sign,
    `` 005,1$ * 3 syap eH`` begins with two operands joined by ``*``.
    """
    found: list[Found] = []
    doubtful: list[re.Match[str]] = []
    starts_bare, starts = plain.starts_bare, plain.starts
    backwards = text[:end][::-1]
    for result in _RESULT.finditer(text, 0, end):
        sign = result.start()
        at = end - sign
        if starts_bare(backwards, at, at + 64) or starts(backwards, at, at + WINDOW) or _is_calculation(text, sign):
            found.append(result)
        else:
            doubtful.append(result)
    more: list[Step] = []
    if doubtful:
        more.extend(_stated_steps(text, doubtful))
        more.extend(_converted_steps(text, doubtful))
        more.extend(_named_steps(text, doubtful))
    if text.count("=", 0, end) > len(found) + len(doubtful):
        more.extend(_negated_steps(text, end))
        more.extend(_linear_steps(text, end))
        more.extend(_worked_out_steps(text, end))
    for word, following, pattern in _WORDS:
        at = text.find(word, 0, end)
        while at >= 0:
            after = at + len(word)
            if text[after : after + 1] in following:
                more.extend(_word_steps(text, end, at, pattern))
            at = text.find(word, after, end)
    if "alf of " in text:
        more.extend(
            Step(*half.span(2), calculation=f"{plain.plain(half.group(1))}/2") for half in _HALF.finditer(text, 0, end)
        )
    if "<<" in text:
        marks = list(_MARK.finditer(text, 0, end))
        starts_of_marks = [mark.start() for mark in marks]
        found = [step for step in found if not _inside(step, marks, starts_of_marks)]
        more = [step for step in more if not _inside(step, marks, starts_of_marks)]
        more.extend(_marked_steps(marks))
    if not more:
        return found
    by_start: dict[int, Found] = {_start(result): result for result in found}
    by_start.update((step.start, step) for step in more)
    return [by_start[start] for start in sorted(by_start)]


def _start(found: Found) -> int:
    return found.start if isinstance(found, Step) else found.start(1)


def _inside(found: Found, marks: list[re.Match[str]], starts: list[int]) -> bool:
    """Whether a result stands in a mark; ``starts`` are those of the marks."""
    start = _start(found)
    before = bisect_right(starts, start) - 1
    return before >= 0 and start < marks[before].end(1)


def _marked_steps(marks: list[re.Match[str]]) -> Iterator[Step]:
    """``<<12+10=22>>22``: a mark as GSM8K has them, and then the result that a reader sees."""
    for mark in marks:
        if mark.group(3):
            yield Step(*mark.span(3), mark.group(4) is not None, calculation=mark.group(2))


def values(text: str, end: int) -> Iterator[tuple[str, str]]:
    """Each ``x = 5`` in order, then each ``the value of x is 5``: the letter and the literal."""
    for stated in _STATED.finditer(text, 0, end):
        named = _named(text, stated.start())
        if named is not None and not stated.group(2):  # 40% is stated of something else
            yield named.group(1), stated.group(1)
    for stated in _VALUE_OF.finditer(text, 0, end):
        yield stated.group(1), stated.group(2)


def _is_calculation(text: str, sign: int) -> bool:
    """Whether a sentence's calculation, or an equation in an unknown, ends at a sign."""
    return _reads(sentence.before(text, sign))


@lru_cache(1 << 14)
def _reads(window: str) -> bool:
    """The same of the text that ends there; kept, since equations come again and again, as calculations do."""
    if not (_SIGN_NEAR.search(window) or _FACTOR_NEAR.search(window)):
        return False
    try:
        sentence.transcribe(window, None)
    except Unverified:
        return False
    return True


def _named(text: str, sign: int) -> re.Match[str] | None:
    """The unknown in front of a sign: a letter, or a name that begins with it (``Kim = 24`` after ``4K = 96``)."""
    if text[sign - 1 : sign].isalpha() or text[sign - 2 : sign - 1].isalpha():
        return _NAME.search(text, max(0, sign - 20), sign)
    return None


def _stated_steps(text: str, results: list[re.Match[str]]) -> Iterator[Step]:
    """Values of unknowns that were calculated with further up: ``2x = 10`` and then ``x = 5``."""
    uses: dict[str, int] = {}  # where each letter is first calculated with
    for result in results:
        sign = result.start()
        named = _named(text, sign)
        if named is None:
            continue
        letter = named.group(1)
        if letter not in uses:
            use = re.search(
                rf"(?:[\d)*/+-] ?\$?{letter}(?![\w'’])|(?<![\w'’]){letter} ?[-+*/^]|= ?{letter}(?![\w'’]))", text
            )
            uses[letter] = use.start() if use else len(text)
        if uses[letter] < named.start() and not text[result.end(1) : result.end(1) + 1].isalpha():
            yield Step(*result.span(1), result.group(2) is not None, sign, variable=letter, role="value")


def _converted_steps(text: str, results: list[re.Match[str]]) -> Iterator[Step]:
    """``300 minutes = 5 hours``: the calculation is not written, but units have one."""
    for result in results:
        sign = result.start()
        found = units.conversion.search(text, max(0, sign - 40), result.end() + 20)
        if found is None or found.start(3) != result.start(1):
            continue
        number, one, _, other = found.groups()
        factor = units.factor(one, other)
        if factor is not None:
            yield Step(*found.span(3), calculation=plain.plain(number) + factor)


def _negated_steps(text: str, end: int) -> Iterator[Step]:
    for result in _NEGATED_RESULT.finditer(text, 0, end):
        group = 1 if result.group(1) else 3
        if _is_calculation(text, result.start()):
            yield Step(*result.span(group), result.group(2) is not None, result.start(), negated=True)


def _linear_steps(text: str, end: int) -> Iterator[Step]:
    """Numbers that a side with its unknown left in is summed up to: ``x + 2x + 5 + 3 = 3x + 8`` states 3 and 8."""
    for hint in _LETTER_AHEAD.finditer(text, 0, end):
        sign = hint.start()
        found = _LINEAR.match(text, sign, end)
        if found is None:
            continue
        letter = found["x"] or found["x2"]
        left = text[max(text.rfind("\n", 0, sign), text.rfind("=", 0, sign), sign - WINDOW) + 1 : sign]
        if not re.search(rf"(?<![A-Za-z]){letter}(?![A-Za-z])", left) or not _is_calculation(text, sign):
            continue
        for group in ("a", "b", "b2", "a2"):
            number = found[group]
            if number and number not in _NUMBERS.findall(left):  # computed, not copied
                yield Step(*found.span(group), sign=sign, role="term", side_stop=found.end())


def _worked_out_steps(text: str, end: int) -> Iterator[Step]:
    """A left side worked out in the line below, while the right stays: ``20 / 5 = children``, then ``4 = children``."""
    for line in _WORKED_OUT.finditer(text, 0, end):
        calculation, sign, side = _line_before(text, line.start()).partition(" = ")
        if sign and side.rstrip(".") == line["side"].rstrip(".") and _is_plain(calculation):
            yield Step(*line.span("result"), line["percent"] is not None, calculation=plain.plain(calculation))


def _named_steps(text: str, results: list[re.Match[str]]) -> Iterator[Step]:
    """The same of the right: ``Cost per tile = $2400 / 200``, then ``Cost per tile = $12``."""
    for result in results:
        start = text.rfind("\n", 0, result.start())
        side, sign, calculation = _line_before(text, start).partition(" = ")
        if sign and side == text[start + 1 : result.start()].rstrip() and _is_plain(calculation.removesuffix(".")):
            yield Step(
                *result.span(1), result.group(2) is not None, calculation=plain.plain(calculation.removesuffix("."))
            )


def _line_before(text: str, stop: int) -> str:
    """The line that ends at a line feed, or above it if there are several in a row; empty if it is too long."""
    while stop > 0 and text[stop - 1] == "\n":
        stop -= 1
    start = text.rfind("\n", max(0, stop - _LONGEST_LINE), max(stop, 0))
    return text[start + 1 : stop] if start >= 0 else ""


_LONGEST_LINE = 240


def _is_plain(side: str) -> bool:
    """Whether a whole side is a calculation that the fast patterns read."""
    read = plain.calculation_before(side, len(side))
    return read is not None and len(read.strip(_AROUND)) == len(side.strip(_AROUND))


_AROUND = " $€£¥¢"


def _word_steps(text: str, end: int, at: int, pattern: re.Pattern[str]) -> Iterator[Step]:
    """``5 times 24 equals 120``, ``20 * 16, or 320``: at most one, behind the word at ``at``."""
    result = pattern.match(text, at, end)
    sign = at
    for between in (" is", ", which", ","):
        if text.endswith(between, 0, sign):
            sign -= len(between)
    if result is None or not sign:
        return
    if plain.starts(plain.backwards(text, sign)) or _is_calculation(text, sign):
        yield Step(*result.span(1), result.group(2) is not None, sign)
