r"""Results stated in LaTeX: ``\frac{12}{4} = 3``, ``2x + 6 &= 12 \\``, ``$42 + 105 = \boxed{147}$``."""

import re
from collections.abc import Iterator
from functools import lru_cache

from pairgen.arithmetic.exact.literals import LATEX_FRACTION, LATEX_NUMBER
from pairgen.arithmetic.reading import border, sentence
from pairgen.arithmetic.reading.steps import Step

# Examples: `1 \frac{1}{2}`, `\dfrac34`, `15{,}000`.
_LITERAL = rf"(?:\d+ *{LATEX_FRACTION}|{LATEX_FRACTION}|\d+ \d+/\d+|{LATEX_NUMBER}(?:/\d+)?)"
# Between the equals sign and the literal. Examples: `\boxed{`, `\$`, `& `.
_OPENING = r"(?:\\(?:boxed|fbox|framebox) *\{|\{|\\\$|\\[,;:! ]|\\text\{|~|&|\s)*+"
# Units and closing braces after the literal. Examples: `}`, `^\circ`, `\text{ cm}^2`.
_ENDING = (
    r"(?:\s|\\[,;:! ]|~|\}|\\\$|\^ *\{? *\\circ *\}?|\\(?:degree|circ)(?![a-zA-Z])"
    r"|\\(?:text|mbox|textrm|mathrm|hbox|rm|textit|textnormal|operatorname) *\{[^{}]*\}(?:\^\{?\d\}?)?)*+"
)
# Where a right side ends. Examples: `$`, ` \\`, `. `.
_END = (
    r"(?=$|\$|\\\]|\\\)|\\\\|[,;)\]:<>=]|&(?! *\.\d)|\.(?![\d\\])|\.(?=\\[\])])"
    r"|\\(?:end|q?quad|(?:Long|long)?[rR]ightarrow|implies|iff|approx|ne|neq|g[et]q?|l[et]q?|to|pmod)(?![a-zA-Z])"
    r"|(?<=[ \n])(?:[a-zA-Z]{3,}|[a-z]{2} ))"
)
# Examples: `= 9.$`, `=\boxed{4.5}$`, `&= 148{,}000 \text{ cm}^3$`.
_RESULT = re.compile(rf"=(?:{_OPENING})(- *(?:\\\$)?)?({_LITERAL})({_OPENING}\\?%)?{_ENDING}{_END}", re.ASCII)
_DRAWING_OR_CODE = re.compile(
    r"\[asy\].*?(?:\[/asy\]|\Z)|```.*?(?:```|\Z)|\\begin\{verbatim\}.*?(?:\\end\{verbatim\}|\Z)", re.DOTALL
)


def masked(text: str) -> str:
    """The text with drawings and code replaced by spaces, since they state no results; all positions are unchanged."""
    if ("[" in text and "[asy]" in text) or ("`" in text and "```" in text) or ("{" in text and "{verbatim}" in text):
        return _DRAWING_OR_CODE.sub(lambda drawing: " " * len(drawing.group()), text)
    return text


def find(text: str, end: int) -> list[Step]:
    """All results before ``end``, in order, and each ``x = 5``; ``text`` is ``masked``."""
    steps = []
    for result, side in _stated(text, end):
        negated = result.group(1) is not None
        span, percent, sign = result.span(2), result.group(3) is not None, result.start()
        if _HAS_OPERATION.search(side):
            steps.append(Step(*span, percent, sign, negated=negated))
        elif len(letter := side.strip(" &\n")) == 1 and letter.isalpha():
            steps.append(Step(*span, percent, sign, negated=negated, variable=letter, role="value"))
    if text.count("=", 0, end) > len(steps):
        steps.extend(_combined_terms(text, end, {step.sign for step in steps}))
        steps.sort()
    return steps


def _combined_terms(text: str, end: int, known: set[int]) -> Iterator[Step]:
    """Numbers on a right side that is not a single number, except those that also occur on the left side."""
    for equality in _EQUALS.finditer(text, 0, end):
        sign = equality.start()
        if sign in known:
            continue
        left = side_before(text, sign)
        if not _HAS_OPERATION.search(left):
            continue
        reach = min(end, sign + sentence.WINDOW)
        border = _RIGHT_BORDER.search(text, sign + 1, reach)
        stop = border.start() if border else reach
        copied = set(_NUMBER.findall(left))
        numbers = [found for found in _NUMBER_ON_RIGHT.finditer(text, sign + 1, stop) if found.group() not in copied]
        for number in numbers[:MAX_COMBINED_TERMS]:
            yield Step(*number.span(), sign=sign, role="term", side_stop=stop)


def values(text: str, end: int) -> Iterator[tuple[int, int]]:
    """Spans of values whose left side is not a calculation: ``AB = 5``, ``f(3) = 7``; ``text`` is ``masked``."""
    for result, side in _stated(text, end):
        if not _HAS_OPERATION.search(side):
            yield result.span(2)


def _stated(text: str, end: int) -> Iterator[tuple[re.Match[str], str]]:
    """Each literal after an equals sign, and the left side."""
    for result in _RESULT.finditer(text, 0, end):
        sign = result.start()
        if sign and text[sign - 1] not in "<>:≤≥":
            yield result, side_before(text, sign)


