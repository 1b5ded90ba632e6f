"""Prompt styles: how a question becomes a prompt, and what the completion starts with; worked examples in front.

A prompt ends without white space and a completion owns the space or newline in front of it, so that the boundary
between the two falls where tokenizers put it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pairgen.errors import SourceNotFound, UsageError

BETWEEN_SHOTS = "\n\n"


class Style(NamedTuple):
    """A prompt with ``{question}`` in it, and the lead of the completion."""

    template: str
    lead: str

    def render(self, question: str, row: Mapping[str, Any]) -> tuple[str, str]:
        """Prompt and lead for one question."""
        del row
        return self.template.replace("{question}", question).rstrip(), self.lead


STYLES: dict[str, Style] = {
    "raw": Style("{question}", "\n"),
    "lm-eval": Style("Question: {question}\nAnswer:", " "),
    "alpaca": Style(
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\n{question}\n\n### Response: Let's think step by step.",
        " ",
    ),
}
"""Styles that fit every dataset; a builder may replace some. Formats: lm-evaluation-harness 0.4.13, MetaMath."""


class Renders(Protocol):
    """Anything that makes a prompt and a completion's lead out of a question."""

    def render(self, question: str, row: Mapping[str, Any]) -> tuple[str, str]: ...


class TemplateFile:
    """A Jinja template: it sees ``question`` and ``row`` (the source row). White space at its end becomes the lead,
    one space where there is none.

    Templates run in Jinja's sandbox and an unknown name in one is an error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text("utf-8")
        except OSError as error:
            raise SourceNotFound(f"{path}: no such template ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: the template is no UTF-8 text") from error
        self._refuse_unknown_names()

    def __reduce__(self) -> tuple[type["TemplateFile"], tuple[Path]]:
        return type(self), (self.path,)

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
            raise UsageError(f"{self.path}: the template fails ({error})") from error

    def _refuse_unknown_names(self) -> None:
        from jinja2 import meta

        environment = self._template.environment
        names = meta.find_undeclared_variables(environment.parse(self.text))
        unknown = names - {"question", "row", *environment.globals}
        if unknown:
            raise UsageError(f"{self.path}: the template names {', '.join(sorted(unknown))}; it sees question and row")

    def render(self, question: str, row: Mapping[str, Any]) -> tuple[str, str]:
        """Prompt and lead for one question. Raises UsageError for a template that fails."""
        import jinja2

        try:
            text: str = self._template.render(question=question, row=row)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise UsageError(f"{self.path}: the template fails ({error})") from error
        prompt = text.rstrip()
        lead = text[len(prompt) :]
        return prompt, lead if lead[:1] in ("\n", " ") and lead else " "


def find(style: str, known: Mapping[str, Style]) -> Renders:
    """The style of a name, or the template in a file.

    Raises:
        UsageError: no style has that name and no file is there.
    """
    if style in known:
        return known[style]
    path = Path(style)
    if not path.is_file():
        raise UsageError(f"--prompt-style {style}: is none of {', '.join(known)}, nor a template file")
    return TemplateFile(path)


class Shot(NamedTuple):
    """A worked example: the identity of its question, and its prompt with the completion."""

    question: int
    text: str


def with_shots(prompt: str, question: int, shots: Sequence[Shot], count: int) -> str:
    """Put the first ``count`` shots that ask another question in front of a prompt.

    ``shots`` holds one more than ``count``, all of different questions: a row that is in the set gets the next.
    """
    chosen = [shot.text for shot in shots if shot.question != question][:count]
    return BETWEEN_SHOTS.join([*chosen, prompt])
