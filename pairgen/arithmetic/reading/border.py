"""What stands before a calculation: whether it may begin there, or its start was not understood.

Calculations are read from their end, so a sign, letter or word in front is reached last: ``√16 + 1``, ``twice 3 + 4``,
``17 mod 5 + 2``, ``2:05 + 3``. A reading that begins behind it would be another calculation.
"""

import re
from string import ascii_letters

from pairgen.arithmetic.reading import units

REACH = 80
"""Code points before a calculation that are looked at."""

_FUNCTIONS = (
    "sqrt cbrt root log ln lg exp sin cos tan cot sec csc sine cosine tangent arcsin arccos arctan asin acos atan sinh "
    "cosh tanh abs gcd lcm hcf sgn mod modulo rem choose factorial"
)
_PARTS = "third fourth fifth sixth seventh eighth ninth tenth twelfth twentieth hundredth thousandth"
# Words directly before a calculation that change its first number: `twice 3 + 4`.
_DIRECT = (
    f"{_FUNCTIONS} twice thrice double triple quadruple half negative minus plus times less squared cubed power per "
    "percent per-cent percentage dozen hundred thousand million billion trillion and-a square-root cube-root out-of "
    "of-squares of-cubes of-roots"
)
# Words that do so if `of` follows: `the square of 5 + 3`, `a third of 12 + 1`.
_WITH_OF = (
    f"{_FUNCTIONS} {_PARTS} {_PARTS.replace(' ', 's ')}s twice thrice double triple half halves quarter quarters power "
    "powers square cube reciprocal opposite inverse negative logarithm absolute-value factorial sine cosine tangent "
    "percent per-cent percentage median dozen hundreds thousands millions digits complement"
)
_AVERAGES = "average averages mean"
# Words after which two numbers belong together: `the sum of 3 and 4 * 2`.
_OF_TWO = (
    "sum product difference ratio average mean median quotient between maximum minimum max min gcd lcm hcf mod range "
    "larger smaller greater lesser higher lower"
)
_NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand dozen "
    "half twice times"
)


def _backwards(words: str) -> str:
    return "|".join(word[::-1].replace("-", " ") for word in words.split())


_OF = r"(?:(?:eht|a|na|rieht|ylno) )?fo "
_ARTICLE = r"(?:(?:eht|a|na|eseht|esoht) )?"
# `Day 2:21 - 6` is no clock time.
_LABELED = _backwards("day week month year night step part case question problem round level phase stage trip number")
# Signs that are neither punctuation, brackets, currency, arrows, bullets nor emoji: `±`, `²`, Greek letters, `√`.
_UNKNOWN_SIGN = (
    r"[\\^_%±¬²³¹°\u0370-\u03ff\u2070-\u209f\u2200-\u2233\u2237\u223d-\u2247\u224a-\u225f\u2266-\u22ff"
    r"\u27c0-\u27ef\u2980-\u2aff]"
)

