"""What stands around a calculation and its result: does it go on, is it asserted, may it mean something else?"""

import re
from itertools import pairwise

from pairgen.arithmetic.reading.tokens import NUMBER_WORDS

# Words that are not units: behind them another clause begins.
_JOINS = (
    r"\b(?:because|since|so|then|thus|hence|therefore|if|when|while|where|which|that|who|but|and|or|as|than|is|are|was"
    r"|were|be|has|have|had|will|would|(?<!\d )can|could|must|should|needs?|gets?|got|gives?|makes?|made|takes?|took"
    r"|costs?|spends?|spent|pays?|paid|sells?|sold|buys?|bought|eats?|ate|earns?|earned|uses?|used|he|she|it|they|we|you|i"
    r"|equals?|equal|left with|remains?|find|calculate|compute|multiply|divide|add|subtract)\b"
)
joins = re.compile(_JOINS, re.IGNORECASE).search
"""Whether words of a text join two clauses."""
_SIGNS_BETWEEN = ";:=?!\n"
_BORDER = re.compile(rf"\.(?!\d)|,(?!\d{{3}})|{_JOINS}", re.IGNORECASE)


def since_border(text: str) -> str:
    """The text behind the last word or sign that begins a clause."""
    text = text[max(map(text.rfind, _SIGNS_BETWEEN)) + 1 :]  # signs first: most clauses begin behind one
    borders = [border.end() for border in _BORDER.finditer(text)]
    return text[borders[-1] if borders else 0 :]


# The statement goes on behind the number, so that it is not the result: `= 7 kg x ($4 + $2)`, `= 4M`, `= 18:30`.
_SIGNS = (
    r"(?:[*×·÷+^]|(?<![A-Za-z])x(?= ?[\d$(])|/ ?(?:-?[$(\d]|(?![gmlLhs]\b)[A-Za-z]\b)|[-–−] ?[$(]?\d"
    rf"|\\(?:times|cdot|div|frac|sqrt|pi)"
    rf"|(?:times|plus|minus|divided by|multiplied by) (?:the )?(?:\$?[\d(]|(?:{'|'.join(NUMBER_WORDS)})\b))"
)
_WORDS = rf"(?: ?/? ?(?!{_JOINS}|times|plus|minus|divided|multiplied)[A-Za-z]+){{0,4}}"
_ALWAYS = r"|:\d|!|_|\.\.\.\d"
_GOES_ON = re.compile(
    rf"(?:{_WORDS}(?: ?\([^()\d]*\))? ?{_SIGNS}{_ALWAYS}|(?!(?-i:[hgmlLsx])\b)[A-Za-z](?![A-Za-z]))", re.IGNORECASE
)
_GOES_ON_IN_LATEX = re.compile(rf"{_WORDS} ?(?:(?!\^){_SIGNS}{_ALWAYS})")


def goes_on(text: str, stop: int, *, is_latex: bool) -> bool:
    """Whether the number that ends at ``stop`` is only the first of a right side."""
    return (_GOES_ON_IN_LATEX if is_latex else _GOES_ON).match(text, stop, stop + 80) is not None


