"""The commands around training: train, compare. ``train`` has a flag for every option of ``Config``."""

import inspect
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import Field
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console

from pairgen.cli.app import Json, app, print_json, rank, say
from pairgen.cli.bars import Say, Tell, telling
from pairgen.errors import TrainingError, UsageError
from pairgen.train.config import OPTIONS, PRESETS, combine, flag

OFF = "no_"
"""In front of a switch's name: the parameter that turns it off."""

PANELS = {
    "model": "The run",
    "loss": "The loss",
    "steps": "How long, in which portions",
    "sft_steps": "SFT before it",
    "learning_rate": "The optimizer",
    "max_length": "The texts",
    "lora": "Memory, speed, precision",
    "log_every": "What is logged and kept",
}
"""Headings of the help, each by the option that comes first under it."""

NEEDED = ("torch", "transformers", "tokenizers", "safetensors")
"""What `pip install pairgen` alone does not bring."""

WIDEST = 18
"""Characters up to which choices stand beside their flag; more of them stand in the help text."""


def _choices(option: "Field[Any]") -> tuple[str | None, str]:
    """What stands beside a flag, and what more its help text says."""
    words = option.metadata.get("choices", ())
    beside = "|".join(words) or None
    return (beside, "") if not beside or len(beside) <= WIDEST else ("WORD", f" One of {', '.join(words)}.")


def _default(option: "Field[Any]") -> str:
    """An option's default, where its help text does not name it itself."""
    value = option.default
    if value in (None, "") or isinstance(value, bool) or "Default:" in option.metadata["help"]:
        return ""
    return f" Default: {f'{value:g}' if isinstance(value, float) else value}."


def _parameters(name: str, panel: str) -> Iterator[inspect.Parameter]:
    """The flag of an option, where None says that it was not given; and of a switch the one that turns it off."""
    option = OPTIONS[name]
    kind: Any = next((part for part in get_args(option.type) if part is not type(None)), option.type)
    metavar, more = _choices(option)
    text = option.metadata["help"] + more + _default(option)
    words = [flag(name), *(["-o"] if name == "out" else [])]
    if kind is bool:  # both in one option would leave no room for help texts
        yield _keyword(OFF + name, bool, typer.Option(f"--no-{words[0][2:]}", hidden=True), False)
        text += " Default: off."
    yield _keyword(name, kind | None, typer.Option(*words, help=text, metavar=metavar, rich_help_panel=panel))


def _keyword(name: str, kind: Any, made: Any, default: Any = None) -> inspect.Parameter:
    annotation = Annotated[kind, made]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _signature() -> inspect.Signature:
    """One parameter per option of ``Config``, and those that say where options come from."""
    folders = typer.Argument(metavar="DIR", help=OPTIONS["data"].metadata["help"])
    parameters = [_keyword("data", list[str] | None, folders)]
    panel = ""
    for name in OPTIONS:
        panel = PANELS.get(name, panel)
        if name != "data":
            parameters += _parameters(name, panel)
    here: dict[str, Any] = {"rich_help_panel": PANELS["model"]}
    file = "TOML file of options. Flags win over it, as --no-compile does over `compile = true`."
    preset = f"Options as published: {', '.join(PRESETS)}. File and flags win over it."
    resume = "Go on with the run in --out, from its newest checkpoint."
    parameters += [
        _keyword("config", Path | None, typer.Option("--config", metavar="FILE", help=file, **here)),
        _keyword("preset", str | None, typer.Option("--preset", metavar="NAME", help=preset, **here)),
        _keyword("resume", bool, typer.Option("--resume", help=resume, **here), False),
        _keyword("overwrite", bool, typer.Option("--overwrite", help="Replace a run that is there.", **here), False),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json),
    ]
    return inspect.Signature(parameters)


def train(
    *, config: Path | None, preset: str | None, resume: bool, overwrite: bool, as_json: bool, **flags: Any
) -> None:
    given = {name: value for name, value in flags.items() if name in OPTIONS and value not in (None, [])}
    given |= {name: False for name in OPTIONS if flags.get(OFF + name)}
    if "data" in given:
        given["data"] = tuple(given["data"])
    outcome = _resumed(given, config, preset, overwrite) if resume else _trained(given, config, preset, overwrite)
    if rank():
        return
    if as_json:
        print_json({"out": str(outcome.folder), **outcome.summary})
        return
    from pairgen.report.run_tables import closing_table
    from pairgen.run_folder import open_run

    Console().print(closing_table(open_run(outcome.folder)))


train.__signature__ = _signature()  # type: ignore[attr-defined]
app.command(
    help="Train a model on pairs, so that it prefers chosen and chosen does not become less likely.",
    epilog="Examples:\n\n- `pairgen train pairs --out run` (a tiny model, on any machine)\n"
    "- `pairgen train metamath arc --model Qwen/Qwen3-0.6B --preset smaug --out run`\n"
    "- `pairgen train pairs --config run.toml --loss ipo --beta 0.1 --out ipo`\n"
    "- `pairgen train --resume --out run`\n"
    "- `torchrun --nproc-per-node 8 -m pairgen train pairs --model Qwen/Qwen3-4B --out run`",
)(train)


def _trained(given: dict[str, Any], file: Path | None, preset: str | None, overwrite: bool) -> Any:
    config = combine(given, file, preset)
    if not config.data:
        raise UsageError("train: name at least one folder of pairs, as in `pairgen train pairs --out run`")
    if not config.out:
        raise UsageError("train: --out is missing; name the folder of the run")
    with _training(config.out) as (tell, warn):
        from pairgen.train import train as run

        return run(config, overwrite=overwrite, progress=tell, warn=warn)


def _resumed(given: dict[str, Any], file: Path | None, preset: str | None, overwrite: bool) -> Any:
    for name, told in {"--config": file, "--preset": preset, "--overwrite": overwrite}.items():
        if told:
            raise UsageError(f"--resume goes on with the options of the run; leave out {name}")
    out = given.pop("out", "")
    if not out:
        raise UsageError("--resume: --out is missing; name the folder of the run to go on with")
    with _training(out) as (tell, warn):
        from pairgen.train import resume as run

        return run(Path(out), given, progress=tell, warn=warn)


@contextmanager
def _training(out: str) -> Iterator[tuple[Tell | None, Say]]:
    """Progress, and plain words for a missing torch and for an interrupt.

    Torch's threads spin while they wait, by default. Beside anything else that runs, they take its core and it takes
    theirs, and a step takes several times as long; asleep they cost a few percent on a machine of one's own.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with telling() as spoken:
            yield spoken
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        raise TrainingError(
            f"training needs {error.name}, which is not installed: pip install 'pairgen[train]'"
        ) from error
    except KeyboardInterrupt as stopped:
        if not rank():
            going = f"go on with: pairgen train --resume --out {shlex.quote(out)}"
            began = (Path(out) / "config.toml").is_file()
            say(f"pairgen: {str(stopped) or 'interrupted'}; {going if began else 'nothing is left of it'}")
        raise typer.Exit(130) from None


@app.command(
    help="Compare runs: where the log-probs of chosen went, in one table and one plot.",
    epilog="Examples:\n\n- `pairgen compare dpo ipo dpop`\n- `pairgen compare runs/* --json`",
)
def compare(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders that `pairgen train --out` wrote.")],
    as_json: Json = False,
) -> None:
    from pairgen.report.run_tables import compared, comparison
    from pairgen.run_folder import open_run

    runs = [open_run(path) for path in paths]
    if as_json:
        print_json(compared(runs))
        return
    console = Console()
    console.print(comparison(runs, console.width))
