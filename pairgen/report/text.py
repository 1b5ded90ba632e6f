"""Texts and numbers as they are shown: nothing that can act on the terminal, and nothing too long."""

from collections.abc import Iterable, Iterator
from typing import Any

import regex
from rich.style import Style
from rich.text import Text

CONTROLS = regex.compile(r"[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u2065]--[\n\t\u200c\u200d]]", regex.VERSION1)
"""Control and format characters and separators, which move the cursor, color, reorder or hide text, and surrogates, as
in file names that are not UTF-8, which cannot be printed; but not newline, tab and the joiners inside emoji and words.
As Unicode classes, which ``re`` does not have."""

MAX_TEXT = 600
"""Characters of a prompt or completion that are shown by default."""

MAX_LINE = 200
"""Characters of an id, a name or a number as written."""


HIT = Style(reverse=True)
"""How what was searched for is highlighted; also visible without color."""

Hits = Iterable[tuple[int, int]]
"""Parts of a text to highlight: start and stop in code points, in order and without overlap."""


def safe_text(text: Any, hits: Hits = ()) -> Text:
    """A text without markup, with control characters shown as escapes such as ``\\x1b``; its hits are highlighted."""
    text, at = str(text), 0
    pieces: list[str | tuple[str, Style]] = []
    for start, stop in hits:
        pieces += [_escape(text[at:start]), (_escape(text[start:stop]), HIT)]
        at = stop
    return Text.assemble(*pieces, _escape(text[at:])) if pieces else Text(_escape(text))


def _escape(text: str) -> str:
    escaped: str = CONTROLS.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
    return escaped


def clip(hits: Hits, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The hits in ``text[start:stop]``, counted from its start, of those in ``text``."""
    for first, last in hits:
        if first < stop and last > start:
            yield max(first, start) - start, min(last, stop) - start


def shorten(text: str, limit: int | None = MAX_LINE, hits: Hits = ()) -> Text:
    """``safe_text`` of a text; in one of over ``limit`` characters the middle is replaced by its length."""
    if limit is None or len(text) <= limit:
        return safe_text(text, hits)
    half, found, size = limit // 2, list(hits), len(text)
    omitted = Text(f" [... {size - 2 * half:,} characters ...] ", style="dim")
    start, end = safe_text(text[:half], clip(found, 0, half)), safe_text(text[-half:], clip(found, size - half, size))
    return Text.assemble(start, omitted, end)


def format_share(share: float | None) -> str:
    """A share of 0 to 1 as percent, in at most six characters: ``0.44%``, ``63.4%``."""
    return "-" if share is None else f"{100 * share:.{2 if share < 0.09995 else 1}f}%"


def format_number(value: float | None) -> str:
    """A number of at least 0 in at most six characters, up to ten billions: ``1.25``, ``368``, ``12,346``, ``123k``."""
    if value is None:
        return "-"
    if value >= 9_999_500:
        return f"{value / 1e6:,.0f}M"
    if value >= 99_999.5:
        return f"{value / 1e3:,.0f}k"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def format_signed(value: float | None) -> str:
    """A number of any sign and size, with three digits or more: ``-0.0123``, ``-1,235``, ``-123k``."""
    if value is None:
        return "-"
    size = abs(value)
    text = format_number(size) if size >= 100 else f"{size:.3g}"
    return f"-{text}" if value < 0 else text
