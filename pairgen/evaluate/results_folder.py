"""Results of lm-evaluation-harness on disk, as its own command writes them, and read again.

OUT/
  MODEL/
    results_DATE.json          scores, task definitions, versions, options
    samples_TASK_DATE.jsonl    a line for each question and filter: prompt, answers, scores
"""

import json
from pathlib import Path
from typing import Any

from pairgen.atomic import os_errors, staging
from pairgen.errors import OutputError, RunFolderError
from pairgen.evaluate.outcome import Evaluation

RESULTS = "results_*.json"


def check_writable(out: Path) -> None:
    """Raise OutputError if results cannot be written: before hours of evaluation, not after."""
    with os_errors(out), staging(out / "results"):
        pass


def save(evaluation: Evaluation, out: Path, chat_template: str | None = None) -> Path:
    """Write an evaluation, beside earlier ones, and return the file of its results.

    Raises:
        OutputError: the folder cannot be written; nothing incomplete is left behind.
    """
    from lm_eval.loggers import EvaluationTracker

    with os_errors(out), staging(out / "results") as folder:
        tracker = EvaluationTracker(output_path=str(folder))
        tracker.general_config_tracker.log_experiment_args(
            model_source="hf",
            model_args={"pretrained": evaluation.model},
            system_instruction=None,
            chat_template=chat_template,
            fewshot_as_multiturn=True,
        )
        tracker.save_results_aggregated(results=dict(evaluation.results), samples=evaluation.samples)
        for task, samples in evaluation.samples.items():
            tracker.save_results_samples(
                task_name=task, samples=[dict(sample) for sample in samples]
            )  # it changes them
        written = sorted(folder.glob("*/*"), reverse=True)  # samples before results
        if len(written) != 1 + len(evaluation.samples):  # it logs errors instead of raising them
            raise OutputError(f"{out}: the results cannot be written; check free space and permissions")
        for file in written:
            target = out / file.parent.name / file.name
            target.parent.mkdir(exist_ok=True)
            file.replace(target)
    return target


def is_results(path: Path) -> bool:
    """Whether a folder has saved results, in itself or in one folder below, and is no model."""
    return path.is_dir() and not (path / "config.json").exists() and bool(_latest(path))


def _latest(path: Path) -> list[Path]:
    """The files of results, the last one first."""
    return sorted([*path.glob(RESULTS), *path.glob(f"*/{RESULTS}")], key=lambda file: file.name, reverse=True)


def load(path: Path) -> Evaluation:
    """Read the latest results in a folder.

    Raises:
        RunFolderError: the folder has results of several models, has no samples, or a file is damaged.
    """
    files = _latest(path)
    if len({file.parent for file in files}) > 1:
        names = ", ".join(sorted({str(file.parent) for file in files}))
        raise RunFolderError(f"{path}: has results of several models; name one of {names}")
    file = files[0]
    results = _json(file.read_text("utf-8"), str(file))
    date = file.stem.removeprefix("results_")
    samples = {}
    for task in results.get("n-samples", results["results"]):
        lines = file.with_name(f"samples_{task}_{date}.jsonl")
        if not lines.is_file():
            raise RunFolderError(f"{lines}: no such file; save the samples too (lm_eval: --log_samples)")
        texts = lines.read_text("utf-8").split("\n")
        samples[task] = [_json(text, f"{lines}, line {number}") for number, text in enumerate(texts, 1) if text]
    return Evaluation(str(results.get("model_name") or path), results, samples)


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RunFolderError(f"{where}: invalid JSON ({error})") from error
    if not isinstance(value, dict):
        raise RunFolderError(f"{where}: must be a JSON object")
    return value
