"""Results stated in plain text: ``4 * 6 = 24``, ``$25 + $6.80 = $31.80``, ``5 times 24 equals 120``, ``5x + 3 = 28``.

Almost every result follows an equals sign and is matched by one pattern. The rarer forms are searched for only if the
text contains a cheap hint of them.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from pairgen.arithmetic.exact.literals import NUMBER
from pairgen.arithmetic.labels import UNCLEAR, Unverified
from pairgen.arithmetic.reading import plain, sentence, units
from pairgen.arithmetic.reading.plain import CURRENCY, OPERATOR, WINDOW
from pairgen.arithmetic.reading.steps import Found, Step

_CONTINUES = (  # not a result if the expression continues: `= 16 * $47`, `= 75/x`, `= 3 x 4`, `= 2(5)`, `= 8x`, `= 1,5`
    rf"(?: *{OPERATOR}| *x(?= *[\d$(])) *(?:[\d$€£(.]|[a-zA-Z]\b)|[(^_]|(?!k [a-z])[a-fijknp-zA-KN-Z]\b"
    r"|[.,]?\d|:(?!00)\d| +of +[\d$]| \d{3}(?![\d-])|\.\.\.\d"
)
# Examples: ` slices - 1` in `= 24 slices - 15 slices`, ` inches x 4`, ` shrimp / x`.
_UNITS_THEN_OPERATOR = (
    r"(?: ?[a-zA-Z]++(?:/(?=[a-zA-Z]))?){1,4}+(?: ?[-+*/×÷·−–] ?-?[$€£]?(?:[\d(]|[b-zB-HJ-Z]\b)|(?<= x) ?[$€£]?[\d(])"
)
# Examples, most common first: `24`, `1 1/2`, `1,500.50`.
_PLAIN_LITERAL = rf"-?(?:\d++(?![.,/ ]\d| ?[½¼¾⅓⅔⅛])|\d* ?[½¼¾⅓⅔⅛]|\d+ \d+/\d+(?![\d/])|{NUMBER}(?:/\d+)?)"
_RESULT = re.compile(  # `= 24 jars`, `= $1,500.`, `= 30%`
    rf"=(?<![<>!~:]=)(?: ?=)? *+[%$€£¥¢]*+ *+({_PLAIN_LITERAL})"
    # fast path for the most common case: only words follow, or the line ends
    r"(?:(?= (?!of |per ?cent)[a-zA-Z]{2}[a-zA-Z ]*+(?![-+*/×÷·−–$€£\d(]))|(?=\.?(?:\n|$))"
    rf"|(?: ?{CURRENCY})?( ?%| per ?cent\b)?+(?:(?=\.?(?:\n|$))|(?! ?[a-zA-Z]{{2}}|{_CONTINUES})"
    rf"|(?=[a-zA-Z]{{2}}| (?!of )[a-zA-Z]{{2}}| of [a-zA-Z]|-[a-zA-Z]{{2}})(?!{_UNITS_THEN_OPERATOR})))",
    re.ASCII,
)
_NEGATED_RESULT = re.compile(  # the minus is separate from the number: `= -$27`, `= - 5`
    rf"=(?<![<>!~:]=) *- *{CURRENCY} *({NUMBER})(?: ?{CURRENCY})?( ?%)?(?!{_CONTINUES})"
    rf"|=(?<![<>!~:]=) *- ({NUMBER})()(?!{_CONTINUES})",
    re.ASCII,
)
_STATED_NUMBER = rf"(?:a total of )?(?:{CURRENCY} ?)?({_PLAIN_LITERAL})(?: ?{CURRENCY})?( ?%)?(?!{_CONTINUES})"
# Words instead of an equals sign, each with the characters that may follow it and the full pattern. Examples:
# `5 times 24 equals 120`, `20 * 16, or 320`, `37 * 11 gives you 407`.
_EQUALS_WORDS = tuple(
    (word, frozenset("$0123456789" + others), re.compile(word + pattern + _STATED_NUMBER, re.ASCII))
    for word, others, pattern in (
        (" equal", "s ", r"s? (?:to )?"),
        (" or ", "a", ""),
        (" gives ", "yuht", r"(?:(?:you|us|him|her|them) )?"),
        (" for a total of ", "", ""),
    )
)
_HAS_OPERATOR = re.compile(r"[-+*/×÷·–−^(]")
_HAS_FACTOR = re.compile(r"\d[A-Za-z]| (?:x|X|times|plus|minus|divided|multiplied) |\bof \d")

_HALF = re.compile(  # `Half of 318 is 159`, `half of the 4 red pens are 2`
    rf"[Hh]alf of (?:the )?{CURRENCY}?({NUMBER})(?: [a-z]+){{0,3}} (?:is|are) {CURRENCY}?({NUMBER})(?!{_CONTINUES})",
    re.ASCII,
)
_NUMBERS = re.compile(NUMBER, re.ASCII)
# The variable at the end of a left side. Examples: `x `, `$x`, `Kim `.
_NAME = re.compile(r"(?<![\w)}\\^_*/+-])(?<![\d+*/^×·-] )\$?([A-Z](?=[a-z]+ ?\Z)|[A-Za-z](?= ?\Z))[a-z]* ?\Z", re.ASCII)
_VARIABLE_VALUE = re.compile(  # the value of a variable: `= 5` in `x = 5`, `= 10/2 = 5` in `x = 10/2 = 5`
    r"=(?:(?<=[A-Za-z]=)|(?<=[A-Za-z] =))(?:[\d .$()*/+×÷%-]{1,60}=){0,4}"
    rf" ?(?:{CURRENCY} ?)?({_PLAIN_LITERAL})(?: ?{CURRENCY})?( ?%)?(?![A-Za-z]|{_CONTINUES}| *=)",
    re.ASCII,
)

# Examples: the equals signs of `= 3x + 8`, `= $120 - y`.
_VARIABLE_FOLLOWS = re.compile(r"=(?<![<>!~:]=)(?=[ $\d.,*+−–-]{0,20}[A-Za-z](?![\w'’]))", re.ASCII)
_LINEAR = re.compile(  # a linear right side: `= 3x + 8`, `= $2 * x`, `= 8 + 3x`
    rf"= ?(?:{CURRENCY} ?)?(?:(?:(?P<a>{NUMBER}) ?\*? ?)?(?:{CURRENCY} ?)?(?P<x>[A-Za-z])(?![\w'’]| ?[$(\d])"
    rf"(?: ?[-+–−] ?(?:{CURRENCY} ?)?(?P<b>{NUMBER}))?(?!{_CONTINUES})"
    rf"|(?P<b2>{NUMBER}) ?[-+–−] ?(?:{CURRENCY} ?)?(?:(?P<a2>{NUMBER}) ?\*? ?)?(?:{CURRENCY} ?)?"
    rf"(?P<x2>[A-Za-z])(?![\w'’]| ?[$(\d]|{_CONTINUES}))",
    re.ASCII,
)

_COMPUTED_LEFT = re.compile(  # `4 = children`, `$150 = x + $50`, each on its own line
    rf"\n(?:{CURRENCY} ?)?(?P<result>{_PLAIN_LITERAL})(?P<percent> ?%)?(?: [a-z]+(?:/[a-z]+)?)?"
    r" = (?P<side>[^\n=]+)(?=\n|$)",
    re.ASCII,
)

_VALUE_OF = re.compile(  # `the value of x is 5`, `value of the unknown variable y must be 12`
    rf"[Vv]alue of (?:the )?(?:unknown )?(?:variable )?\$?([A-Za-z])\$? (?:is|must be|equals) (?:equal to )?\\?\$?"
    rf"({_PLAIN_LITERAL})(?!{_CONTINUES})",
    re.ASCII,
)


def find(text: str, end: int) -> list[Found]:
    """All results before ``end``, in order.

    Example: in ``"He pays 3 * $1,500 = $4,500."`` the result is ``4,500``. Reversed, the text before
    the equals sign is `` 005,1$ * 3 syap eH``: it begins with two operands joined by ``*``, so ``4,500`` is a result.
    """
    found: list[Found] = []
    undecided: list[re.Match[str]] = []
    starts_bare, starts = plain.starts_bare, plain.starts
    backwards = text[:end][::-1]
    for result in _RESULT.finditer(text, 0, end):
        sign = result.start()
        at = end - sign
        if starts_bare(backwards, at, at + 64) or starts(backwards, at, at + WINDOW) or _is_calculation(text, sign):
            found.append(result)
        else:
            undecided.append(result)
    more: list[Step] = []
    if undecided:
        more.extend(_variable_steps(text, undecided))
        more.extend(_conversion_steps(text, undecided))
        more.extend(_computed_right_steps(text, undecided))
    if text.count("=", 0, end) > len(found) + len(undecided):
        more.extend(_negated_steps(text, end))
        more.extend(_linear_steps(text, end))
        more.extend(_computed_left_steps(text, end))
    for word, following, pattern in _EQUALS_WORDS:
        at = text.find(word, 0, end)
        while at >= 0:
            after = at + len(word)
            if text[after : after + 1] in following:
                more.extend(_word_steps(text, end, at, pattern))
            at = text.find(word, after, end)
    if "alf of " in text:
        more.extend(
            Step(*half.span(2), calculation=f"{plain.to_ascii(half.group(1))}/2")
            for half in _HALF.finditer(text, 0, end)
        )
    if not more:
        return found
    by_start: dict[int, Found] = {_start(result): result for result in found}
    by_start.update((step.start, step) for step in more)
    return [by_start[start] for start in sorted(by_start)]


def _start(found: Found) -> int:
    return found.start if isinstance(found, Step) else found.start(1)


def values(text: str, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each ``x = 5`` in order, then each ``the value of x is 5``: the letter, and the span of the literal."""
    for stated in _VARIABLE_VALUE.finditer(text, 0, end):
        named = _variable_before(text, stated.start())
        if named is not None and not stated.group(2):  # a percentage is not the value of the variable
            yield named.group(1), stated.span(1)
    for stated in _VALUE_OF.finditer(text, 0, end):
        yield stated.group(1), stated.span(2)


