"""The Typer app, error reporting, and what the commands share."""

import copy
import difflib
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

import pairgen
from pairgen.errors import PairgenError

OTHER_NAMES = {
    "--lr": "--learning-rate",
    "--bs": "--batch-size",
    "--per-device-train-batch-size": "--micro-batch-size",
    "--num-train-epochs": "--epochs",
    "--max-steps": "--steps",
    "--output-dir": "--out",
    "--num-workers": "--workers",
    "--dataset": "--source",
    "--num-fewshot": "--shots",
}
"""Options of other tools, and what they are called here."""


class Command(TyperCommand):
    """A command with compact help, which accepts ``_`` for ``-`` in options and suggests names for unknown ones."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super(Command, _compact(self)).format_help(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, [_with_dashes(argument) for argument in args])
        except Exception as error:
            name = getattr(error, "option_name", None)
            if name and hasattr(error, "possibilities"):
                known = [
                    option for parameter in self.get_params(ctx) for option in parameter.opts if option[:2] == "--"
                ]
                close = (
                    [OTHER_NAMES[name]] if OTHER_NAMES.get(name) in known else difflib.get_close_matches(name, known)
                )
                error.possibilities = close
            elif message := getattr(error, "message", None):
                error.message = _NOT_VALID.sub(_requirement, message)  # type: ignore[attr-defined]
            raise


_NOT_VALID = re.compile(r"Input should be (?:a valid (\w+)|greater than or equal to (\d+)).*", re.DOTALL)


def _requirement(found: "re.Match[str]") -> str:
    kind, least = found.groups()
    return f"must be at least {least}" if least else f"must be {'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _with_dashes(argument: str) -> str:
    """``--learning_rate=0.1`` becomes ``--learning-rate=0.1``."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}"


COMMAND_ORDER = (
    *("build", "import", "sft-data", "validate", "explain", "audit", "show", "stats"),
    *(
        "merge",
        "sample",
        "split",
        "mix",
        "dedup",
        "decontaminate",
        "export",
        "card",
        "push",
        "plan",
        "train",
        "watch",
        "compare",
        "eval",
        "study",
        "run",
        "report",
        "plot",
    ),
)
"""The order of the commands in the help: that in which one works with them."""


class Group(TyperGroup):
    """Reports expected failures as one message on stderr, with their exit code."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super(Group, _compact(self)).format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)  # those from outside the package come last
        return sorted(
            names, key=lambda name: COMMAND_ORDER.index(name) if name in COMMAND_ORDER else len(COMMAND_ORDER)
        )

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            _discard_output()
            raise typer.Exit from None
        except OSError as error:
            report_output_error(error)
            raise typer.Exit(1) from error
        except PairgenError as error:
            process = f", process {rank()}" if rank() else ""
            print_stderr(f"pairgen{process}: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            if not rank():
                print_stderr(f"pairgen: {'; '.join(['interrupted', *map(str, interrupt.args)])}")
            raise typer.Exit(130) from None


def report_output_error(error: OSError) -> None:
    """Say that stdout cannot be written. Raises the error if it is about a file."""
    if error.filename is not None:
        raise error
    _discard_output()
    print_stderr(f"pairgen: the output cannot be written ({error.strerror or error})")


def _discard_output() -> None:
    """Keep Python from writing what is left in its buffers when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    else:
        shown.display_type_rich = lambda **_: None
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


def command(help: str, examples: list[str], name: str | None = None) -> Callable[[Any], Any]:
    """Add a function to the app as a command, named like the function unless ``name`` is given.

    Examples are commands, each optionally with a remark after a ``#``.
    """
    lines = []
    for example in examples:
        line, _, remark = example.partition("  # ")
        lines.append(f"- `{line}`{f' ({remark})' if remark else ''}")
    return app.command(name, cls=Command, help=help, epilog="Examples:\n\n" + "\n".join(lines))


def rank() -> int:
    """This process's rank under torchrun, else 0. Only rank 0 prints results and progress."""
    value = os.environ.get("RANK", "")
    return int(value) if value.isdecimal() else 0


class OutputConsole(Console):
    """Results on stdout."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would exit with 1


def print_stderr(text: str) -> None:
    """Print a message on stderr, unwrapped, without markup, and with control characters shown as escapes."""
    from pairgen.report.text import safe_text

    Console(stderr=True).print(safe_text(text), highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


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