# Everything is written backwards: the pattern matches the reversed text before a calculation.
_CONTINUES = re.compile(
    rf"(?: ?[$€£¥¢]\\?)?+(?:(?P<average>(?:[ \xa0]+{_OF}| ?: ?)(?:{_backwards(_AVERAGES)})(?![a-z]))|"
    # nothing between: `log2`, `1e1`, `x_1`, `12:00`, `6'2`, `|3`, `3.5.2`
    rf"(?![a-z]{{5}})\w|[|#]|[.,'’′]\d|:(?!\d{{1,2}} (?:{_LABELED})(?![a-z]))\d"
    # a sign: `- 3 + 4`, `√ 16`; but a bullet is first in its line
    rf"|[ \xa0]*(?:(?!(?:[-+*‐‑‒–—―•·] *)(?:\n|\Z))[-+*/×÷·−‐‑‒–—―^]|{_UNKNOWN_SIGN})"
    # another number, or a bracket with one: `17 % 5`, `(2 + 3) 4`; but `1)` is a label
    r"|[ \xa0]+(?:%? ?\d|\)[^()\n]*\d[^()\n]*\((?! ?(?:\n|\Z))|: \d)"
    # a letter that is no word: `n 3 + 4`
    r"|[ \xa0]+(?![AaIiàéOoeyY])[A-Za-z](?=[\s$(,;:.]|\Z)"
    # a word that changes the first number: `twice 3`, `the square of 3`
    rf"|[ \xa0]+{_ARTICLE}(?!flah (?:dnoces|tsrif|rehto))(?:{_backwards(_DIRECT)})(?![a-z])"
    rf"|[ \xa0]+{_OF}(?:(?:{_backwards(_WITH_OF)})(?![a-z])|[%\d])"
    # `5 more than 3`, `twice as many as 3`
    rf"|[ \xa0]+naht {_ARTICLE}[^.,;:=\n\d]{{0,30}}(?:\d|(?<![a-z])(?:{_backwards(_NUMBER_WORDS)})(?![a-z]))"
    rf"|[ \xa0]+sa {_ARTICLE}[^.,;:=\n\d]{{0,30}}(?<![a-z])(?:eciwt|ecirht|semit|flah)(?![a-z])"
    # `10 increased by 2`, `10 subtracted from 20`, `ratio of 3 to 4`, `2 to the 5`
    rf"|[ \xa0]+{_ARTICLE}(?:(?:yb|morf|ot|otni) (?:yl[a-z]+ )?(?:de[a-z]+|nekat) (?:[a-z]+ )?[\d%)]"
    r"|(?:ot(?! \d+ morf)|morf|ffo|revo) [\d%)])"
    # `the sum of 3 and 4`
    rf"|[ \xa0]+(?:(?:dna|ot) [a-z ]{{0,20}}|, ?)\d[^.;:=\n]{{0,40}} (?:{_backwards(_OF_TWO)})(?![a-z])"
    r")",
    re.ASCII | re.IGNORECASE,
)
_DIVISION = re.compile(r"[/÷]|divided|over")
_LAST_QUANTITY = re.compile(r"\d ?([A-Za-z]{1,12}?)s?\.?,? ?(?:and )?[$€£¥¢]?\Z", re.ASCII)
_FIRST_QUANTITY = re.compile(r"[(\s]*[\d.,/]*\d[ -]?([A-Za-z]{1,12}?)s?(?![A-Za-z])", re.ASCII)
# Words behind a number that change it: `5 squared`, `3!`, `3rd`.
_CHANGED = re.compile(
    r"\b(?:squared|cubed|factorial|mod|modulo|choose|root|remainder)\b|\d(?:st|nd|rd|th)\b(?! ?[a-z])",
    re.IGNORECASE | re.ASCII,
)
_FACTORS = re.compile(  # letters behind a number that are no unit: `4ac`; not `20cm`
    r"\d(?!(?:[cdkmn]m|[kmn]?g|[cdkm]?l|ft|in|lb|oz|hr|mi|yd|pt|qt|kw|wh|kb|mb|gb|tb|am|pm|st|nd|rd|th|of)s?\b)[a-z]{2}\b",
    re.IGNORECASE | re.ASCII,
)


def continues(backwards: str, at: int, calculation: str, variables: str = "") -> bool:
    """Whether a calculation goes on to its left, or is not what its numbers say.

    ``backwards`` is the text from right to left; what stands before the calculation begins at ``at``.

    ``variables`` contains the letters that are variables, not units.
    Examples: ``√`` before ``16 + 1``, ``twice `` before ``3 + 4``, ``5 lb `` before ``3 oz + 2 oz``; ``1 km + 500 m``.
    """
    match = _CONTINUES.match(backwards, at)
    if match is not None and (match.lastgroup is None or ("+" in calculation and not _DIVISION.search(calculation))):
        return True
    if _LETTER.search(calculation) is None:
        return calculation[:1] == "(" and backwards[at : at + 1].isalpha()
    before = backwards[at : at + REACH][::-1]
    if before.endswith("$"):
        calculation = f"${calculation}"
    return (
        _CHANGED.search(calculation) is not None
        or _FACTORS.search(calculation) is not None
        or _is_compound(before, calculation)
        or units.conflict(calculation, variables)
        or (calculation[0] == "(" and before[-1:].isalpha())
    )


_LETTER = re.compile("[a-zA-Z]")


def _is_compound(before: str, calculation: str) -> bool:
    """Whether the number before a calculation and its first one are one quantity: ``5 lb 3 oz + 2 oz``."""
    last, first = _LAST_QUANTITY.search(before), _FIRST_QUANTITY.match(calculation)
    return last is not None and first is not None and units.factor(last.group(1), first.group(1)) is not None


def continues_formula(backwards: str, formula: str) -> bool:
    """As ``continues``, for a formula and the text before the sign that opens it; in ``formula``, no command is left.

    Letters of a formula are variables, except units of two and more.
    """
    match = _CONTINUES.match(f" {backwards.lstrip()}") if backwards.strip() else None
    if match is not None and (match.lastgroup is None or ("+" in formula and not _DIVISION.search(formula))):
        return True
    return _CHANGED.search(formula) is not None or units.conflict(formula, ascii_letters)


_TEXT = re.compile(r"\\(?:text|mbox|textrm|mathrm|rm|hbox|textit|textnormal) *\{([^{}]*)\}")
_DIVISIONS = re.compile(r"\\(?:[dt]?frac|div)(?![a-zA-Z])")
_LONG_UNITS = {"m": "meter", "g": "gram", "l": "liter", "L": "liter", "h": "hour", "s": "second"}  # not variables
_COMMAND = re.compile(r"\\(?:[a-zA-Z]+|.)")


