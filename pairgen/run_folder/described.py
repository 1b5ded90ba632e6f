"""What reports say of models and machines, without torch."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pairgen.run_folder.measured import machine_of


def about_model(model: str) -> str:
    """A model by the last part of its path or id and, if it is a folder, by what its config says of its size."""
    name, file = model.rpartition("/")[2], Path(model) / "config.json"
    if not file.is_file():
        return name
    config = json.loads(file.read_text("utf-8"))
    kind = next(iter(config.get("architectures") or []), config.get("model_type", "unknown architecture"))
    sizes = {"num_hidden_layers": "layers", "hidden_size": "hidden size", "vocab_size": "vocabulary"}
    known = [f"{about} {config[key]:,}" for key, about in sizes.items() if isinstance(config.get(key), int)]
    return f"{name} ({', '.join([kind, *known])})"


def machines(files: Iterable[Path]) -> str:
    """The machine of all runs by their files of log-probs; if there are several, each with its number of runs.

    A study or a recipe may be continued on another machine, so that of the report says little about the runs.
    """
    found = Counter(machine_of(file) or "not recorded" for file in files)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{name} ({runs:,} of {found.total():,} runs)" for name, runs in found.most_common())
