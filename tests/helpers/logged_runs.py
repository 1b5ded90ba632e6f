"""Synthetic runs in the layout that training writes, for tests that read them."""

import json
import math
from pathlib import Path
from typing import Any

from pairgen.run_folder import Run


def metrics(step: int, end: float, reference: bool = True, grouped: bool = False) -> dict[str, float]:
    """The metrics at one step of a run in which the log-ratio of chosen approaches ``end``."""
    progress = 1 - math.exp(-step / 15)
    values = {
        "loss": 0.693 - 0.5 * progress,
        "logps/chosen": end * progress - 40,
        "logps/rejected": 2 * end * progress - 45,
    }
    if reference:
        values |= {
            "rewards/chosen": 0.1 * end * progress,
            "rewards/rejected": 0.2 * end * progress,
            "rewards/margins": progress,
        }
        values |= {
            "rewards/accuracies": 0.9 * progress,
            "logratios/chosen": end * progress,
            "logratios/rejected": -3 * progress,
        }
        values |= {"chosen_below_reference": 0.031 if step else 0, "dpop/penalty": 0.1, "dpop/active": 0.031}
    values |= {
        "logps/before_edit": -0.512,
        "logps/at_edit": -1.204 + 0.1 * progress,
        "logps/after_edit": -0.388 - 0.2 * progress,
    }
    return values | ({"choice/acc": 0.4 + 0.3 * progress, "choice/acc_norm": 0.5} if grouped else {})


def lines(end: float = 0.3, steps: int = 50, every: int = 10, **options: Any) -> list[dict[str, Any]]:
    """The logged lines of a run that is evaluated every ``every`` steps, or never if that is 0."""
    logged: list[dict[str, Any]] = []
    for step in range(steps + 1):
        line: dict[str, Any] = {"step": step, "epoch": step / steps}
        if step:
            line |= {**metrics(step, end, **options), "learning_rate": 1e-4, "grad_norm": 1.0, "pairs_per_second": 45.0}
            line |= {"tokens/padded": 400, "tokens/processed": 100, "tokens/ratio": 4.0}
            line |= {"time/attention": 0.1, "time/head": 0.2, "time/rest": 0.7}
        if every and step % every == 0:
            line |= {f"eval/{name}": value for name, value in metrics(step, end, **options).items()}
            line.setdefault("loss", line["eval/loss"])
        if step or every:
            logged.append(line)
    return logged


def make_run(folder: Path, loss: str = "dpop", **options: Any) -> Path:
    """Write a run folder that contains a final model."""
    (folder / "final").mkdir(parents=True)
    (folder / "config.toml").write_text(f'data = ["pairs"]\nmodel = "tiny"\nloss = "{loss}"\n', "utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines(**options)), "utf-8")
    return folder


def run_in_memory(name: str = "run", loss: str = "dpop", **options: Any) -> Run:
    """A run that has no folder on disk."""
    return Run(Path(name), {"loss": loss}, lines(**options))
