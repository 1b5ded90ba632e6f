"""Elements: whatever is not markup of the package is text."""

from helpers.web_pages import Parsed, hostile
from hypothesis import given
from hypothesis import strategies as st

from pairgen.report.pages.html.markup import Html, bullets, element, facts, join, table, text, words
from pairgen.report.text import safe_text


def test_element() -> None:
    assert element("p", "1 < 2", class_="note", data_row="3") == '<p class="note" data-row="3">1 &lt; 2</p>'
    assert element("input", type="search", hidden=True, value=None) == '<input type="search" hidden>'
    assert element("ul", element("li", "a & b"), None) == "<ul><li>a &amp; b</li></ul>"


def test_characters_that_act_unseen_are_shown_as_escapes() -> None:
    assert text("a\x00b\u202ec\ud800d") == "a\\x00b\\u202ec\\ud800d"
    assert text("\"<'>&") == "&quot;&lt;&#x27;&gt;&amp;"


def test_strings_made_of_markup_are_text_again() -> None:
    """A mistake, such as formatting, shows markup instead of letting texts act."""
    bold = element("b", "x")
    assert not isinstance(f"{bold} <script>", Html)
    assert element("p", f"{bold} <i>") == "<p>&lt;b&gt;x&lt;/b&gt; &lt;i&gt;</p>"
    assert element("p", bold + "<i>") == "<p>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</p>"
    assert element("p", bold.upper()) == "<p>&lt;B&gt;X&lt;/B&gt;</p>"


def test_join_and_lists() -> None:
    assert join(["<", element("b", ">"), None], "&") == "&lt;&amp;<b>&gt;</b>"
    assert words("a", None, "", "b") == "a b"
    assert bullets([]) == ""


@given(hostile(), hostile())
def test_a_text_is_never_markup(one: str, other: str) -> None:
    made = element("p", one, element("span", other, title=one), class_=other)
    page = Parsed(made)
    assert [tag for tag, _ in page.elements] == ["p", "span"]
    assert page.text == safe_text(one).plain + safe_text(other).plain
    assert page.elements[0][1] == {"class": safe_text(other).plain}
    assert page.elements[1][1] == {"title": safe_text(one).plain}


@given(st.lists(st.lists(hostile(3), min_size=2, max_size=2), max_size=3), hostile(3))
def test_tables_and_facts_hold_any_text(rows: list[list[str]], name: str) -> None:
    page = Parsed(table(name, [name, name], rows, [False, True]))
    assert not page.unclosed
    assert len(page.named("tr")) == 1 + len(rows)
    assert [head["scope"] for head in page.named("th")] == ["col", "col", *["row"] * len(rows)]
    assert len(Parsed(facts((one, other) for one, other in rows)).named("dd")) == len(rows)