_TIME_OF_DAY = re.compile(r" ?(?:[ap]\.?m\b|o'clock|noon|midnight)", re.IGNORECASE)
_CLAUSE = r"(?:[^.\n;?!=]|\.(?=\d))"
_NOT_ASSERTED = re.compile(
    r"\b(?:if|whether)(?: [a-z]+){0,2} ?\Z|\bnot (?:equal (?:to )?)?\Z"
    r"|\b(?:suppos\w+|incorrect(?:ly)?|wrong(?:ly)?|mistaken(?:ly)?|instead of|try|guess|assum\w+)\b[^.,:\n]{0,25}\Z"
    r"|\b(?:(?:might|may|could|would) (?:be tempted|think|say|believe|guess|expect|write|claim|mean|imply)|tempted)\b"
    rf"{_CLAUSE}{{0,60}}\Z|\b(?:error|mistake|oops|incorrect|wrong|rather than)[:,]? ?\Z",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\b(?:wrote|writes|claim(?:s|ed)|misread|mistook)(?: down)?(?: that)?[:,]? [\"“'$\\(]*\Z")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")  # not a command of LaTeX
_WORDS_BEFORE_NUMBER = re.compile(r"[A-Za-z ,:]+")
_REFUTED = (
    r"(?:wrong|incorrect|false|absurd|impossible|(?:a |the )?(?:contradiction|mistake|error)"
    r"|not (?:true|correct|right|possible|valid|so|the case|equal|what|how|\$?\d))\b"
)
_REFUTING = (
    r"(?:doesn|don|didn)['’]?t (?:work|hold|match|equal|add up|make sense)\b"
    r"|(?:does|do|did) not (?:work|hold|match|equal|add up|make sense)\b"
    r"|(?:isn|wasn|can)['’]?(?:t|not) (?:be )?(?:true|right|correct|possible|valid|equal|\$?\d)"
    r"|contradict|no (?:real |integer |such )?solutions?\b|should (?:be|have been) \$?\d|becomes? true\b"
)
_PART = re.compile(  # of what the calculation gives: `the units digit of 7 * 8 = 6`
    r"\b(?:digits?|digit sum|remainder|factors|divisors|primes|integer part|ceiling|floor)(?: of| in| when| between)"
    r"[^.,;:=\n\d]{0,20}\Z",
    re.IGNORECASE,
)
_CORRECTION = r"let me (?:correct|fix|redo)\b"
_DENIED = re.compile(
    r"\s*[,:;–—→(-]* ?(?:(?:false|impossible|wrong|incorrect|absurd|fails?)\b|[✘✗❌])|[.;,] *no(?:pe)?[.,!:]|"
    r"\s*(?:\?|\(?(?:which )?(?:is|was) (?:not|wrong|incorrect|false|impossible)|(?:instead of|rather than|into)\b)"
    rf"|{_CLAUSE}{{0,40}}?\b(?:(?:is|was|are|be|that['’]s|it['’]s) {_REFUTED}|{_REFUTING}|{_CORRECTION})"
    rf"|{_CLAUSE}{{0,15}}[.;!?] *(?:(?:but|wait|no|oops|sorry|actually)[,.!]? )?"
    rf"(?:{_CORRECTION}|(?:this|that)(?: is|['’]s| was) {_REFUTED})",
    re.IGNORECASE,
)
_LABELS = r"\b(?:day|week|month|year|night|step|part|case|question|problem|chapter|page|grade|room|#)s? ?"
_NAMES = (  # of numbered things, if they begin with a capital
    "Equation|Figure|Fig\\.|Table|Round|Item|Group|Game|Level|Quiz|Test|Class|Box|Team|Bus|Angle|Row|Column|Option"
    "|Player|Set|Section|Lesson|Unit|Trial|Phase|Stage|Task|Exercise|Example|Method|Plan|Scenario|Route|Lap|Line|Version|Rule"
    "|Appendix|Volume|Act|Scene|Exhibit|Bag|Store|Shelf|Floor|Lane|Track|Machine|Worker|Shift|Attempt|Season"
)
_LABEL = re.compile(rf"{_LABELS}\Z|(?<!the )(?<!an )\bequations? \Z|\b(?-i:{_NAMES})s? \Z", re.IGNORECASE)
_LABELED = re.compile(rf"{_LABELS}\d|\bequation \d|\b(?-i:{_NAMES}) \d", re.IGNORECASE)
_NUMBERS_OF_EQUATIONS = re.compile(r"\s*\(\d\)(?: ?[-+−–] ?\(\d\))+\s*")
_NOUN_BEFORE = re.compile(r"([A-Za-z]{2,}) \Z")
_NUMBER_OF_NOUN = re.compile(r"([A-Za-z]{2,})? ?(\d+)(?![\d.])")


def _counts_nouns(before: str, written: str) -> bool:
    """Whether the same noun is in front of each number, which only count them: ``Team 1 + Team 2``."""
    first = _NOUN_BEFORE.search(before[-30:])
    found = _NUMBER_OF_NOUN.findall(f"{first[1] if first else ''} {written.lstrip()}")
    steps = {int(number) - int(last) for (_, last), (_, number) in pairwise(found)}
    return steps in ({1}, {-1}) and len({noun.lower() for noun, _ in found}) == 1 and bool(found[0][0])


_ARITHMETIC_BEFORE = re.compile(r"\d[\d.,%]* ?[-+*×÷x] ?[$(]?\d")
_POINT_BEFORE = re.compile(r"[-+*/×÷] ?\. \Z")  # `+ . 84`
_COMMA_BEFORE, _GROUP = (
    re.compile(r"(?<!=)(?<!= )(?<!= \$)(?<![\d.,])[\d.,]*\d, ?\Z"),
    re.compile(r" ?\d{3}(?!\d)"),
)  # `14, 400`
_QUANTITY_BEFORE = re.compile(r"\d[^.;\n]{0,25}\Z")
_QUANTITY_AFTER = re.compile(r" ?[A-Za-z]+,? (?:and )?\d")


def is_compound(before: str, after: str) -> bool:
    """Whether a conversion is of two units at once: ``1 hour and 30 minutes = 90 minutes``."""
    return bool(_QUANTITY_BEFORE.search(before[-30:]) or _QUANTITY_AFTER.match(after))


def names_a_part(before: str, written: str) -> bool:
    """Whether what is stated may be a part of what a calculation gives: its units digit, or a remainder."""
    return _PART.search(_before_number(before, written)) is not None


def _before_number(before: str, written: str) -> str:
    """The text before the first number of a calculation, which may begin with words."""
    words = _WORDS_BEFORE_NUMBER.match(written)
    return f"{before}{words[0] if words else ''}"


def leaves_doubt(before: str, written: str, after: str) -> bool:
    """Whether words around a claim may give it another meaning."""
    return bool(
        _NOT_ASSERTED.search(_before_number(before, written))
        or (_QUOTED.search(before) and not _WORD.search(written))
        or _DENIED.match(after)
        or _TIME_OF_DAY.match(after)
        or (_LABEL.search(before) and not written.startswith(("(", "$")))
        or _NUMBERS_OF_EQUATIONS.fullmatch(written)
        or _counts_nouns(before, written)
        or _LABELED.search(written)
        or _ARITHMETIC_BEFORE.search(since_border(before))
        or _POINT_BEFORE.search(before)
        or (_COMMA_BEFORE.search(before) and _GROUP.match(written))
    )