def _is_calculation(text: str, sign: int) -> bool:
    """Whether a calculation in a sentence, or the left side of an equation in a variable, ends at an equals sign."""
    return _is_readable(sentence.window_before(text, sign))


@lru_cache(1 << 14)
def _is_readable(window: str) -> bool:
    """Whether a calculation can be read from the end of a text; cached, since solutions repeat their equations."""
    if not (_HAS_OPERATOR.search(window) or _HAS_FACTOR.search(window)):
        return False
    try:
        sentence.transcribe(window, None)
    except Unverified as error:
        return error.reason == UNCLEAR
    return True


def _variable_before(text: str, sign: int) -> re.Match[str] | None:
    """The variable before an equals sign: a letter, or a name that begins with it (``Kim = 24`` after ``4K = 96``)."""
    if text[sign - 1 : sign].isalpha() or text[sign - 2 : sign - 1].isalpha():
        return _NAME.search(text, max(0, sign - 20), sign)
    return None


def _variable_steps(text: str, results: list[re.Match[str]]) -> Iterator[Step]:
    """Values of variables that occur in an earlier calculation: ``2x = 10`` and then ``x = 5``."""
    uses: dict[str, int] = {}  # letter -> position of the first calculation with it
    for result in results:
        sign = result.start()
        named = _variable_before(text, sign)
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


