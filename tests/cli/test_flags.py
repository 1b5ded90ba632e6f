"""Flags generated from a dataclass of options."""

from dataclasses import dataclass, fields
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from pairgen.building.options import BuildOptions
from pairgen.cli.app import Command
from pairgen.cli.flags import help_text, with_options
from pairgen.options import option
from pairgen.train.config import Config


@dataclass(frozen=True)
class Options:
    names: tuple[str, ...] = option((), "Names.")
    count: int = option(3, "A count.", at_least=1, at_most=9, aliases=("-c", "--number"))
    size: int | None = option(None, "A size. Default: the count.", at_least=8)
    rate: float = option(0.00001, "A rate.", above=0)
    kind: str = option("big", "A kind.", choices=("big", "small"))
    method: str = option("ordinary", "A method.", choices=("ordinary", "exceptional"))
    gradient_checkpointing: bool = option(False, "Less memory.")
    verbose: bool = option(True, "Print more.")


@pytest.fixture
def call() -> Any:
    app = typer.Typer(rich_markup_mode="markdown")

    @app.command(cls=Command)
    @with_options(Options, {"kind": "Kinds"})
    def example(place: str = "here", **flags: Any) -> None:
        typer.echo(repr((place, flags)))

    def run(words: str) -> Result:
        return CliRunner().invoke(app, words.split(), env={"COLUMNS": "80"})

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ("here", {})),
        ("--place there --count 5", ("there", {"count": 5})),
        ("-c 5", ("here", {"count": 5})),
        ("--number 5", ("here", {"count": 5})),
        ("--names a --names b", ("here", {"names": ["a", "b"]})),
        ("--rate 0", ("here", {"rate": 0.0})),
        ("--gradient-checkpointing --no-verbose", ("here", {"gradient_checkpointing": True, "verbose": False})),
        ("--no-gradient-checkpointing", ("here", {"gradient_checkpointing": False})),
    ],
)
def test_only_given_flags_reach_the_command(call: Any, words: str, expected: object) -> None:
    assert call(words).stdout.strip() == repr(expected)


def test_help_shows_one_name_per_flag_and_no_negative_form(call: Any) -> None:
    text = call("--help").stdout
    assert "--gradient-checkpointing " in text
    assert "--no-" not in text
    assert "--number" not in text
    assert "-c " in text
    assert "Kinds" in text
    assert "…" not in text


def test_showing_the_help_leaves_the_flags_as_they_are(call: Any) -> None:
    call("--help")
    assert call("--no-verbose --number 4").stdout.strip() == repr(("here", {"count": 4, "verbose": False}))


def test_help_text_shows_choices_default_and_limits() -> None:
    texts = {item.name: help_text(item) for item in fields(Options)}
    assert texts == {
        "names": "Names.",
        "count": "A count. [default: 3; from 1 to 9]",
        "size": "A size. Default: the count. [at least 8]",
        "rate": "A rate. [default: 1e-05; above 0]",
        "kind": "A kind. [default: big]",
        "method": "A method. One of ordinary, exceptional. [default: ordinary]",
        "gradient_checkpointing": "Less memory. [default: off]",
        "verbose": "Print more. [default: on]",
    }


@pytest.mark.parametrize("cls", [BuildOptions, Config])
def test_every_option_shows_its_default_and_choices(cls: type[Any]) -> None:
    for item in fields(cls):
        text = help_text(item)
        assert item.default in (None, "", ()) or "default: " in text or "Default: " in text, item.name
        choices = item.metadata.get("choices", ())
        assert len("|".join(choices)) <= 16 or all(choice in text for choice in choices), item.name
