"""Experiment trackers, which are optional packages."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.errors import UsageError
from pairgen.run_folder import TENSORBOARD

Send = Callable[[dict[str, float]], None]
"""Receives one line of metrics."""


class Tracker(NamedTuple):
    """Where metrics are sent, and how it is closed."""

    send: Send
    close: Callable[[], None]


def _none(run: Path, config: dict[str, Any]) -> Tracker:
    del run, config
    return Tracker(lambda _: None, lambda: None)


def _tensorboard(run: Path, config: dict[str, Any]) -> Tracker:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(run / TENSORBOARD))
    writer.add_text("config", "\n".join(f"    {name} = {value!r}" for name, value in config.items()))

    def send(line: dict[str, float]) -> None:
        for name, value in line.items():
            if name != "step":
                writer.add_scalar(name, value, int(line["step"]))
        writer.flush()

    return Tracker(send, writer.close)


def _logger(module: Any, run: Path, config: dict[str, Any]) -> Tracker:
    """Trackio and wandb have the same interface."""
    module.init(project="pairgen", name=run.name, config=config)

    def send(line: dict[str, float]) -> None:
        module.log({name: value for name, value in line.items() if name != "step"}, step=int(line["step"]))

    return Tracker(send, module.finish)


def _trackio(run: Path, config: dict[str, Any]) -> Tracker:
    import trackio

    return _logger(trackio, run, config)


def _wandb(run: Path, config: dict[str, Any]) -> Tracker:
    import wandb

    return _logger(wandb, run, config)


TRACKERS: dict[str, Callable[[Path, dict[str, Any]], Tracker]] = {
    "none": _none,
    "tensorboard": _tensorboard,
    "trackio": _trackio,
    "wandb": _wandb,
}


def check(name: str) -> None:
    """Raise UsageError for a tracker that is not installed."""
    if name != "none" and find_spec(name) is None:
        raise UsageError(f"--report-to {name}: {name} is not installed; run: pip install {name}")
