"""Drawings in a page: what they need is taken over, and nothing else."""

import pytest
from helpers.web_pages import Parsed, assert_inert, hostile
from hypothesis import given

from pairgen.report.documents.content import Bars, Cloud, Line, Lines, Points
from pairgen.report.documents.drawing import draw
from pairgen.report.pages.html.markup import element, text
from pairgen.report.pages.html.palette import LIGHT
from pairgen.report.pages.html.vector import inline

FIGURES = [
    Lines("lines", "Lines < & >", "step", "nats", {"dpo": Line([0, 1, 2], [0, -1, -3], [0, -2, -4], [0, 0, -1])}),
    Points("points", "Points", "x", "y", {"a": Cloud([1, 2], [2, 1])}),
    Points("many", "Many points", "x", "y", {"a": Cloud([*range(4000)], [*range(4000)])}),
    Bars("bars", "Bars", "loss", "share", ["dpo", "ipo"], {"a": [0.1, 0.2], "b": [0.3, None]}),
]


def svg(inside: str, opening: str = 'viewBox="0 0 9 9"') -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {names} {opening}>{inside}</svg>".encode()


@pytest.mark.parametrize("figure", FIGURES, ids=[figure.name for figure in FIGURES])
def test_a_drawing_keeps_what_it_shows(figure: Lines | Points | Bars) -> None:
    source = draw(figure).svg
    made = inline(source, "f1", figure.title)
    page = assert_inert(made)
    tags = [tag for tag, _ in page.elements]
    for tag in ("path", "use", "rect", "image", "clipPath", "pattern"):
        assert tags.count(tag.lower()) == source.count(f"<{tag} ".encode()), tag
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    targets = {attributes["href"] for attributes in page.named("use")}
    assert targets <= {f"#{name}" for name in ids}
    assert all(str(name).startswith("f1-") for name in ids)
    assert page.elements[0][1] == {"role": "img", "aria-label": figure.title, "viewbox": page.elements[0][1]["viewbox"]}
    assert len(made) < len(source)


def test_a_drawing_takes_the_colors_of_the_page() -> None:
    made = inline(draw(FIGURES[0]).svg, "f1", "x")
    assert "#ffffff" not in made
    assert "fill:var(--paper)" in made
    assert "#0072b2" in made


@pytest.mark.parametrize(
    ("color", "shown"),
    [
        *(("#000000", "ink"), ("#333333", "ink"), ("#444444", "axis"), ("#666666", "muted"), ("#aaaaaa", "rule")),
        *(("#d9d9d9", "band"), ("#F5F5F5", "band"), ("#e6e6e6", "grid"), ("#FFFFFF", "paper")),
    ],
)
def test_every_gray_is_a_color_of_the_page(color: str, shown: str) -> None:
    """On a dark page, a dark gray could not be read."""
    made = inline(svg(f"<path style='fill: {color}'/><path fill='#D55E00' stroke='none'/>"), "f", "x")
    assert f'style="fill:var(--{shown})"' in made
    assert shown in LIGHT
    assert 'fill="#d55e00"' in made


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<style>@import 'http://example.com/x.css'</style>",
        "<foreignObject><p>hello</p></foreignObject>",
        "<a xlink:href='javascript:alert(1)'><text>x</text></a>",
        "<animate attributeName='href' to='javascript:alert(1)'/>",
        "<!-- <path/> -->",
    ],
)
def test_elements_that_act_are_left_out(inside: str) -> None:
    assert Parsed(inline(svg(inside), "f", "x")).elements[1:] == []


@pytest.mark.parametrize(
    "attribute",
    [
        "onload='alert(1)'",
        "xlink:href='http://example.com/x.png'",
        "xlink:href='data:image/svg+xml;base64,AAAA'",
        "xlink:href='data:image/png;base64,AA\"onload=\"x'",
        "style='fill:url(http://example.com/x)'",
        "style='background:url(http://example.com/x)'",
        "style='fill:expression(alert(1))'",
        "clip-path='url(http://example.com/x#y)'",
        "transform='javascript:alert(1)'",
        "id='a b'",
        "class='part'",
    ],
)
def test_attributes_that_act_are_left_out(attribute: str) -> None:
    assert Parsed(inline(svg(f"<image {attribute}/>"), "f", "x")).elements[1:] == [("image", {})]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"\xff", "utf-8"),
        (b"<svg", "not valid XML"),
        (svg("", ""), "viewBox"),
        (svg("").replace(b"svg", b"html"), "viewBox"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("&a;"), "entities"),
        (svg("<g>" * 60 + "</g>" * 60), "nested"),
    ],
)
def test_damaged_drawings(source: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        inline(source, "f", "x")


@given(hostile(), hostile())
def test_no_value_gets_out_of_its_attribute(value: str, name: str) -> None:
    escaped = text(value).replace("\x00", "")
    attributes = " ".join(f'{key}="{escaped}"' for key in ("id", "style", "transform", "d", "clip-path", "fill", "x"))
    made = element("div", inline(svg(f"<g {attributes}><path xlink:href='{escaped}'/></g>"), "f", name))
    page = assert_inert(made)
    assert [tag for tag, _ in page.elements] == ["div", "svg", "g", "path"]
