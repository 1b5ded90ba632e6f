"""What reports of studies say about their setting."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pairgen.run_folder import PAIRS
from pairgen.run_folder.measured import machine_of
from pairgen.studies.running.results import Results

DATA = {
    "low": "pairs that differ in one result",
    "high": "answers to multiple-choice questions",
    "kept": "pairs with one wrong number",
    "carried": "pairs in which all that follows is wrong, too",
}


def about_data(name: str) -> str:
    """A dataset of a study in words; its name if it has none."""
    return DATA.get(name, name)


def setting_lines(results: Results, *more: str) -> dict[str, str]:
    """What is needed to repeat a study: by name, for ``Report.setting``."""
    setting, scale = results.setting, results.setting.scale
    steps = sorted({runs[0].metrics[-1]["step"] for runs in results.runs.values()})
    pairs = {name: data.splits["train"].pairs for name, data in results.datasets.items()}
    held_out = {name: data.splits["eval"].pairs for name, data in results.datasets.items()}
    trained = [run.folder / PAIRS for run in results.all_runs()]
    model = "tiny Llama, fine-tuned on the chosen completions first" if setting.is_tiny else about_model(setting.model)
    lines = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machines(trained) if trained else this_machine(setting.device),
        "model": model,
        "data": "; ".join(
            f"{about_data(name)}: {pairs[name]:,} training pairs, {held_out[name]:,} held out" for name in pairs
        ),
        "training": f"one epoch in batches of {scale.batch_size} pairs ({'/'.join(map(str, steps))} steps), "
        f"{scale.precision}, AdamW, cosine schedule",
        "seeds": f"{scale.seeds} (order of the pairs" + (", and initial weights)" if setting.is_tiny else ")"),
        "learning rate": f"for every variant, the best of {', '.join(f'{rate:g}' for rate in scale.learning_rates)}",
    }
    return lines | ({"options": "; ".join(more)} if more else {})


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

    A study may be continued on another machine, so that of the report says little about the runs.
    """
    found = Counter(machine_of(file) or "not recorded" for file in files)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{name} ({runs:,} of {found.total():,} runs)" for name, runs in found.most_common())


def this_machine(device: str) -> str:
    """The machine of this process in words. ``device``: as in ``pairgen train --device``."""
    from pairgen.train.model.loading import pick_device
    from pairgen.train.scores.speed import machine

    return machine(pick_device(device, 0))
