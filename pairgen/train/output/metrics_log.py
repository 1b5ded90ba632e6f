"""The log of a run's metrics: ``metrics.jsonl``, and a tracker if there is one."""

import json
from pathlib import Path

from pairgen.atomic import os_errors, write_text
from pairgen.run_folder import read_metrics
from pairgen.train.output.trackers import Tracker


class MetricsLog:
    """Appends lines to a file and sends them to a tracker."""

    def __init__(self, file: Path, tracker: Tracker) -> None:
        self.file, self._tracker = file, tracker

    def append(self, line: dict[str, float]) -> None:
        """Log the metrics of a step. Raises OutputError."""
        with os_errors(self.file), self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self._tracker.send(line)

    def close(self) -> None:
        """Close the tracker."""
        self._tracker.close()


def truncate(file: Path, step: int) -> None:
    """Remove lines after a checkpoint's step, which will be logged again; of step 0 there is no checkpoint yet."""
    if file.is_file():
        lines = [line for line in read_metrics(file) if line["step"] <= step] if step else []
        write_text(file, "".join(json.dumps(line) + "\n" for line in lines))
