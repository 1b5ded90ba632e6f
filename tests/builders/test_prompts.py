"""Prompt styles, template files, and worked examples in front of a question."""

import pickle
from pathlib import Path

import pytest

from pairgen.builders import BUILDERS
from pairgen.builders.prompts import STYLES, Shot, TemplateFile, find, with_shots
from pairgen.errors import PairgenError, SourceNotFound, UsageError

ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
    "\n\n### Instruction:\nWhy?\n\n### Response: Let's think step by step."
)
QUESTION = "What is {question}? {{ 3 * 4 }} \\n 😀"


def template(tmp_path: Path, text: str | bytes) -> TemplateFile:
    path = tmp_path / "style.jinja"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return TemplateFile(path)


@pytest.mark.parametrize("question", [QUESTION, "a", "trailing \n\n"])
@pytest.mark.parametrize(
    ("builder", "style"), [(name, style) for name, builder in BUILDERS.items() for style in builder.styles]
)
def test_a_prompt_ends_without_white_space_and_the_lead_is_nothing_else(
    builder: str, style: str, question: str
) -> None:
    prompt, lead = find(style, BUILDERS[builder].styles).render(question, {})
    assert prompt == prompt.rstrip()
    assert question.rstrip() in prompt, "what looks like a placeholder in a question is left as it is"
    assert lead
    assert not lead.strip()


@pytest.mark.parametrize(
    ("style", "prompt", "lead"),
    [
        ("raw", "Why?", "\n"),
        ("lm-eval", "Question: Why?\nAnswer:", " "),
        (
            "alpaca",
            ALPACA,
            " ",
        ),
    ],
)
def test_the_styles_to_the_letter(style: str, prompt: str, lead: str) -> None:
    assert STYLES[style].render("Why?", {}) == (prompt, lead)


def test_every_builder_knows_its_own_style() -> None:
    for builder in BUILDERS.values():
        assert builder.style in builder.styles
        assert {"raw", "lm-eval", "alpaca"} <= set(builder.styles)


def test_an_unknown_style_names_the_known_ones(tmp_path: Path) -> None:
    for style in ("nonsense", str(tmp_path), str(tmp_path / "gone.jinja")):
        with pytest.raises(UsageError, match=r"is none of raw, lm-eval, alpaca, nor a template file"):
            find(style, STYLES)


# ---------------------------------------------------------------- templates


@pytest.mark.parametrize(
    ("text", "prompt", "lead"),
    [
        ("Q: {{ question }}\nA: ", "Q: Why <b>?\nA:", " "),
        ("{{ question }}\n\n", "Why <b>?", "\n\n"),
        ("{{ question }}", "Why <b>?", " "),
        ("{{ question }}\t \n", "Why <b>?", " "),  # a lead begins with a space or a newline
        ("{{ row.kind }}: {{ question|upper }}\nA:", "hard: WHY <B>?\nA:", " "),
        ("{{ row['kind'] }}{% if row.hint is defined %}{{ row.hint }}{% endif %}!", "hard!", " "),
        ("{{ row.hint | default('none') }}", "none", " "),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012", " "),
        ("日本 {{ question }}", "日本 Why <b>?", " "),
        ("", "", " "),
    ],
)
def test_a_template_sees_question_and_row(text: str, prompt: str, lead: str, tmp_path: Path) -> None:
    style = template(tmp_path, text)
    assert style.render("Why <b>?", {"kind": "hard"}) == (prompt, lead)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ question.__class__ }}",
        "{{ row.__class__.__init__.__globals__ }}",
        "{{ ''['__class__'] }}",
        "{{ (''|attr('__class__'))|string }}",
        "{{ row.clear() }}",
        "{{ row.update({'a': 1}) }}",
        "{{ '{0.__class__}'.format(question) }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_the_sandbox_refuses(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the template fails") as error:
        template(tmp_path, text).render("Why?", {"kind": "hard"})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ question ", "the template fails"),
        ("{% if %}", "the template fails"),
        ("{% nonsense %}", "the template fails"),
        ("{{ question | nonsense }}", "the template fails"),
        ("{{ answer }} {{ hint }}", "the template names answer, hint; it sees question and row"),
        (b"\xff\xfe", "is no UTF-8 text"),
    ],
)
def test_a_wrong_template_is_one_sentence_before_any_row(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words) as error:
        template(tmp_path, text)
    assert "\n" not in str(error.value)
    assert "style.jinja" in str(error.value)


@pytest.mark.parametrize("text", ["{{ row.hint }}", "{{ row.hint.text }}", "{{ 1 / 0 }}", "{{ question + 1 }}"])
def test_a_template_that_fails_on_a_row_is_one_sentence(text: str, tmp_path: Path) -> None:
    style = template(tmp_path, text)
    with pytest.raises(UsageError, match="the template fails") as error:
        style.render("Why?", {"kind": "hard"})
    assert "\n" not in str(error.value)


def test_a_template_crosses_process_borders(tmp_path: Path) -> None:
    style = template(tmp_path, "{{ question }}?\n")
    style.render("a", {})
    assert pickle.loads(pickle.dumps(style)).render("b", {}) == ("b?", "\n")  # noqa: S301


def test_a_template_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="no such template") as error:
        TemplateFile(tmp_path / "gone.jinja")
    assert isinstance(error.value, PairgenError)


# ---------------------------------------------------------------- shots

SHOTS = [Shot(number, f"shot {number}") for number in (5, 9, 2)]


@pytest.mark.parametrize(
    ("question", "count", "expected"),
    [
        (7, 2, "shot 5\n\nshot 9\n\nWhy?"),
        (5, 2, "shot 9\n\nshot 2\n\nWhy?"),
        (9, 2, "shot 5\n\nshot 2\n\nWhy?"),
        (2, 2, "shot 5\n\nshot 9\n\nWhy?"),
        (5, 1, "shot 9\n\nWhy?"),
        (5, 0, "Why?"),
    ],
)
def test_a_row_in_the_set_gets_the_next_shot(question: int, count: int, expected: str) -> None:
    assert with_shots("Why?", question, SHOTS, count) == expected
