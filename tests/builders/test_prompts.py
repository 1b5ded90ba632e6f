"""Prompt styles, template files, and few-shot examples before a question."""

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
def test_prompt_has_no_trailing_whitespace_and_separator_is_whitespace(builder: str, style: str, question: str) -> None:
    prompt, separator = find(style, BUILDERS[builder].styles).render(question, {})
    assert prompt == prompt.rstrip()
    assert question.rstrip() in prompt, "what looks like a placeholder in a question is left as it is"
    assert separator
    assert not separator.strip()


@pytest.mark.parametrize(
    ("style", "prompt", "separator"),
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
def test_styles_exactly(style: str, prompt: str, separator: str) -> None:
    assert STYLES[style].render("Why?", {}) == (prompt, separator)


def test_default_style_of_each_builder_exists() -> None:
    for builder in BUILDERS.values():
        assert builder.style in builder.styles
        assert {"raw", "lm-eval", "alpaca"} <= set(builder.styles)


def test_find_unknown_style_lists_the_known_ones(tmp_path: Path) -> None:
    for style in ("nonsense", str(tmp_path), str(tmp_path / "gone.jinja")):
        with pytest.raises(UsageError, match=r"not one of raw, lm-eval, alpaca, and not a template file"):
            find(style, STYLES)


# ---------------------------------------------------------------- templates


@pytest.mark.parametrize(
    ("text", "prompt", "separator"),
    [
        ("Q: {{ question }}\nA: ", "Q: Why <b>?\nA:", " "),
        ("{{ question }}\n\n", "Why <b>?", "\n\n"),
        ("{{ question }}", "Why <b>?", " "),
        ("{{ question }}\t \n", "Why <b>?", " "),  # a separator begins with a space or a newline
        ("{{ row.kind }}: {{ question|upper }}\nA:", "hard: WHY <B>?\nA:", " "),
        ("{{ row['kind'] }}{% if row.hint is defined %}{{ row.hint }}{% endif %}!", "hard!", " "),
        ("{{ row.hint | default('none') }}", "none", " "),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012", " "),
        ("日本 {{ question }}", "日本 Why <b>?", " "),
        ("", "", " "),
    ],
)
def test_template_renders_question_and_row(text: str, prompt: str, separator: str, tmp_path: Path) -> None:
    style = template(tmp_path, text)
    assert style.render("Why <b>?", {"kind": "hard"}) == (prompt, separator)


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
def test_template_runs_in_a_sandbox(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="template error") as error:
        template(tmp_path, text).render("Why?", {"kind": "hard"})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ question ", "template error"),
        ("{% if %}", "template error"),
        ("{% nonsense %}", "template error"),
        ("{{ question | nonsense }}", "template error"),
        ("{{ answer }} {{ hint }}", "unknown variables answer, hint; available: question, row"),
        (b"\xff\xfe", "not valid UTF-8"),
    ],
)
def test_invalid_template_is_refused_before_any_row(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words) as error:
        template(tmp_path, text)
    assert "\n" not in str(error.value)
    assert "style.jinja" in str(error.value)


@pytest.mark.parametrize("text", ["{{ row.hint }}", "{{ row.hint.text }}", "{{ 1 / 0 }}", "{{ question + 1 }}"])
def test_template_error_of_a_row(text: str, tmp_path: Path) -> None:
    style = template(tmp_path, text)
    with pytest.raises(UsageError, match="template error") as error:
        style.render("Why?", {"kind": "hard"})
    assert "\n" not in str(error.value)


def test_template_can_be_pickled(tmp_path: Path) -> None:
    style = template(tmp_path, "{{ question }}?\n")
    style.render("a", {})
    assert pickle.loads(pickle.dumps(style)).render("b", {}) == ("b?", "\n")  # noqa: S301


def test_template_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="cannot be read") as error:
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
def test_with_shots_skips_the_question_itself(question: int, count: int, expected: str) -> None:
    assert with_shots("Why?", question, SHOTS, count) == expected


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("{{ question }}", frozenset()),
        ("{{ row.level }} {{ row['type'] }} {{ question }}", frozenset({"level", "type"})),
        ("{% if row.level %}{{ row.level.text }}{% endif %}", frozenset({"level"})),
        ("{% for name in row %}{{ name }}{% endfor %}", None),
        ("{{ row[question] }}", None),
    ],
)
def test_template_columns(text: str, columns: frozenset[str] | None, tmp_path: Path) -> None:
    assert template(tmp_path, text).columns == columns
