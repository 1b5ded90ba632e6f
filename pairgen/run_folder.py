"""Folders of training runs, read without torch: RUN/config.toml and RUN/metrics.jsonl, one line per logged step."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pairgen.errors import RunFolderError

CONFIG, METRICS = "config.toml", "metrics.jsonl"

EVAL = "eval/"
"""What stands in front of a metric of the evaluation split."""

Point = tuple[int, float]
"""A step and a value."""


@dataclass(frozen=True)
class Run:
    """What a run was told, and what it logged so far."""

    path: Path
    config: dict[str, Any]
    lines: list[dict[str, Any]]
    """One per logged step, by step, at least one. A metric that a loss does not have is missing."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def loss(self) -> str:
        """The loss that was trained with."""
        return str(self.config.get("loss", "-"))

    @property
    def evaluated(self) -> bool:
        """Whether values of an evaluation split say where the run has come to: not if it got on since the only ones."""
        steps = [line["step"] for line in self.lines if any(key.startswith(EVAL) for key in line)]
        return bool(steps) and (steps[-1] > steps[0] or steps[-1] == self.lines[-1]["step"])

    def series(self, key: str) -> list[Point]:
        """All values of a metric."""
        return [(line["step"], line[key]) for line in self.lines if key in line]

    def values(self, prefix: str, last: bool) -> dict[str, Any]:
        """The first or the last step that has metrics under a prefix, as its metrics without the prefix.

        The line of step 0 has no more of training than a loss, so that a plot of it begins there; it does not count.
        """
        for line in reversed(self.lines) if last else self.lines:
            found = {key.removeprefix(prefix): value for key, value in line.items() if _under(key, prefix)}
            if found.keys() - {"loss"}:
                return {"step": line["step"], **found}
        return dict(self.lines[-1 if last else 0])

    def models(self) -> list[Path]:
        """Where its models are: the last and the best one, or that of the newest checkpoint; none yet is none."""
        found = [folder for name in ("final", "best") if (folder := self.path / name).is_dir()]
        return found or sorted((self.path / "checkpoints").glob("step-*/model"))[-1:]


def _under(key: str, prefix: str) -> bool:
    """Whether a metric is one of the evaluation split, or, with no prefix, one of training."""
    return key.startswith(EVAL) == bool(prefix) and key not in ("step", "epoch")


def open_run(path: Path) -> Run:
    """Read a run folder. The half last line of a run that was killed is left out.

    Steps that were logged again, when a run went on from an earlier checkpoint, count as they were logged last.

    Raises:
        RunFolderError: no such folder, none of a run, nothing logged yet, or a line that is damaged.
    """
    if not path.is_dir():
        raise RunFolderError(f"{path}: no such folder")
    for name in (CONFIG, METRICS):
        if not (path / name).is_file():
            raise RunFolderError(f"{path}: is no run: it has no {name}; give a folder that `pairgen train --out` wrote")
    lines = _lines(path / METRICS)
    if not lines:
        raise RunFolderError(f"{path}: has logged no step yet")
    return Run(path, _config(path / CONFIG), lines)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{file}: is no UTF-8 text ({error})") from error


def _config(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(file))
    except tomllib.TOMLDecodeError as error:
        raise RunFolderError(f"{file}: is no TOML ({error})") from error


def _lines(file: Path) -> list[dict[str, Any]]:
    rows = _read(file).split("\n")
    if not _is_json(rows[-1]):  # half a line, or what stands behind the last newline: nothing
        rows.pop()
    lines: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        if row.strip():
            _append(lines, _line(row, f"{file}, line {number}"))
    return lines


def _is_json(row: str) -> bool:
    try:
        json.loads(row)
    except ValueError:
        return False
    return True


def _line(row: str, where: str) -> dict[str, Any]:
    """One logged step: an object of finite numbers with its step."""

    def refused(name: str) -> NoReturn:
        raise RunFolderError(f"{where}: a value is {name}; the run stopped making sense there, train it again")

    try:
        line = json.loads(row, parse_constant=refused)
    except ValueError as error:
        raise RunFolderError(f"{where}: is no JSON ({error}); remove the line to read the others") from error
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        raise RunFolderError(f"{where}: has to be an object with a whole number `step`")
    for key, value in line.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RunFolderError(f"{where}: {key} is {value!r}, and has to be a number")
        if abs(value) == float("inf"):  # 1e999
            refused("Infinity")
    return line


def _append(lines: list[dict[str, Any]], line: dict[str, Any]) -> None:
    """Add a step; what was logged of it and of later ones before is no part of the run any more."""
    while lines and lines[-1]["step"] > line["step"]:
        lines.pop()
    if lines and lines[-1]["step"] == line["step"]:
        lines[-1] = {**lines[-1], **line}
    else:
        lines.append(line)
