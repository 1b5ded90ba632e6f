"""The command line, a thin layer over the library. Results go to stdout, everything else to stderr.

Exit codes: 0 success, 1 failure, 2 invalid usage, 3 validation failed (`validate`, `audit`), 130 interrupted.
"""

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from pairgen import __version__

if TYPE_CHECKING:
    import typer


def load_app() -> "typer.Typer":
    """The Typer app with all commands, which these modules add to it."""
    from pairgen.cli import (  # noqa: F401
        checking_commands,
        curation_commands,
        dataset_commands,
        evaluation_commands,
        exchange_commands,
        inspection_commands,
        report_commands,
        training_commands,
    )
    from pairgen.cli.app import app

    return app


def main() -> None:
    """Run the command line, and leave with its exit code."""
    try:
        _run()
    except SystemExit as left:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            _exit_at_once(left)
        raise


def _run() -> None:
    """Run the command line. Ctrl-C while it is being imported ends it as quietly as later."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for an encoding without the characters of a text
    try:
        if sys.argv[1:] == ["--version"]:  # without importing the commands, which takes most of the time
            print(f"pairgen {__version__}", flush=True)
        else:
            load_app()(prog_name="pairgen")
    except KeyboardInterrupt:  # before a command has begun
        raise SystemExit(130) from None
    except OSError as error:  # from --version and --help
        from pairgen.cli.app import report_output_error

        report_output_error(error)
        raise SystemExit(1) from None


def _exit_at_once(left: SystemExit) -> None:
    """Leave without Python's finalization.

    In a process of torchrun, threads of gloo may still release tensors then: they would wait for an interpreter that is
    gone, which aborts the process after all of its work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(left.code if isinstance(left.code, int) else int(left.code is not None))
