"""Where metrics go besides ``metrics.jsonl``, if the user has such a thing installed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairgen.errors import UsageError

Send = Callable[[dict[str, float]], None]
"""Takes one line of metrics."""


def _none(run: Path, config: dict[str, Any]) -> Send:
    del run, config
    return lambda _: None


def _tensorboard(run: Path, config: dict[str, Any]) -> Send:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(run / "tensorboard"))
    writer.add_text("config", "\n".join(f"    {name} = {value!r}" for name, value in config.items()))

    def send(line: dict[str, float]) -> None:
        for name, value in line.items():
            if name != "step":
                writer.add_scalar(name, value, int(line["step"]))
        writer.flush()

    return send


def _logger(module: Any, run: Path, config: dict[str, Any]) -> Send:
    """Trackio and wandb share their calls."""
    module.init(project="pairgen", name=run.name, config=config)

    def send(line: dict[str, float]) -> None:
        module.log({name: value for name, value in line.items() if name != "step"}, step=int(line["step"]))

    return send


def _trackio(run: Path, config: dict[str, Any]) -> Send:
    import trackio

    return _logger(trackio, run, config)


def _wandb(run: Path, config: dict[str, Any]) -> Send:
    import wandb

    return _logger(wandb, run, config)


TRACKERS: dict[str, Callable[[Path, dict[str, Any]], Send]] = {
    "none": _none,
    "tensorboard": _tensorboard,
    "trackio": _trackio,
    "wandb": _wandb,
}


def start(name: str, run: Path, config: dict[str, Any]) -> Send:
    """A tracker's ``send``. Raises UsageError where it is not installed."""
    try:
        return TRACKERS[name](run, config)
    except ImportError as error:
        raise UsageError(f"--report-to {name}: {name} is not installed here ({error}); pip install {name}") from None