def _conversion_steps(text: str, results: list[re.Match[str]]) -> Iterator[Step]:
    """``300 minutes = 5 hours``: the calculation is not written, but follows from the units (300/60)."""
    for result in results:
        sign = result.start()
        found = units.conversion.search(text, max(0, sign - 40), result.end() + 20)
        if found is None or found.start(3) != result.start(1):
            continue
        number, one, _, other = found.groups()
        factor = units.factor(one, other)
        if factor is not None:
            yield Step(*found.span(3), calculation=plain.to_ascii(number) + factor)


def _negated_steps(text: str, end: int) -> Iterator[Step]:
    for result in _NEGATED_RESULT.finditer(text, 0, end):
        group = 1 if result.group(1) else 3
        if _is_calculation(text, result.start()):
            yield Step(*result.span(group), result.group(2) is not None, result.start(), negated=True)


def _linear_steps(text: str, end: int) -> Iterator[Step]:
    """Coefficients and constants after combining like terms: ``x + 2x + 5 + 3 = 3x + 8`` states 3 and 8."""
    for hint in _VARIABLE_FOLLOWS.finditer(text, 0, end):
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


def _computed_left_steps(text: str, end: int) -> Iterator[Step]:
    """The left side is computed on the next line, the right is unchanged: ``20 / 5 = kids``, then ``4 = kids``."""
    for line in _COMPUTED_LEFT.finditer(text, 0, end):
        calculation, sign, side = _line_before(text, line.start()).partition(" = ")
        if sign and side.rstrip(".") == line["side"].rstrip(".") and _is_plain_calculation(calculation):
            yield Step(*line.span("result"), line["percent"] is not None, calculation=plain.to_ascii(calculation))