def without_commands(formula: str) -> str:
    r"""A formula with its units as in plain text: ``1\text{ km} + 500\text{ m}`` is ``1 km + 500 m``."""
    plain = _TEXT.sub(lambda unit: f" {_LONG_UNITS.get(unit.group(1).strip(), unit.group(1))} ", formula)
    return " ".join(_COMMAND.sub(" ", _DIVISIONS.sub("/", plain)).split())


_INEQUALITY = re.compile(
    r"(?<!-)[<>≤≥≠≦≧⩽⩾≲≳]|!=|\\(?:n?[gl]eq?q?(?:slant)?|neq?|[gl]t|n?mid|n?subseteq)(?![a-zA-Z])", re.ASCII
)
# Where a statement begins or ends. Examples: `, `, `. `, `$`, ` so `.
_STATEMENT = (
    r"\n|[.;!?:]\s|,(?!\d{3})|\$|\\[\[\]()\\]|\\q?quad|\s(?:and|so|then|thus|hence|but|or if|if|because|since)\s"
)
_STATEMENT_BEFORE = re.compile(rf".*(?:{_STATEMENT})", re.DOTALL)
_STATEMENT_AFTER = re.compile(_STATEMENT)
_BOUND_BEFORE = re.compile(
    r"\b(?:at (?:least|most)|(?:more|less|greater|fewer|larger|smaller|higher|lower|bigger|longer|shorter|older)"
    r" than|no more than|up to|not|between|exceeds?|above|below|under)(?: or)?(?: equal to)?(?: a)? [\\$€£(]*-?\Z",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(r"\$? or (?:more|less|fewer|greater|larger|smaller)\b")


def is_bound(text: str, start: int, stop: int) -> bool:
    r"""Whether a number bounds something, so that another number may be as true: ``3 + 4 >= 7``, ``at least 7``.

    A boxed number is the answer, whatever is said about it.
    """
    before, after = text[max(0, start - REACH) : start], text[stop : stop + REACH]
    if _BOUND_BEFORE.search(before) or _BOUND_AFTER.match(after):
        return True
    statement = _STATEMENT_BEFORE.match(before)
    before = before[statement.end() :] if statement else before
    end = _STATEMENT_AFTER.search(after)
    after = after[: end.start()] if end else after
    is_related = _INEQUALITY.search(before) or _INEQUALITY.search(after)
    return is_related is not None and "\\boxed" not in before


# Examples: `if x = `, `when we set y = `, `suppose that n = `, each at the end of the text before a value.
_ASSUMED = re.compile(
    r"\b(?:if|let|when|where|at|for|sett?ing|set|suppose|assum(?:e|ing)|case|taking|take|tr(?:y|ying)|test(?:ing)?|say"
    r"|whether|see if|given(?: that)?|plug(?:ging)?(?: in)?|substitut(?:e|ing)|occurs|invalid)\b[^.,;:]{0,40}"
    r"(?:, ?(?:and )?\$?[A-Za-z]\$? ?= ?[^.,;:=]{0,14}){0,4}\Z",  # `if x = 3, y = `
    re.IGNORECASE,
)


def is_assumed(text: str, start: int) -> bool:
    """Whether the value at ``start`` is only assumed or tried: ``if x = 3``."""
    return _ASSUMED.search(text, max(0, start - 80), start) is not None


# What may stand open around a whole term. Examples: `\boxed{`, `\frac{`, `\text{`.
_OPEN_TERM = re.compile(r"\\(?:boxed|fbox|[dt]?frac|text|mbox)\s*\Z")
_FUNCTION_BEFORE = re.compile(
    r"(?:\\(?:(?:arc)?(?:sin|cos|tan|cot|sec|csc)h?|log|ln|lg|exp|sqrt|[dt]?frac|det|gcd|lcm|binom|choose|pm|mp)"
    r"(?:\s*\^\s*(?:\d|\{[^{}]*\})|\s*_\s*(?:\w|\{[^{}]*\}))*|[\^_])\s*\{?\s*\Z"
)
_POWER_AFTER = re.compile(r"\s*(?:\^(?!\s*\{?\s*\\circ)|!|\\choose)")


def is_part(text: str, sign: int, start: int, stop: int) -> bool:
    r"""Whether a number is only part of a term: the 2 of ``2^8``, ``\sin (2x)``, ``x_2``.

    It stands on the right of the equals sign at ``sign``; anywhere if that is -1, where no brackets are looked for.
    """
    if _POWER_AFTER.match(text, stop) or _FUNCTION_BEFORE.search(text, max(0, start - 40), start):
        return True
    before, opened = text[sign + 1 : start] if sign >= 0 else "", list[int]()
    for position, character in enumerate(before):
        if character in "([{":
            opened.append(position)
        elif character in ")]}" and opened:
            opened.pop()
    return any(not _OPEN_TERM.search(before, 0, position) for position in opened)
