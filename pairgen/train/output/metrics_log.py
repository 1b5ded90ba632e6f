"""The log of a run's metrics: ``metrics.jsonl``, and an experiment tracker, which is an optional package."""

import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.atomic import os_errors, write_text
from pairgen.errors import UsageError
from pairgen.run_folder import METRICS, TENSORBOARD, read_metrics

Line = dict[str, float]
"""The metrics of a logged step, and ``step``."""


class Tracker(NamedTuple):
    """Where metrics are sent, and how it is closed."""

    send: Callable[[Line], None]
    close: Callable[[], None]


class MetricsLog:
    """Appends lines to the file and sends them to the tracker of ``--report-to``."""

    def __init__(self, run: Path, report_to: str, config: dict[str, Any]) -> None:
        self._file, self._tracker = run / METRICS, _open_tracker(report_to, run, config)

    def append(self, line: Line) -> None:
        """Log the metrics of a step. Raises OutputError."""
        with os_errors(self._file), self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self._tracker.send(line)

    def truncate(self, step: int) -> None:
        """Remove lines after a checkpoint's step, which will be logged again; of step 0 there is no checkpoint yet."""
        if self._file.is_file():
            lines = [line for line in read_metrics(self._file) if line["step"] <= step] if step else []
            write_text(self._file, "".join(json.dumps(line) + "\n" for line in lines))

    def close(self) -> None:
        """Close the tracker."""
        self._tracker.close()


def check_tracker(name: str) -> None:
    """Raise UsageError for a tracker that is not installed."""
    if name != "none" and find_spec(name) is None:
        raise UsageError(f"--report-to {name}: {name} is not installed; run: pip install {name}")


def _open_tracker(name: str, run: Path, config: dict[str, Any]) -> Tracker:
    if name == "none":
        return Tracker(lambda _: None, lambda: None)
    if name == "tensorboard":
        return _tensorboard(run, config)
    module = import_module(name)  # trackio and wandb have the same interface
    module.init(project="pairgen", name=run.name, config=config)
    return Tracker(lambda line: module.log(_values(line), step=int(line["step"])), module.finish)


def _tensorboard(run: Path, config: dict[str, Any]) -> Tracker:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(run / TENSORBOARD))
    writer.add_text("config", "\n".join(f"    {name} = {value!r}" for name, value in config.items()))

    def send(line: Line) -> None:
        for name, value in _values(line).items():
            writer.add_scalar(name, value, int(line["step"]))
        writer.flush()

    return Tracker(send, writer.close)


def _values(line: Line) -> Line:
    return {name: value for name, value in line.items() if name != "step"}
