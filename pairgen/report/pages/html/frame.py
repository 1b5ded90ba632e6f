"""The document: head, contents, parts, and the policy that forbids it to load anything."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pairgen import __version__
from pairgen.report.pages.html.markup import Html, bullets, code, element, join, paragraphs
from pairgen.report.pages.html.script import SCRIPT
from pairgen.report.pages.html.style import STYLE


@dataclass(frozen=True)
class Section:
    """A section with a heading of its own."""

    title: str
    body: Html


@dataclass(frozen=True)
class Part:
    """What the page says about one dataset or study, or about all its runs."""

    kind: str
    """``dataset``, ``runs`` or ``study``."""
    title: str
    lead: Html
    """Shown below the title."""
    sections: Sequence[Section]


def document(title: str, parts: Sequence[Part], command: str = "", note: str = "") -> str:
    """The page as one HTML file that loads nothing, the same text every time.

    Args:
        command: the command that made it; none if empty.
        note: shown at the top; none if empty.
    """
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src '{_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="generator", content=f"pairgen {__version__}"),
        element("title", title),
        element("style", Html(STYLE)),
    )
    made_by = join([f"Made by pairgen {__version__}", *([" with ", code(command)] if command else []), "."])
    body = element(
        "body",
        element("header", element("h1", title), _contents(parts), paragraphs(note, class_="note")),
        element("main", *(_part(at, part) for at, part in enumerate(parts))),
        element("footer", paragraphs(made_by)),
        element("script", Html(SCRIPT)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _contents(parts: Sequence[Part]) -> Html:
    """Links to the parts, and to their sections."""
    entries = []
    for at, part in enumerate(parts):
        links = [_link(f"{_id(at)}-{number}", section.title) for number, section in enumerate(part.sections)]
        entries.append(join([_link(_id(at), part.title, part.kind), bullets(links)]))
    return element("nav", bullets(entries), aria_label="Contents")


def _id(at: int) -> str:
    return f"part-{at + 1}"


def _link(target: str, title: str, kind: str = "") -> Html:
    note = element("span", f" {kind}", class_="kind") if kind and kind != title.lower() else None
    return join([element("a", title, href=f"#{target}"), note])


def _part(at: int, part: Part) -> Html:
    sections = [
        element("section", element("h3", section.title), section.body, id=f"{_id(at)}-{number}")
        for number, section in enumerate(part.sections)
    ]
    kind = element("p", part.kind, class_="kind") if part.kind != part.title.lower() else None
    return element("article", kind, element("h2", part.title), part.lead, *sections, id=_id(at), class_="part")
