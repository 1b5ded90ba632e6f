"""The Typer app, error reporting, and what the commands share."""

import copy
import json
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

import pairgen
from pairgen.errors import PairgenError


class Command(TyperCommand):
    """A command with compact help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super(Command, _compact(self)).format_help(ctx, formatter)


class Group(TyperGroup):
    """Reports expected failures as one message on stderr, with their exit code."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super(Group, _compact(self)).format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PairgenError as error:
            process = f", process {rank()}" if rank() else ""
            print_stderr(f"pairgen{process}: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            if not rank():
                print_stderr(f"pairgen: {'; '.join(['interrupted', *map(str, interrupt.args)])}")
            raise typer.Exit(130) from None


def _compact(command: Any) -> Any:
    """A copy of a command for its help, where a flag has one long name and no ``--no-`` form or ``<bool>`` next to it.

    With them, texts in a terminal of 80 columns would get less than 20.
    """
    shown = copy.copy(command)
    shown.get_params = lambda ctx: [_compact_parameter(parameter) for parameter in command.get_params(ctx)]
    return shown


def _compact_parameter(parameter: Any) -> Any:
    shown = copy.copy(parameter)
    if shown.param_type_name == "option":
        long = [name for name in shown.opts if name.startswith("--")]
        shown.opts = [*long[:1], *(name for name in shown.opts if name not in long)]
        shown.secondary_opts = []
        shown.metavar = "" if shown.is_flag else shown.metavar
    return shown


app = typer.Typer(
    cls=Group,
    help="Build preference pairs that differ by one verified edit, and train on them without recomputing shared "
    "tokens.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(help: str, examples: list[str]) -> Callable[[Any], Any]:
    """Add a function to the app as a command. Examples are commands, each optionally with a remark after a ``#``."""
    lines = []
    for example in examples:
        line, _, remark = example.partition("  # ")
        lines.append(f"- `{line}`{f' ({remark})' if remark else ''}")
    return app.command(cls=Command, help=help, epilog="Examples:\n\n" + "\n".join(lines))


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="pairgen")
    except KeyboardInterrupt:  # before a command has begun
        raise SystemExit(130) from None


def rank() -> int:
    """This process's rank under torchrun, else 0. Only rank 0 prints results and progress."""
    value = os.environ.get("RANK", "")
    return int(value) if value.isdecimal() else 0


def print_stderr(text: str) -> None:
    """Print a message on stderr, unwrapped and without interpreting markup in it."""
    Console(stderr=True).print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"pairgen {pairgen.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