MAX_COMBINED_TERMS = 3
"""Numbers considered per right side."""
_EQUALS = re.compile(r"(?<![<>:≤≥=])=(?!=)")
_NUMBER = re.compile(LATEX_NUMBER, re.ASCII)
# Examples: the `3` of `3\sqrt{5}`, the `48` of `48\pi`; not an exponent, index, root degree or numerator.
_NUMBER_ON_RIGHT = re.compile(
    r"(?<![\w.^_])(?<!\^\{)(?<!_\{)(?<!\^\{-)(?<!frac )(?<!\\sqrt\{)(?<!\\mathbf\{)(?<!\\sqrt\[)"
    rf"(?:(?<!\d&)|(?!\.)){LATEX_NUMBER}(?![\w.!]*[_:%]|[.,]\d|&\.\d)",
    re.ASCII,
)
# Examples: `2 + 3`, `5x`, `\frac{3}{4}`.
_HAS_OPERATION = re.compile(
    r"[-+*/^!×·÷]|\d *[A-Za-z(]|\) *\(|\\(?:cdot|times|div|[dt]?frac|sqrt|binom|choose|ast)(?![a-zA-Z])"
    r"|\d[^\\{}]*\\(?:pi|left)",
    re.ASCII,
)
_BORDER_WORDS = (
    r"\\(?:q?quad|implies|iff|(?:Long|long)?[rR]ightarrow|to|approx|equiv|sim|ne|neq|g[et]q?|l[et]q?|mid|in|because"
    r"|therefore)(?![a-zA-Z])"
)
# Everything up to the start of the left side. Examples: `so $`, `we get \[`, `1 + 1 = `.
_LEFT_BORDER = re.compile(
    r".*(?:=|(?<!\\)\$|\\\[|\\\(|\\\\(?:\[[^\]]*\])?|(?<!\{),(?!\d{3}(?!\d)|\\!)|[;:<>]"
    rf"|\\begin *\{{[^{{}}]*\}}(?:\{{[^{{}}]*\}})?|\\end *\{{[^{{}}]*\}}|{_BORDER_WORDS}|\n\n)",
    re.DOTALL,
)
# The end of a right side. Examples: `$`, ` =`, `\quad`; but not the comma of `1,500`.
_RIGHT_BORDER = re.compile(
    r"=|(?<!\\)\$|\\\]|\\\)|\\\\|[;:<>]|,(?!\d{3}(?!\d)|\\!)|\.(?!\d)|\\begin|\\end|\\(?:text|mbox)(?![a-zA-Z])"
    rf"|{_BORDER_WORDS}|\n\n"
)


@lru_cache(1 << 8)
def side_before(text: str, sign: int) -> str:
    r"""The left side at an equals sign; if a row of ``align*`` begins with the sign, the end of the previous row.

    Cached, since results are found, judged and verified one after the other.
    """
    window = text[max(0, sign - sentence.WINDOW) : sign]
    for _ in range(2):
        border = _LEFT_BORDER.match(window)
        side = window[border.end() :] if border else window
        if border is None or side.strip(" &\n\t") or not border.group().rstrip("] 0123456789ptemx[.").endswith("\\\\"):
            return side
        window = border.group()[: border.group().rindex("\\\\")].rstrip(" ,.;")
    return side


# A word among numbers. Examples: `so 3`, `3 pens + `; not the `ac` of `9 - 4ac`, nor a command.
_WORD = re.compile(r"(?:\A|(?<=[\s(]))[A-Za-z]{2,}(?=[\s.,;:]|\Z)", re.ASCII)
_MATH_OPENS = re.compile(r"(?<!\\)(?:\\[\[(]|\$\$?)\s*\Z")
_MATH_CLOSES = re.compile(r"(?:[.,;:]\s*(?:\$\$?|\\[\])])\s*|(?:\$\$?|\\[\])])(?:[.,;:]+\s*|\s*\n\s*))\Z")
_ROW_BREAK = re.compile(r"\\\\(?:\[[^\]]*\])?[\s&]*\Z")
_RATIO = re.compile(r"[\w)}]\s*:\s*\Z")


def is_sentence(side: str) -> bool:
    r"""Whether a side that is no formula may be read as a sentence: ``she buys 3 pens + 4``; not ``24b^2 - 40b``.

    In a formula, letters behind a number are factors; in a sentence, they would be units.
    """
    return "\\" not in side.replace("\\$", "") and _WORD.search(side) is not None


@lru_cache(1 << 8)
def continues(text: str, sign: int, side: str) -> bool:
    r"""Whether the left side at ``sign`` goes on before what was read as ``side``, or adds what cannot be added.

    Examples: ``twice $3 + 4 = 7$``, ``1:2^2 = 1:4``, the second row of ``3 + 4 \\\\ + 5 = 12``.
    """
    start = text.rfind(side, 0, sign)
    before = text[max(0, start - border.REACH) : start]
    if _RATIO.search(before):
        return True
    if side.lstrip(" &\n")[:1] in tuple("+-−–") and _ROW_BREAK.search(before):
        return "=" not in before[before.rfind("\\\\", 0, -2) :] if "=" not in before else False
    opening = _MATH_OPENS.search(before)
    words = before[: opening.start()] if opening and not _MATH_CLOSES.search(before, 0, opening.start()) else ""
    words = border.without_commands(words) if "\\text" in words else words
    return border.continues_formula(words[::-1], border.without_commands(side) if "\\" in side else side)
