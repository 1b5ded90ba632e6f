"""Reports as Markdown, read back by a Markdown parser: text from outside stays text."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from pairgen.report.documents.content import Column, Line, Lines, Report, Table
from pairgen.report.documents.markdown import block, code, markdown, plain, table_text
from pairgen.report.documents.number_format import NATS, Spread

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKUP = st.text(st.sampled_from("|\\<>`*_[]()~$&#+-=.!:1a \n\x1b;x/\"'é漢"), max_size=25)
TEXTS = (
    MARKUP
    | st.text(max_size=25)
    | st.sampled_from(["1. a", "- [ ] a", "# a #", "---", "===", "&lt;", "a\\|b", "\ud800"])
)


def shown(node: SyntaxTreeNode) -> str:
    """The text that a reader sees; markup adds its type, so that it cannot go unnoticed."""
    if node.type in ("text", "code_inline"):
        return node.content if node.type == "text" else f"<code>{node.content}"
    inner = "".join(map(shown, node.children))
    return inner if node.type in ("inline", "paragraph", "root", "th", "td", "heading") else f"<{node.type}>{inner}"


def parse(text: str) -> SyntaxTreeNode:
    return SyntaxTreeNode(PARSER.parse(text))


def collapsed(text: str) -> str:
    return " ".join(plain(text).split())


@given(TEXTS)
@example("_a_ b_c _")
@example("1) a")
@example("+")
@example("##")
@example("a ##")
@example("~~a~~")
@settings(max_examples=400)
def test_text_stays_text(text: str) -> None:
    wanted = collapsed(text)
    assert shown(parse(block(text))) == wanted
    if wanted:
        assert shown(parse(f"## {block(text)}").children[0]) == wanted
        items = parse(f"- {block(text)}\n- b").children[0].children
        assert [shown(item.children[0]) for item in items] == [wanted, "b"]


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), TEXTS)
@settings(max_examples=200)
def test_cells_stay_cells(rows: list[tuple[str, str]], head: str) -> None:
    text = table_text(Table("t", [Column(head), Column("b")], rows))
    (table,) = parse(text).children
    found = [[shown(cell) for cell in row.children] for part in table.children for row in part.children]
    assert found == [[collapsed(cell) for cell in row] for row in [(head, "b"), *rows]]


@given(TEXTS)
def test_code_stays_code(text: str) -> None:
    wanted = collapsed(text)
    assert shown(parse(f"a {code(text)}")) == (f"a <code>{wanted}" if wanted else "a")


REPORT = Report(
    "Losses <compared>",
    "Does DPOP keep chosen?",
    {"Command": "pairgen study loss-comparison --scale small", "Seeds": "0, 1, 2"},
    tables=[
        Table(
            "Log-ratios",
            [Column("loss"), Column("chosen", NATS), Column("kept")],
            [["dpo", Spread(-19.5, -21, -18.2, 3), False], ["dpop", 3, True], ["ipo", None, None]],
            notes=["Medians and ranges over 3 seeds."],
        )
    ],
    figures=[Lines("chosen", "Chosen | rejected", "step", "nats", {"dpo": Line([0, 1], [0, -3])}, note="One seed.")],
    findings=["DPO's chosen falls."],
    not_shown=["Whether it matters."],
)


def test_a_report() -> None:
    assert (
        markdown(REPORT)
        == """# Losses \\<compared\\>

Does DPOP keep chosen?

## What was shown

- DPO's chosen falls.

## What was not shown

- Whether it matters.

## Tables

### Log-ratios

| loss |          chosen (nats) | kept |
| ---- | ---------------------: | ---: |
| dpo  | -19.5 (-21.0 to -18.2) |   no |
| dpop |                   +3.0 |  yes |
| ipo  |                      - |    - |

- Medians and ranges over 3 seeds.

## Figures

### Chosen \\| rejected

![Chosen \\| rejected](figures/chosen.svg)

One seed.

## Setting

- Command: `pairgen study loss-comparison --scale small`
- Seeds: 0, 1, 2
"""
    )


def test_a_report_within_a_document() -> None:
    text = markdown(REPORT, level=3, folder="loss-comparison/figures")
    assert re.findall("^#+ ", text, re.MULTILINE)[:2] == ["### ", "#### "]
    assert "(loss-comparison/figures/chosen.svg)" in text


def test_a_report_without_its_figures_says_so() -> None:
    text = markdown(REPORT, undrawn="The figures were not drawn: no matplotlib.")
    assert "The figures were not drawn: no matplotlib. The numbers of the figures are in `report.json`." in text
    assert "![" not in text


def test_nothing_shown_is_said() -> None:
    assert "## What was shown\n\nNothing." in markdown(Report("t", "q", {}))


def test_a_row_has_a_cell_per_column() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 cells for 2 columns"):
        Table("t", [Column("a"), Column("b")], [["a", 1], ["a"]])
