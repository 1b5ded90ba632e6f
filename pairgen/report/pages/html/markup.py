"""HTML elements. A plain string is text, never markup: it is escaped, whether a child or the value of an attribute."""

import html
from collections.abc import Iterable, Sequence
from typing import Final

from pairgen.report.text import safe_text

VOID: Final = {"meta", "input", "br", "hr", "wbr"}
"""Elements without content."""


class Html(str):
    """Markup that this package made. ``element`` inserts it as it is.

    What string methods and formatting make of one is a plain string again, which is escaped: a mistake shows, and is
    not dangerous.
    """

    __slots__ = ()


Child = str | None
"""Content of an element: ``Html``, or a text. None is left out."""

Attribute = str | int | bool | None
"""Value of an attribute. It is left out if None or False, and has no value if True."""


def text(value: object) -> Html:
    """A text as HTML. Characters that would act on the page without being seen, such as NUL, lone surrogates and those
    that reorder text, are shown as escapes: ``\\u202e``.
    """
    return Html(html.escape(safe_text(value).plain))


def element(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element.

    >>> element("p", "1 < 2", class_="note", data_row="3")
    '<p class="note" data-row="3">1 &lt; 2</p>'

    Args:
        attributes: a trailing ``_`` of a name is removed, for Python's keywords; every other is a ``-``.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None and value is not False:
            key = key.removesuffix("_").replace("_", "-")
            parts.append(key if value is True else f'{key}="{text(value)}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening if name in VOID else f"{opening}{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Html:
    """Elements and texts, one after the other."""
    made = (child if isinstance(child, Html) else text(child) for child in children if child is not None)
    return Html(text(between).join(made))


def words(*children: Child) -> Html:
    """Elements and texts with spaces between them."""
    return join((child for child in children if child), " ")


def paragraphs(*texts: Child, class_: str | None = None) -> Html:
    """A paragraph for each text that is not empty."""
    return join(element("p", each, class_=class_) for each in texts if each)


def prose(text_: str) -> Html:
    """A text of the package, in which what is between backticks is code."""
    return join(code(part) if at % 2 else part for at, part in enumerate(text_.split("`")))


def bullets(items: Iterable[Child]) -> Html:
    """A list; nothing if it is empty."""
    made = [element("li", item) for item in items]
    return element("ul", *made) if made else Html()


def code(value: object) -> Html:
    """A text as code."""
    return element("code", str(value))


# ---------------------------------------------------------------- tables


def table(caption: str, heads: Sequence[Child], rows: Iterable[Sequence[Child]], numeric: Sequence[bool]) -> Html:
    """A table in a box of its own, which scrolls where it is wider than the page. The first cells of rows are heads.

    Args:
        caption: what it shows; nothing if empty.
        numeric: by column, whether its cells are numbers, which are aligned to the right and not wrapped.
    """
    kinds = ["n" if is_number else None for is_number in numeric]
    head = element(
        "tr", *(element("th", cell, scope="col", class_=kind) for cell, kind in zip(heads, kinds, strict=True))
    )
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_=kind) if at else element("th", cell, scope="row", class_=kind)
                for at, (cell, kind) in enumerate(zip(row, kinds, strict=True))
            ),
        )
        for row in rows
    ]
    title = element("caption", caption) if caption else None
    made = element("table", title, element("thead", head), element("tbody", *body))
    return scrolling(made, caption or "Table")


def facts(rows: Iterable[tuple[Child, Child]]) -> Html:
    """Names and values, one per line."""
    return element("dl", *(element("div", element("dt", name), element("dd", value)) for name, value in rows))


def scrolling(content: Html, name: str) -> Html:
    """A box that scrolls sideways where its content is wider than the page, also by keyboard.

    Args:
        name: what it holds, for screen readers.
    """
    return element("div", content, class_="scroll", role="region", aria_label=name, tabindex="0")
