"""The app that commands are added to, how failures are told, and what commands share. Results go to stdout, all else to
stderr.
"""

import json
import os
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

import pairgen
from pairgen.errors import PairgenError


class _Group(TyperGroup):
    """Turns expected failures into one sentence on stderr and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PairgenError as error:
            say(f"{_name()}: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            say("pairgen: interrupted; nothing half-written is left")
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Group,
    help="Preference pairs whose one difference is known exactly, and the trainer that uses it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="pairgen")
    except KeyboardInterrupt:  # before a command has begun
        raise SystemExit(130) from None


def rank() -> int:
    """Which of the processes that torchrun started this is; 0 speaks for all of them, and where there is one."""
    told = os.environ.get("RANK", "")
    return int(told) if told.isdecimal() else 0


def _name() -> str:
    """Who fails: a process may be the only one that does."""
    return f"pairgen, process {rank()}" if rank() else "pairgen"


def say(text: str) -> None:
    """One line on stderr, never wrapped."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of text.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pairgen {pairgen.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
