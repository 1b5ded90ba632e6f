"""Run folders as training writes them, for tests that read them."""

import json
import math
from pathlib import Path
from typing import Any

from pairgen.run_folder import Run


def metrics(step: int, end: float, reference: bool = True, grouped: bool = False) -> dict[str, float]:
    """The metrics of a step of a run whose chosen log-ratio approaches ``end``."""
    progress = 1 - math.exp(-step / 15)
    found = {
        "loss": 0.693 - 0.5 * progress,
        "logps/chosen": end * progress - 40,
        "logps/rejected": 2 * end * progress - 45,
    }
    if reference:
        found |= {
            "rewards/chosen": 0.1 * end * progress,
            "rewards/rejected": 0.2 * end * progress,
            "rewards/margins": progress,
        }
        found |= {
            "rewards/accuracies": 0.9 * progress,
            "logratios/chosen": end * progress,
            "logratios/rejected": -3 * progress,
        }
        found |= {"chosen_below_reference": 0.031 if step else 0, "dpop/penalty": 0.1, "dpop/active": 0.031}
    found |= {
        "logps/before_edit": -0.512,
        "logps/at_edit": -1.204 + 0.1 * progress,
        "logps/after_edit": -0.388 - 0.2 * progress,
    }
    return found | ({"choice/acc": 0.4 + 0.3 * progress, "choice/acc_norm": 0.5} if grouped else {})


def lines(end: float = 0.3, steps: int = 50, every: int = 10, **more: Any) -> list[dict[str, Any]]:
    """The logged lines of a run that is evaluated every ``every`` steps, or never if that is 0."""
    made: list[dict[str, Any]] = []
    for step in range(steps + 1):
        line: dict[str, Any] = {"step": step, "epoch": step / steps}
        if step:
            line |= {**metrics(step, end, **more), "learning_rate": 1e-4, "grad_norm": 1.0, "pairs_per_second": 45.0}
            line |= {"tokens/padded": 400, "tokens/processed": 100, "tokens/ratio": 4.0}
            line |= {"time/attention": 0.1, "time/head": 0.2, "time/rest": 0.7}
        if every and step % every == 0:
            line |= {f"eval/{name}": value for name, value in metrics(step, end, **more).items()}
            line.setdefault("loss", line["eval/loss"])
        if step or every:
            made.append(line)
    return made


def make_run(folder: Path, loss: str = "dpop", **more: Any) -> Path:
    """Write a run folder with a model in it."""
    (folder / "final").mkdir(parents=True)
    (folder / "config.toml").write_text(f'data = ["pairs"]\nmodel = "tiny"\nloss = "{loss}"\n', "utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines(**more)), "utf-8")
    return folder


def as_run(name: str = "run", loss: str = "dpop", **more: Any) -> Run:
    """A run without a folder."""
    return Run(Path(name), {"loss": loss}, lines(**more))
