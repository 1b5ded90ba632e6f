"""The names of the files of a run, and reading its config and metrics."""

import json
import math
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairgen.errors import RunFolderError, UsageError

if TYPE_CHECKING:
    from pairgen.run_folder.measured import Measured

CONFIG = "config.toml"
METRICS = "metrics.jsonl"
PAIRS = "pairs.parquet"
REFERENCE_MODEL = "reference.json"
NON_FINITE = "non-finite-{rank}.json"
FOLDERS = ("checkpoints", "best", "final", "sft", "tokens", "base", "reference", "tensorboard", "imported")
CHECKPOINTS, BEST, FINAL, SFT, TOKENS, BASE, REFERENCE, TENSORBOARD, IMPORTED = FOLDERS

BELOW_REFERENCE = ("chosen_below_reference", "edit_below_reference")
"""Shares of pairs: chosen completions, and their edits, less likely than under the reference model."""

SAME_AS_REFERENCE = ("rewards/accuracies", *BELOW_REFERENCE)
"""Metrics that mean nothing at step 0, where policy and reference are equal and any difference is rounding."""

EVAL = "eval/"
"""Prefix of the eval split's metrics."""


@dataclass(frozen=True)
class Run:
    """The config of a run and its metrics so far."""

    path: Path
    config: dict[str, Any]
    lines: list[dict[str, Any]]
    """Metrics by name, one line per logged step, in order; at least one. A loss may lack some metrics."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def loss(self) -> str:
        """The loss function it was trained with."""
        return str(self.config.get("loss", "-"))

    @property
    def evaluated(self) -> bool:
        """Whether an evaluation describes the trained model: not if the only one was before the first step."""
        steps = [line["step"] for line in self.lines if any(key.startswith(EVAL) for key in line)]
        return bool(steps) and (steps[-1] > steps[0] or steps[-1] == self.lines[-1]["step"])

    def series(self, key: str) -> list[tuple[int, float]]:
        """All values of a metric, each with its step."""
        return [(line["step"], line[key]) for line in self.lines if key in line]

    def values(self, prefix: str, last: bool) -> dict[str, Any]:
        """The metrics of a split, and their step, on its first or last line that has more than a loss.

        Args:
            prefix: ``EVAL``, which is removed from the names, or "" for the training batches.
        """
        for line in reversed(self.lines) if last else self.lines:
            found = {
                key.removeprefix(prefix): value
                for key, value in line.items()
                if key.startswith(EVAL) == bool(prefix) and key not in ("step", "epoch")
            }
            if found.keys() - {"loss"}:
                return {"step": line["step"], **found}
        return dict(self.lines[-1 if last else 0])

    @cached_property
    def measured(self) -> "Measured | None":
        """Log-probs of pairs token by token, as of the last evaluation; None if the run has none, as of older versions.

        Raises:
            RunFolderError: the file is damaged.
        """
        from pairgen.run_folder.measured import Measured  # with pyarrow, which other reports do not need

        return Measured.read(self.path / PAIRS) if (self.path / PAIRS).is_file() else None

    def models(self) -> list[Path]:
        """The folders of the final and the best model; before there are any, that of the latest checkpoint."""
        found = [folder for name in (FINAL, BEST) if (folder := self.path / name).is_dir()]
        return found or sorted((self.path / CHECKPOINTS).glob("step-*/model"))[-1:]


def open_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        RunFolderError: the folder does not exist, is not a run, has no logged steps yet, or is damaged.
    """
    check_folder(path, CONFIG, METRICS)
    lines = read_metrics(path / METRICS)
    if not lines:
        raise RunFolderError(f"{path}: no steps logged yet")
    return Run(path, read_config(path), lines)


def check_folder(path: Path, *files: str) -> None:
    """Raise RunFolderError unless a folder has the files of a run."""
    if not path.is_dir():
        raise RunFolderError(f"{path}: no such folder")
    for name in files:
        if not (path / name).is_file():
            raise RunFolderError(f"{path}: not a run (no {name}); pass a folder that `pairgen train --out` wrote")


def read_config(path: Path) -> dict[str, Any]:
    """The options of the run in a folder. Raises RunFolderError."""
    try:
        return tomllib.loads(_read(path / CONFIG))
    except tomllib.TOMLDecodeError as error:
        raise RunFolderError(f"{path / CONFIG}: invalid TOML ({error})") from error


def final_model(folder: Path, option: str = "") -> Path:
    """For the folder of a run, its final model; else ``folder`` itself.

    Args:
        option: the option that names it, for the message.

    Raises:
        UsageError: the run has not finished.
    """
    if not (folder / CONFIG).is_file():
        return folder
    if not (final := folder / FINAL).is_dir():
        named = f"{option} {folder}" if option else str(folder)
        raise UsageError(f"{named}: this run has not finished; resume it, or name a checkpoint's model folder")
    return final


def read_metrics(file: Path) -> list[dict[str, Any]]:
    """The logged steps, in order.

    A truncated last line, left by a killed run, is ignored. A run that was resumed from an earlier checkpoint logs some
    steps again: their last values count, and later steps logged before are dropped.

    Raises:
        RunFolderError: the file cannot be read, or a line is damaged.
    """
    rows = _read(file).split("\n")
    lines: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        where = f"{file}, line {number}"
        try:
            line = parse_line(row, where)
        except RunFolderError:
            if number == len(rows):
                break
            raise
        add_line(lines, line, where)
    return lines


def parse_line(row: str | bytes, where: str) -> Any:
    """A line of the metrics as JSON. Raises RunFolderError."""
    try:
        return json.loads(row)
    except ValueError as error:
        raise RunFolderError(f"{where}: invalid JSON ({error}); remove the line to read the others") from error


def add_line(lines: list[dict[str, Any]], line: Any, where: str) -> None:
    """Add a line of the metrics to those before it; see ``read_metrics``. Raises RunFolderError for a damaged one."""
    _check_line(line, where)
    while lines and lines[-1]["step"] > line["step"]:
        lines.pop()
    if lines and lines[-1]["step"] == line["step"]:
        lines[-1] |= line
    else:
        lines.append(line)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{file}: invalid UTF-8 ({error})") from error


def _check_line(line: Any, where: str) -> None:
    """Raise RunFolderError unless the line is an object of finite numbers with a step."""
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        raise RunFolderError(f"{where}: must be an object with an integer `step`")
    for key, value in line.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RunFolderError(f"{where}: {key} must be a number, got {value!r}")
        if not math.isfinite(value):
            raise RunFolderError(f"{where}: {key} is {value}; the run diverged at that step, train it again")
