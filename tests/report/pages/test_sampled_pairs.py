"""The sample of pairs on a page."""

import json
from typing import Any

from helpers.rows import good_rows, pair
from helpers.web_pages import FRAGMENTS, Parsed, assert_inert, hostile
from hypothesis import given
from hypothesis import strategies as st

from pairgen.pairs.edits import span
from pairgen.pairs.record import to_batch
from pairgen.report.pages.sampled_pairs import LONGEST, pair_article, sample_view
from pairgen.report.text import safe_text


def row(chosen: str, rejected: str, prompt: str = "Why?", **other: Any) -> dict[str, Any]:
    (made,) = to_batch([pair(chosen, rejected, "a-1", prompt)]).to_pylist()
    return {**made, "split": "train", **other}


def inside(html: str, tag: str) -> list[str]:
    """The text of each element of a kind that holds only text."""
    return [part.split(f"</{tag}>")[0].split(">", 1)[1] for part in html.split(f"<{tag}")[1:]]


def test_a_small_edit_is_marked_in_one_text() -> None:
    made = pair_article({"split": "train", **good_rows()["train"][0]}, {})
    assert "<del>2</del><ins>13</ins>, so 4." in made
    assert inside(made, "dt") == ["edit", "step", "expression", "check", "strategy", "source", "edit distance"]
    assert "<code>1+1</code>" in made
    assert 'data-source="test/sums"' in made
    assert 'data-check="verified"' in made


def test_completions_that_share_little_are_two_texts() -> None:
    made = pair_article(row(" the sun", " a lamp"), {})
    assert "<del>the sun</del>" in made
    assert "<ins>a lamp</ins>" in made
    assert inside(made, "p")[1::2] == ["chosen", "rejected"]


def test_every_edit_is_marked() -> None:
    changes = [
        {"start": 5, "chosen_stop": 6, "rejected_start": 5, "rejected_stop": 7},
        {"start": 30, "chosen_stop": 31, "rejected_start": 31, "rejected_stop": 33},
    ]
    texts = ("1+1= 2 and many more words so 2 it is, at last", "1+1= 13 and many more words so 13 it is, at last")
    made = pair_article(row(*texts, edits=changes), {})
    assert "<del>2</del><ins>13</ins> and many more words so <del>2</del><ins>13</ins> it is" in made


def test_audit_of_a_pair() -> None:
    finding = {"kind": "false", "text": "13", "expression": "1 < 2", "value": "2"}
    made = pair_article({"split": "train", **good_rows()["train"][0]}, {"chosen": [], "rejected": [finding]})
    assert "<code>13</code> is false: <code>1 &lt; 2</code> is 2" in made
    assert "audit, rejected" in inside(made, "dt")
    assert "audit, chosen" not in inside(made, "dt")
    made = pair_article(row("a b", "a c"), {"rejected": [{**finding, "kind": "doubtful", "expression": None}]})
    assert "<code>13</code> is doubtful<" in made


def test_long_texts_are_shortened() -> None:
    made = Parsed(pair_article(row("x" * 100_000 + " b", "x" * 100_000 + " c", prompt="y" * 50_000), {}))
    assert len(made.text) < 3 * LONGEST
    assert f"[… {50_000 - LONGEST:,} characters …]" in made.text


def test_data_for_fine_tuning_has_one_text() -> None:
    made = pair_article({**row("a b", "x"), "rejected": ""}, {})
    assert inside(made, "p") == ["Why?", "a b"]
    assert "<del" not in made


def test_filters_are_those_that_tell_pairs_apart() -> None:
    rows = [{"split": name, **row} for name, rows in good_rows().items() for row in rows]
    page = assert_inert(sample_view(rows, 5, {}))
    assert [one["name"] for one in page.named("select")] == ["split", "source"]
    assert len([attributes for attributes in page.named("div") if attributes.get("class") == "pair"]) == len(rows)
    assert "All 5 pairs." in page.text
    hidden = [attributes for _, attributes in page.elements if "hidden" in attributes]
    assert [one["class"] for one in hidden] == ["controls", "pager"]  # of no use without the script
    assert "The dataset has no pairs." in sample_view([], 0, {})


@given(hostile(), hostile(), hostile(), hostile(2))
def test_any_text_stays_text(prompt: str, chosen: str, rejected: str, name: str) -> None:
    edit = dict(zip(("edit_start", "chosen_edit_stop", "rejected_edit_stop"), span(chosen, rejected), strict=True))
    base = row("a", "b")
    columns = ("source", "strategy", "error", "check", "reason", "expression", "correct", "corrupted", "pair_id")
    made_up = {**base, **dict.fromkeys(columns, name), **edit, "prompt": prompt, "chosen": chosen, "rejected": rejected}
    finding = {"kind": name, "text": chosen, "expression": rejected, "value": prompt}
    page = assert_inert(sample_view([made_up], 1, {name: {"chosen": [finding], "rejected": [finding]}}))
    assert safe_text(prompt).plain in page.text
    assert page.named("div")[0] == {"class": "sample"}


@given(st.sampled_from(FRAGMENTS), st.sampled_from(["prompt", "chosen", "rejected", "source"]))
def test_a_text_that_would_act_changes_no_element(fragment: str, column: str) -> None:
    """Other than an edit that moves: the elements are those of a harmless text of the same shape."""
    harmless = "".join("\n" if letter == "\n" else " " if letter == " " else "q" for letter in fragment)

    def elements(text: str) -> str:
        made = {**row("a long text, 1", "a long text, 2"), column: f"a long text, {text} 7"}
        edit = span(made["chosen"], made["rejected"])
        made |= dict(zip(("edit_start", "chosen_edit_stop", "rejected_edit_stop"), edit, strict=True))
        return json.dumps([tag for tag, _ in Parsed(pair_article(made, {})).elements])

    if column not in ("chosen", "rejected"):
        assert elements(fragment) == elements(harmless)
    assert set(json.loads(elements(fragment))) <= {"div", "h4", "p", "del", "ins", "dl", "dt", "dd", "code", "span"}
