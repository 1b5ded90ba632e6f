r"""Results stated in LaTeX: ``\frac{12}{4} = 3``, ``2x + 6 &= 12 \\``, ``$42 + 105 = \boxed{147}$``."""

import re
from collections.abc import Iterator

from pairgen.arithmetic.exact.literals import LATEX_FRACTION, LATEX_NUMBER
from pairgen.arithmetic.reading import sentence
from pairgen.arithmetic.reading.steps import Step

_LITERAL = rf"(?:\d+ *{LATEX_FRACTION}|{LATEX_FRACTION}|\d+ \d+/\d+|{LATEX_NUMBER}(?:/\d+)?)"
_OPENING = r"(?:\\(?:boxed|fbox|framebox) *\{|\{|\\\$|\\[,;:! ]|\\text\{|~|&|\s)*+"
_ENDING = (
    r"(?:\s|\\[,;:! ]|~|\}|\\\$|\^ *\{? *\\circ *\}?|\\(?:degree|circ)(?![a-zA-Z])"
    r"|\\(?:text|mbox|textrm|mathrm|hbox|rm|textit|textnormal|operatorname) *\{[^{}]*\}(?:\^\{?\d\}?)?)*+"
)
_END = (
    r"(?=$|\$|\\\]|\\\)|\\\\|[,;)\]:<>=]|&(?! *\.\d)|\.(?![\d\\])|\.(?=\\[\])])"
    r"|\\(?:end|q?quad|(?:Long|long)?[rR]ightarrow|implies|iff|approx|ne|neq|g[et]q?|l[et]q?|to|pmod)(?![a-zA-Z])"
    r"|(?<=[ \n])(?:[a-zA-Z]{3,}|[a-z]{2} ))"
)
_RESULT = re.compile(rf"=(?:{_OPENING})(- *(?:\\\$)?)?({_LITERAL})({_OPENING}\\?%)?{_ENDING}{_END}", re.ASCII)
_DRAWING = re.compile(
    r"\[asy\].*?(?:\[/asy\]|\Z)|```.*?(?:```|\Z)|\\begin\{verbatim\}.*?(?:\\end\{verbatim\}|\Z)", re.DOTALL
)


def masked(text: str) -> str:
    """The text with drawings and code blanked out, since their numbers are no results; places stay as they are."""
    if "[asy]" in text or "```" in text or "{verbatim}" in text:
        return _DRAWING.sub(lambda drawing: " " * len(drawing.group()), text)
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
        steps.extend(_collected(text, end, {step.sign for step in steps}))
        steps.sort()
    return steps


def _collected(text: str, end: int, known: set[int]) -> Iterator[Step]:
    """Numbers on the right of a sign that are no result by themselves, and do not stand on the left as well."""
    for equality in _SIGN.finditer(text, 0, end):
        sign = equality.start()
        if sign in known:
            continue
        left = side_before(text, sign)
        if not _HAS_OPERATION.search(left):
            continue
        reach = min(end, sign + sentence.WINDOW)
        border = _RIGHT_BORDER.search(text, sign + 1, reach)
        stop = border.start() if border else reach
        copied = set(_DIGITS.findall(left))
        numbers = [found for found in _FACTOR.finditer(text, sign + 1, stop) if found.group() not in copied]
        for number in numbers[:MAX_COLLECTED]:
            yield Step(*number.span(), sign=sign, role="term", side_stop=stop)


def values(text: str, end: int) -> Iterator[tuple[int, int]]:
    """Spans of what is stated of anything but a calculation: ``AB = 5``, ``f(3) = 7``; ``text`` is ``masked``."""
    for result, side in _stated(text, end):
        if not _HAS_OPERATION.search(side):
            yield result.span(2)


def _stated(text: str, end: int) -> Iterator[tuple[re.Match[str], str]]:
    """Each literal behind an equals sign, and what stands on the left of the sign."""
    for result in _RESULT.finditer(text, 0, end):
        sign = result.start()
        if sign and text[sign - 1] not in "<>:≤≥":
            yield result, side_before(text, sign)


MAX_COLLECTED = 3
"""Numbers of one right side that are looked at."""
_SIGN = re.compile(r"(?<![<>:≤≥=])=(?!=)")
_DIGITS = re.compile(LATEX_NUMBER, re.ASCII)
_FACTOR = re.compile(
    r"(?<![\w.^_])(?<!\^\{)(?<!_\{)(?<!\^\{-)(?<!frac )(?<!\\sqrt\{)(?<!\\mathbf\{)(?<!\\sqrt\[)"
    rf"(?:(?<!\d&)|(?!\.)){LATEX_NUMBER}(?![\w.!]*[_:%]|[.,]\d|&\.\d)",
    re.ASCII,
)
_HAS_OPERATION = re.compile(
    r"[-+*/^!×·÷]|\d *[A-Za-z(]|\) *\(|\\(?:cdot|times|div|[dt]?frac|sqrt|binom|choose|ast)(?![a-zA-Z])"
    r"|\d[^\\{}]*\\(?:pi|left)",
    re.ASCII,
)
_BORDER_WORDS = (
    r"\\(?:q?quad|implies|iff|(?:Long|long)?[rR]ightarrow|to|approx|equiv|sim|ne|neq|g[et]q?|l[et]q?|mid|in|because"
    r"|therefore)(?![a-zA-Z])"
)
_LEFT_BORDER = re.compile(
    r".*(?:=|(?<!\\)\$|\\\[|\\\(|\\\\(?:\[[^\]]*\])?|(?<!\{),(?!\d{3}(?!\d)|\\!)|[;:<>]"
    rf"|\\begin *\{{[^{{}}]*\}}(?:\{{[^{{}}]*\}})?|\\end *\{{[^{{}}]*\}}|{_BORDER_WORDS}|\n\n)",
    re.DOTALL,
)
_RIGHT_BORDER = re.compile(
    r"=|(?<!\\)\$|\\\]|\\\)|\\\\|[;:<>]|,(?!\d{3}(?!\d)|\\!)|\.(?!\d)|\\begin|\\end|\\(?:text|mbox)(?![a-zA-Z])"
    rf"|{_BORDER_WORDS}|\n\n"
)


def side_before(text: str, sign: int) -> str:
    r"""What stands on the left of a sign; where a row of ``align*`` begins with it, the end of the row before."""
    window = text[max(0, sign - sentence.WINDOW) : sign]
    for _ in range(2):
        border = _LEFT_BORDER.match(window)
        side = window[border.end() :] if border else window
        if border is None or side.strip(" &\n\t") or not border.group().rstrip("] 0123456789ptemx[.").endswith("\\\\"):
            return side
        window = border.group()[: border.group().rindex("\\\\")].rstrip(" ,.;")
    return side
