"""Ids within SVG files, changed so that many drawings fit on one HTML page."""

import hashlib
import re

_PARTS = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
"""Comments and tags; attributes and texts written by matplotlib have no angle brackets of their own."""

_IDS = re.compile(r'(\bid="|[ :]href="#|\burl\(#)([^")]+)')

_EVERYWHERE = '<style type="text/css">*{'


def with_own_ids(svg: bytes) -> bytes:
    """An SVG file of matplotlib with a hash of the file in front of every id and reference.

    On a page, an id stands for the first element that has it, even if that one is hidden. matplotlib counts: each of
    its drawings has a ``figure_1``, and whatever is equal in two, such as a letter or a marker, has the same id. With
    the prefix, two elements have the same id only if their drawings are equal. Its style sheet, which would apply to
    the whole page, is limited to the figure.
    """
    prefix = f"f{hashlib.sha256(svg).hexdigest()[:8]}-"
    text = _PARTS.sub(lambda part: _prefixed(part[0], prefix), svg.decode())
    return text.replace(_EVERYWHERE, f"{_EVERYWHERE[:-2]}#{prefix}figure_1 *{{", 1).encode()


def _prefixed(part: str, prefix: str) -> str:
    if part.startswith("<!--"):
        return part
    return _IDS.sub(lambda found: f"{found[1]}{prefix}{found[2]}", part)
