"""Command-line flags generated from a dataclass of options (see ``pairgen.options``)."""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import Field, fields
from typing import Annotated, Any

import typer

from pairgen.options import flag, is_list, limits, value_type

MAX_CHOICES = 16
"""Choices that take more characters in all are listed in the help text, not next to the flag."""


def with_options(
    cls: type[Any], panels: Mapping[str, str], without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag per option of ``cls``.

    The command is a function that ends in ``**flags``: these are the options that were given on the command line, by
    name. A parameter of the command with the name of an option replaces its flag.

    Args:
        cls: a dataclass whose fields ``options.option`` made.
        panels: headings of the help, each by the name of the first option under it.
        without: options that the command does not have.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(command).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        names = [*without, *(parameter.name for parameter in own)]
        generated = [parameter for parameter in _parameters(cls, panels) if parameter.name not in names]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            options = {parameter.name: values.pop(parameter.name) for parameter in generated}
            command(**values, **{name: value for name, value in options.items() if value not in (None, [])})

        run.__signature__ = inspect.Signature([*generated, *own])  # type: ignore[attr-defined]  # Typer reads it
        return run

    return decorate


def _parameters(cls: type[Any], panels: Mapping[str, str]) -> Iterator[inspect.Parameter]:
    """One keyword parameter per option. Its default is None, so an omitted flag does not override a value in a file."""
    panel = None
    for item in fields(cls):
        panel = panels.get(item.name, panel)
        annotation = list[value_type(item)] if is_list(item) else value_type(item)  # type: ignore[misc]
        yield inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[annotation | None, _declaration(item, panel)],
        )


def _declaration(item: "Field[Any]", panel: str | None) -> Any:
    name = flag(item.name)
    choices = item.metadata.get("choices", ())
    return typer.Option(
        f"{name}/--no-{name[2:]}" if value_type(item) is bool else name,
        *item.metadata.get("aliases", ()),
        help=help_text(item),
        metavar=item.metadata.get("metavar") or _choices_metavar(choices),
        rich_help_panel=panel,
        autocompletion=_completion(choices) if choices else None,
    )


def _completion(choices: Collection[str]) -> Callable[[str], list[str]]:
    """The callback of shell completion; Typer wants its argument to be called so."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def _choices_metavar(choices: Collection[str]) -> str | None:
    text = "|".join(choices)
    return f"<{text if len(text) <= MAX_CHOICES else 'name'}>" if text else None


def help_text(item: "Field[Any]") -> str:
    """The help of an option, then long lists of choices, the default and the limits."""
    text: str = item.metadata["help"]
    choices = item.metadata.get("choices", ())
    if len("|".join(choices)) > MAX_CHOICES and not all(choice in text for choice in choices):
        text += f" One of {', '.join(choices)}."
    facts = [] if "Default:" in text else _default(item)
    facts += [limits(item)] if limits(item) else []
    return f"{text} [{'; '.join(facts)}]" if facts else text


def _default(item: "Field[Any]") -> list[str]:
    value = item.default
    if value in (None, "", ()):
        return []
    if isinstance(value, bool):
        return [f"default: {'on' if value else 'off'}"]
    return [f"default: {value:g}" if isinstance(value, float) else f"default: {value}"]
