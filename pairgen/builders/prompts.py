"""Prompt styles: how questions become prompts; few-shot examples.

Prompts have no trailing whitespace, and completions start with the space or newline that separates the two: tokenizers
merge a space with the word after it, so the texts are split at a token boundary.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pairgen.errors import SourceNotFound, UsageError

BETWEEN_SHOTS = "\n\n"


class Style(NamedTuple):
    """A prompt template with ``{question}``, and the separator that starts the completion."""

    template: str
    separator: str

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the source that it needs."""
        return frozenset()

    def render(self, question: str, row: Mapping[str, Any]) -> tuple[str, str]:
        """Prompt and separator for one question."""
        del row
        return self.template.replace("{question}", question).rstrip(), self.separator


STYLES: dict[str, Style] = {
    "raw": Style("{question}", "\n"),
    "lm-eval": Style("Question: {question}\nAnswer:", " "),
    "alpaca": Style(
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\n{question}\n\n### Response: Let's think step by step.",
        " ",
    ),
}
"""Styles for every dataset; builders may replace them. Formats of lm-evaluation-harness 0.4.13 and MetaMath."""


class PromptStyle(Protocol):
    """Renders a question into a prompt and the separator that starts the completion."""

    @property
    def columns(self) -> frozenset[str] | None:
        """Columns of the source that it may need; None for all."""

    def render(self, question: str, row: Mapping[str, Any]) -> tuple[str, str]: ...


class TemplateFile:
    """A Jinja template with the variables ``question`` and ``row`` (the source row).

    Whitespace at its end becomes the separator; without any it is one space. Templates run in Jinja's sandbox.

    Raises:
        SourceNotFound: the file cannot be read.
        UsageError: it is not valid UTF-8, not a valid template, or uses another variable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text("utf-8-sig")
        except OSError as error:
            raise SourceNotFound(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: the template is not valid UTF-8") from error
        self._check_names()

    def __getstate__(self) -> dict[str, Any]:
        """Processes on other machines need not have the file."""
        return {"path": self.path, "text": self.text}

    @cached_property
    def _template(self) -> Any:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
        )
        try:
            return environment.from_string(self.text)
        except jinja2.TemplateError as error:
            raise UsageError(f"{self.path}: template error: {error}") from error

    def _check_names(self) -> None:
        from jinja2 import meta

        environment = self._template.environment
        names = meta.find_undeclared_variables(environment.parse(self.text))
        unknown = names - {"question", "row", *environment.globals}
        if unknown:
            raise UsageError(f"{self.path}: unknown variables {', '.join(sorted(unknown))}; available: question, row")

    @property
    def columns(self) -> frozenset[str] | None:
        """The columns in ``row.NAME`` and ``row["NAME"]``; None if ``row`` is used in another way."""
        from jinja2 import nodes

        tree = self._template.environment.parse(self.text)
        names = [node.attr for node in tree.find_all(nodes.Getattr) if _is_row(node.node)]
        items = [node.arg.value for node in tree.find_all(nodes.Getitem) if _is_row(node.node) and _is_text(node.arg)]
        uses = sum(map(_is_row, tree.find_all(nodes.Name)))
        return frozenset([*names, *items]) if uses == len(names) + len(items) else None

    def render(self, question: str, row: Mapping[str, Any]) -> tuple[str, str]:
        """Prompt and separator for one question. Raises UsageError if the template fails for it."""
        import jinja2

        try:
            text: str = self._template.render(question=question, row=row)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise UsageError(f"{self.path}: template error: {error}") from error
        prompt = text.rstrip()
        separator = text[len(prompt) :]
        return prompt, separator if separator and separator[0] in "\n " else " "


def _is_row(node: Any) -> bool:
    return getattr(node, "name", None) == "row"


def _is_text(node: Any) -> bool:
    return isinstance(getattr(node, "value", None), str)


def find(style: str, known: Mapping[str, Style]) -> PromptStyle:
    """The style with this name, or the template in this file.

    Raises:
        UsageError: neither a style nor a file has that name.
    """
    if style in known:
        return known[style]
    path = Path(style)
    if not path.is_file():
        raise UsageError(f"--prompt-style {style}: not one of {', '.join(known)}, and not a template file")
    return TemplateFile(path)


class Shot(NamedTuple):
    """A few-shot example: the hash of its question group, and its prompt with the completion."""

    question: int
    text: str


def with_shots(prompt: str, question: int, shots: Sequence[Shot], count: int) -> str:
    """Prepend the first ``count`` few-shot examples that belong to another question group.

    ``shots`` holds at least one more than ``count``, all of different groups, so that a row which is itself one of them
    gets the next one instead.
    """
    chosen = [shot.text for shot in shots if shot.question != question][:count]
    return BETWEEN_SHOTS.join([*chosen, prompt])
