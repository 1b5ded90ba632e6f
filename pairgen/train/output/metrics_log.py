"""The log of a run's metrics: ``metrics.jsonl``, and an experiment tracker, which is an optional package."""

import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairgen.atomic import os_errors, write_text
from pairgen.errors import UsageError
from pairgen.run_folder import METRICS, TENSORBOARD, read_metrics

Line = dict[str, float]
"""The metrics of a logged step, and ``step``."""


class MetricsLog:
    """Appends lines to the file and sends them to the tracker of ``--report-to``; ``close`` closes that."""

    def __init__(self, run: Path, report_to: str, config: dict[str, Any]) -> None:
        self._file = run / METRICS
        self._send, self.close = _open_tracker(report_to, run, config)

    def append(self, line: Line) -> None:
        """Log the metrics of a step. Raises OutputError."""
        with os_errors(self._file), self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self._send(line)

    def truncate(self, step: int) -> None:
        """Remove the lines after a checkpoint's step, which will be logged again; all of them for step 0."""
        if self._file.is_file():
            lines = [line for line in read_metrics(self._file) if line["step"] <= step] if step else []
            write_text(self._file, "".join(json.dumps(line) + "\n" for line in lines))


def check_tracker(name: str) -> None:
    """Raise UsageError for a tracker that is not installed."""
    if name != "none" and find_spec(name) is None:
        raise UsageError(f"--report-to {name}: {name} is not installed; run: pip install {name}")


def _open_tracker(name: str, run: Path, config: dict[str, Any]) -> tuple[Callable[[Line], None], Callable[[], None]]:
    """Functions that send a line to a tracker, and that close it."""
    if name == "none":
        return lambda _: None, lambda: None
    if name == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(run / TENSORBOARD))
        writer.add_text("config", "\n".join(f"    {name} = {value!r}" for name, value in config.items()))

        def send(line: Line) -> None:
            for name, value in line.items():
                if name != "step":
                    writer.add_scalar(name, value, int(line["step"]))
            writer.flush()

        return send, writer.close
    module = import_module(name)  # trackio and wandb have the same interface
    module.init(project="pairgen", name=run.name, config=config)

    def log(line: Line) -> None:
        module.log({name: value for name, value in line.items() if name != "step"}, step=int(line["step"]))

    return log, module.finish