def _computed_right_steps(text: str, results: list[re.Match[str]]) -> Iterator[Step]:
    """The right side is computed on the next line: ``Cost per tile = $2400 / 200``, then ``Cost per tile = $12``."""
    for result in results:
        start = text.rfind("\n", 0, result.start())
        side, sign, calculation = _line_before(text, start).partition(" = ")
        same_side = side == text[start + 1 : result.start()].rstrip()
        if sign and same_side and _is_plain_calculation(calculation.removesuffix(".")):
            yield Step(
                *result.span(1), result.group(2) is not None, calculation=plain.to_ascii(calculation.removesuffix("."))
            )


def _line_before(text: str, stop: int) -> str:
    """The last non-empty line before ``stop``; the empty string if it is longer than ``_LONGEST_LINE``."""
    while stop > 0 and text[stop - 1] == "\n":
        stop -= 1
    start = text.rfind("\n", max(0, stop - _LONGEST_LINE), max(stop, 0))
    return text[start + 1 : stop] if start >= 0 else ""


_LONGEST_LINE = 240


def _is_plain_calculation(side: str) -> bool:
    """Whether the patterns of ``plain`` read all of ``side`` as a calculation."""
    read = plain.calculation_before(side, len(side))
    return read is not None and len(read.strip(_PADDING)) == len(side.strip(_PADDING))


_PADDING = " $€£¥¢"


# The words before `equal` in a comparison. Examples: `is not`, `is greater than or`, `does not`.
_NOT_EQUAL = re.compile(r"\b(?:not|never|n't|than|or|nearly|almost|roughly|approximately|about)\Z")


def _word_steps(text: str, end: int, at: int, pattern: re.Pattern[str]) -> Iterator[Step]:
    """``5 times 24 equals 120``, ``20 * 16, or 320``: at most one step, after the word at ``at``."""
    result = pattern.match(text, at, end)
    sign = at
    for between in (" is", ", which", ","):
        if text.endswith(between, 0, sign):
            sign -= len(between)
    if result is None or not sign or _NOT_EQUAL.search(text, max(0, sign - 40), at):
        return
    if plain.starts(plain.backwards(text, sign)) or _is_calculation(text, sign):
        yield Step(*result.span(1), result.group(2) is not None, sign)
