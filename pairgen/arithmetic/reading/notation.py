"""A text in one notation, for the readers: signs, spaces, currencies and separators as they expect them, no bold text.

Every character is replaced by one character, so that all positions are those of the text.
"""

import re

_SPACES = "\t\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys(_SPACES, " "),
        **dict.fromkeys("⋅∙‧・", "·"),
        **dict.fromkeys("∗＊", "*"),
        **dict.fromkeys("✕✖⨯╳", "×"),
        **dict.fromkeys("＝﹦", "="),
        **dict.fromkeys("−﹣－➖", "-"),
        **dict.fromkeys("＋➕", "+"),
        **dict.fromkeys("⁄∕／", "/"),
        **dict.fromkeys("➗", "÷"),
        **dict.fromkeys("₹₨₽₩₪₫฿₱₺₦₴₡＄", "$"),
        "％": "%",
        "（": "(",
        "）": ")",
        "，": ",",
    }
)
# A dash that can only be a minus sign. Examples: `= –5`, `= — $5`, `( – 5`; not `5 – 7` or `pens – 5`.
_DASH = re.compile(r"(?<=[=(])( *)[‐‑‒–—―](?= ?[$€£(]? ?[\d.])")
_DOT_BETWEEN = re.compile(r"(?<=[\w)%])( ?)•(?=[ ]?[$(]?\d)")
_EMPHASIS = re.compile(r"\*(?:\*|(?<== \*)\S)")
_BOLD = re.compile(r"(?<![\w)*])(\*\*|__)(?=[^\s*])((?:(?!\1)[^\n]){0,300}?(?<=[^\s*]))\1(?![\w(*])")
_ITALIC = re.compile(r"(?<== )\*(?=[^\s*])([^*\n]{1,40})\*(?![\w*(])")
_CURRENCY_HINTS = ("Rs", "US$", "USD", "EUR", "INR", "R$")
_CURRENCY = re.compile(r"(?<![A-Za-z])(?:Rs\.?|INR|USD|EUR|(?:US|R)\$)(?= ?[\d.])")
# Between groups of digits. Examples: `12'000`, `12_000`, `12 000` with a space that does not break.
_GROUPS = re.compile(r"(?<!\d)\d{1,3}(?:(['’_\u00a0\u2007\u2009\u202f])\d{3})(?:\1\d{3})*(?!\d)")
_APOSTROPHE, _UNDERSCORE = re.compile(r"'(?<=\d')\d{3}"), re.compile(r"_(?<=\d_)\d{3}")
_DECIMAL_COMMA_HINT = re.compile(r",(?<=\d,)\d")
# A decimal comma next to an operator, the result of a calculation, or an amount. Examples: `2,5 * 4`, `5 / 2 = 2,5`.
_DECIMAL_COMMA = re.compile(
    r"(?<![\d,.])\d+(?:\.\d{3})*,(?:\d{1,2}|\d{4,})(?![\d,])(?= ?(?:[-+*/×÷·] ?[\d(]|[€%]))"
    r"|(?:[\d)] ?[-+*/×÷·=]|€) ?\d+(?:\.\d{3})*,(?:\d{1,2}|\d{4,})(?![\d,])"
)
_DECIMAL_POINT = re.compile(r"\d\.(?!\d{3}(?!\d))\d|\d,\d{3}(?!\d)")
_SEPARATOR = re.compile(r"(?<=\d)[.,](?=\d)")


def canonical(text: str) -> str:
    """The text in the notation of the readers; equal in length."""
    if not text.isascii():
        text = _GROUPS.sub(lambda number: number.group().replace(number.group(1), ","), text)
        text = text.translate(_CHARACTERS)
        text = _DASH.sub(r"\1-", text)
        if "•" in text:
            text = _DOT_BETWEEN.sub(r"\1·", text)
    else:  # one character is looked for first: it takes a tenth of the time of two
        if "\t" in text:
            text = text.replace("\t", " ")
        if ("'" in text and _APOSTROPHE.search(text)) or ("_" in text and _UNDERSCORE.search(text)):
            text = _GROUPS.sub(lambda number: number.group().replace(number.group(1), ","), text)
    if ("*" in text and _EMPHASIS.search(text)) or ("_" in text and "__" in text):
        text = _ITALIC.sub(r" \1 ", _BOLD.sub(r"  \2  ", text))
    if ("R" in text or "U" in text) and any(hint in text for hint in _CURRENCY_HINTS):
        text = _CURRENCY.sub(lambda name: "$".rjust(len(name.group())), text)
    if (
        "," in text
        and "\\" not in text  # in LaTeX, a plain comma is between the parts of a list
        and _DECIMAL_COMMA_HINT.search(text)
        and _DECIMAL_COMMA.search(text)
        and not _DECIMAL_POINT.search(text)
    ):
        text = _SEPARATOR.sub(lambda sign: "." if sign.group() == "," else ",", text)
    return text
