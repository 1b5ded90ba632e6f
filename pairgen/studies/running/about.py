"""What reports of studies say about their setting."""

from datetime import UTC, datetime

from pairgen.run_folder import PAIRS
from pairgen.run_folder.described import about_model, machines
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


def this_machine(device: str) -> str:
    """The machine of this process in words. ``device``: as in ``pairgen train --device``."""
    from pairgen.train.model.loading import pick_device
    from pairgen.train.scores.speed import machine

    return machine(pick_device(device, 0))
