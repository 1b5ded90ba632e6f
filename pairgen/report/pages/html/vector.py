"""Drawings as inline SVG: only what pictures need is taken over from a file, and nothing that acts or loads.

Grays become colors of the page, so that a drawing made on white suits a dark page as well.
"""

import re
import xml.etree.ElementTree as ET
from typing import Final

from pairgen.report.pages.html.markup import Html, element, join

ELEMENTS: Final = {"svg", "g", "path", "use", "defs", "clipPath", "pattern", "rect", "image"}
DEEPEST: Final = 40
"""Elements within elements."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_REFERENCE: Final = re.compile(r"url\(#([\w.-]+)\)")
_TARGET: Final = re.compile(r"#([\w.-]+)")
_PICTURE: Final = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]+")
_COLOR: Final = re.compile(r"#[0-9a-f]{6}|none", re.IGNORECASE)
_STYLE_VALUE: Final = re.compile(rf"none|evenodd|nonzero|round|butt|miter|square|bevel|{_NUMBER}(?:[\s,]+{_NUMBER})*")
_LONG: Final = re.compile(r"-?\d+\.\d{3,}")

VALUES: Final = {
    "d": re.compile(r"[MLHVCSQTAZ\d\s.,e+-]*", re.IGNORECASE),
    "transform": re.compile(r"(?:\s*[a-z]+\([\d\s.,e+-]*\))*\s*", re.IGNORECASE),
    **dict.fromkeys(("x", "y", "width", "height"), re.compile(rf"{_NUMBER}(?:pt|px|%)?", re.IGNORECASE)),
    "viewBox": re.compile(rf"{_NUMBER}(?:\s+{_NUMBER}){{3}}", re.IGNORECASE),
    "patternUnits": re.compile("userSpaceOnUse|objectBoundingBox"),
}
"""What attributes may be, apart from those that name colors or other elements."""

STYLES: Final = {
    *("fill", "fill-opacity", "fill-rule", "opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-linejoin"),
    *("stroke-linecap", "stroke-dasharray", "stroke-dashoffset", "stroke-miterlimit"),
}

GRID: Final = "#e6e6e6"
GRAYS: Final = ((0x40, "ink"), (0x60, "axis"), (0x90, "muted"), (0xD0, "rule"), (0xF9, "band"), (0x100, "paper"))
"""The colors of the page by grays of a drawing: each stands for those darker than this."""


def inline(svg: bytes, prefix: str, name: str) -> Html:
    """A drawing as an element of a page.

    Args:
        prefix: distinguishes its ids from those of other drawings on the page.
        name: what it shows, for screen readers.

    Raises:
        ValueError: it is not an SVG file in UTF-8, defines entities, or is nested too deeply.
    """
    source = svg.decode("utf-8-sig")
    if "<!ENTITY" in source:
        raise ValueError("it defines entities")
    try:
        root = ET.fromstring(source)
    except ET.ParseError as error:
        raise ValueError(f"it is not valid XML ({error})") from error
    if _local(root.tag) != "svg" or not VALUES["viewBox"].fullmatch(root.get("viewBox", "")):
        raise ValueError("it is not an SVG file with a viewBox")
    children = [_element(child, prefix, 1) for child in root]
    return element("svg", *children, role="img", aria_label=name, viewBox=root.get("viewBox"))


def _element(node: ET.Element, prefix: str, depth: int) -> Html:
    name = _local(node.tag)
    if name not in ELEMENTS:
        return Html()
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    attributes = {_local(key): _value(name, _local(key), value.strip(), prefix) for key, value in node.attrib.items()}
    return element(name, join(_element(child, prefix, depth + 1) for child in node), **attributes)


def _local(tag: object) -> str:
    """The name of an element or attribute without its namespace. Comments have a function as their tag."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _value(element_name: str, name: str, value: str, prefix: str) -> str | None:
    """The value of an attribute as it is taken over; None if it is not."""
    if name == "id":
        return f"{prefix}-{value}" if _TARGET.fullmatch(f"#{value}") else None
    if name == "href":
        if element_name == "image":
            return value if _PICTURE.fullmatch(value) else None
        return f"#{prefix}-{value[1:]}" if _TARGET.fullmatch(value) else None
    if name == "clip-path":
        return _reference(value, prefix)
    if name in ("fill", "stroke"):
        return _color(value, prefix)
    if name == "style":
        return _style(value, prefix)
    if name not in VALUES or not VALUES[name].fullmatch(value):
        return None
    return _LONG.sub(lambda number: f"{float(number[0]):.2f}", " ".join(value.split())) if name == "d" else value


def _style(style: str, prefix: str) -> str | None:
    found = []
    for part in style.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name in STYLES:
            value = _color(value, prefix) or (value if _STYLE_VALUE.fullmatch(value) else "")
            found += [f"{name}:{value}"] if value else []
    return ";".join(found) or None


def _color(value: str, prefix: str) -> str | None:
    """A color, or the pattern that is used as one."""
    if _COLOR.fullmatch(value):
        return _of_page(value.lower())
    return _reference(value, prefix)


def _of_page(color: str) -> str:
    """A gray as a color of the page, others as they are."""
    red, green, blue = color[1:3], color[3:5], color[5:7]
    if color == GRID or color == "none" or not red == green == blue:
        return "var(--grid)" if color == GRID else color
    return f"var(--{next(name for limit, name in GRAYS if int(red, 16) < limit)})"


def _reference(value: str, prefix: str) -> str | None:
    found = _REFERENCE.fullmatch(value)
    return f"url(#{prefix}-{found[1]})" if found else None
