"""Reading HTML pages in tests, and texts that try to act on them."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from hypothesis import strategies as st

VOID = {"meta", "input", "br", "hr", "wbr"}

TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "script",
        "body",
        "header",
        "main",
        "footer",
        "nav",
        "article",
        "section",
    ),
    *("div", "p", "span", "h1", "h2", "h3", "h4", "h5", "ul", "li", "a", "code", "pre", "del", "ins", "b", "i"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "figure", "details", "summary"),
    *("label", "input", "select", "option", "output", "button", "br"),
    *("svg", "g", "path", "use", "defs", "clippath", "pattern", "rect", "image"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "id", "class", "href", "scope", "hidden", "type", "value"),
    *("role", "aria-label", "aria-live", "tabindex", "autocomplete", "title", "open", "style", "datetime"),
    *("data-split", "data-source", "data-strategy", "data-error", "data-check"),
    *("viewbox", "d", "transform", "x", "y", "width", "height", "clip-path", "fill", "stroke", "patternunits"),
    "xlink:href",
}

FRAGMENTS = (
    *("<script>alert(1)</script>", "</script>", "</style>", "<!--", "-->", "]]>", "<img src=x onerror=alert(1)>"),
    *("javascript:alert(1)", '" onload="x', "' onload='x", "`", "&lt;", "&#0;", "&amp", "\x00", "\ud800", "\udfff"),
    *("\u202e", "\u2066", "\u200f", "\ufeff", "\x1b[31m", "\r", "\x85", "\u2028", "<", ">", "=", "/", " ", "\n"),
    *("http://example.com/x.js", "url(http://example.com)", "@import 'x'", "<svg/onload=x>", "</title>", "</textarea>"),
)
"""Parts of texts that would act on a page if they were not escaped."""


def hostile(most: int = 6) -> st.SearchStrategy[str]:
    """Texts that would act on a page if they were not escaped."""
    part = st.one_of(st.sampled_from(FRAGMENTS), st.text(st.characters(codec=None), max_size=8))
    return st.lists(part, max_size=most).map("".join)


@dataclass
class Parsed(HTMLParser):
    """A page as a browser's parser sees it."""

    source: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), "an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed, f"</{tag}> without a beginning"
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def assert_inert(source: str) -> Parsed:
    """Raise AssertionError if something of a page acts, loads or hides that ``pairgen.report.pages`` does not make."""
    source.encode()
    page = Parsed(source)
    assert not page.unclosed
    assert not page.comments
    assert {tag for tag, _ in page.elements} <= TAGS
    assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES
    assert len(page.named("script")) <= 1
    assert len(page.named("style")) <= 1
    for tag, attributes in page.elements:
        target = attributes.get("href") or attributes.get("xlink:href")
        if target:
            assert target.startswith("#") or (tag == "image" and target.startswith("data:image/png;base64,"))
        if "id" in attributes:
            assert re.fullmatch(r"[\w.-]+", attributes["id"] or "")
        if "style" in attributes or "clip-path" in attributes:
            value = (attributes.get("style") or "") + (attributes.get("clip-path") or "")
            assert not re.search(r"url\((?!#)|@|expression|javascript", value)
    for hidden in "\x00\u202e\u2066\u200f\ufeff\x1b\r\x85\u2028":
        assert hidden not in source
    return page
