"""Folders of training runs: the names of their files, and reading them without torch.

RUN/
  config.toml      all options, defaults filled in
  metrics.jsonl    one JSON object per logged step; metrics of the eval split begin with eval/
  checkpoints/     the latest checkpoints, for --resume
  best/            the model at its best value of --best
  final/           the model at the end, for `from_pretrained`
  sft/             the run of --sft-steps, a folder like this one
  tokens/          the tokenized pairs
  base/            the merged model, if training started from an adapter
  reference.json   hash of the reference model's weights
  reference/       reference log-probs, if the datasets are read-only
  non-finite-0.json  pairs of the batch with a non-finite loss, by process
  tensorboard/     with --report-to tensorboard
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pairgen.errors import RunFolderError

CONFIG = "config.toml"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
BEST = "best"
FINAL = "final"
SFT = "sft"
TOKENS = "tokens"
BASE = "base"
REFERENCE_MODEL = "reference.json"
REFERENCE = "reference"
NON_FINITE = "non-finite-{rank}.json"
TENSORBOARD = "tensorboard"

EVAL = "eval/"
"""Prefix of the eval split's metrics."""

Point = tuple[int, float]
"""A step and a value."""


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
        """Whether evaluations describe the run: not if the only one was before training and training went on."""
        steps = [line["step"] for line in self.lines if any(key.startswith(EVAL) for key in line)]
        return bool(steps) and (steps[-1] > steps[0] or steps[-1] == self.lines[-1]["step"])

    def series(self, key: str) -> list[Point]:
        """All values of a metric."""
        return [(line["step"], line[key]) for line in self.lines if key in line]

    def values(self, prefix: str, last: bool) -> dict[str, Any]:
        """The first or last line that has metrics with a prefix, as those metrics without the prefix.

        A line that has only a loss, as the one of step 0 (so that plots start there), is skipped.
        """
        for line in reversed(self.lines) if last else self.lines:
            found = {key.removeprefix(prefix): value for key, value in line.items() if _has_prefix(key, prefix)}
            if found.keys() - {"loss"}:
                return {"step": line["step"], **found}
        return dict(self.lines[-1 if last else 0])

    def models(self) -> list[Path]:
        """Folders of its models: final and best or, if there is neither yet, that of the latest checkpoint."""
        found = [folder for name in (FINAL, BEST) if (folder := self.path / name).is_dir()]
        return found or sorted((self.path / CHECKPOINTS).glob("step-*/model"))[-1:]


def _has_prefix(key: str, prefix: str) -> bool:
    """Whether a metric belongs to the eval split or, without a prefix, to training."""
    return key.startswith(EVAL) == bool(prefix) and key not in ("step", "epoch")


def open_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        RunFolderError: the folder does not exist, is not a run, has no logged steps yet, or is damaged.
    """
    if not path.is_dir():
        raise RunFolderError(f"{path}: no such folder")
    for name in (CONFIG, METRICS):
        if not (path / name).is_file():
            raise RunFolderError(f"{path}: not a run (no {name}); give a folder that `pairgen train --out` wrote")
    lines = read_metrics(path / METRICS)
    if not lines:
        raise RunFolderError(f"{path}: no steps logged yet")
    return Run(path, _read_config(path / CONFIG), lines)


def read_metrics(file: Path) -> list[dict[str, Any]]:
    """The logged steps, in order.

    A truncated last line, left by a killed run, is ignored. Of steps that were logged again, after resuming from an
    earlier checkpoint, the last values count.

    Raises:
        RunFolderError: the file cannot be read, or a line is damaged.
    """
    rows = _read(file).split("\n")
    if not _is_json(rows[-1]):  # truncated, or empty after the last newline
        rows.pop()
    lines: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        if row.strip():
            _append(lines, _parse_line(row, f"{file}, line {number}"))
    return lines


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{file}: invalid UTF-8 ({error})") from error


def _read_config(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(file))
    except tomllib.TOMLDecodeError as error:
        raise RunFolderError(f"{file}: invalid TOML ({error})") from error


def _is_json(row: str) -> bool:
    try:
        json.loads(row)
    except ValueError:
        return False
    return True


def _parse_line(row: str, where: str) -> dict[str, Any]:
    """One logged step: an object of finite numbers, with its step."""

    def refuse_constant(name: str) -> NoReturn:
        raise RunFolderError(f"{where}: a value is {name}; the run diverged there, train it again")

    try:
        line = json.loads(row, parse_constant=refuse_constant)
    except ValueError as error:
        raise RunFolderError(f"{where}: invalid JSON ({error}); remove the line to read the others") from error
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        raise RunFolderError(f"{where}: must be an object with an integer `step`")
    for key, value in line.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RunFolderError(f"{where}: {key} must be a number, got {value!r}")
        if abs(value) == float("inf"):  # 1e999
            refuse_constant("Infinity")
    return line


def _append(lines: list[dict[str, Any]], line: dict[str, Any]) -> None:
    """Add a step; later steps were logged before the run was resumed from an earlier checkpoint, and are dropped."""
    while lines and lines[-1]["step"] > line["step"]:
        lines.pop()
    if lines and lines[-1]["step"] == line["step"]:
        lines[-1] = {**lines[-1], **line}
    else:
        lines.append(line)
