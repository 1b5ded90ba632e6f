"""Run lm-evaluation-harness on a model: tasks loaded, questions local or from the Hub, its messages kept off stdout."""

import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from difflib import get_close_matches
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import datasets
import lm_eval
import lm_eval.api.task
import lm_eval.evaluator
import lm_eval.utils
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from lm_eval.loggers.utils import get_commit_from_path
from lm_eval.tasks import TaskManager

from pairgen.errors import OutOfMemory, SourceNotFound, TrainingError, UsageError, in_short
from pairgen.evaluate.choices.pair_task import is_pair_dataset, write_task
from pairgen.evaluate.language_model import JudgedModel, Loaded
from pairgen.evaluate.options import EvaluationOptions
from pairgen.evaluate.outcome import Evaluation
from pairgen.evaluate.tasks import LEADERBOARD_SHOTS, TASKS, LocalRows, ours, rows_of
from pairgen.hub_client import offline_if_unreachable
from pairgen.progress import Progress, Warn, ignore
from pairgen.sources.origin import Source

SEEDS = {"random_seed": 0, "numpy_random_seed": 1234, "torch_random_seed": 1234, "fewshot_random_seed": 1234}
"""The harness's own; ``--seed`` replaces them all, as its command line does."""

_DEFINITIONS = Path(lm_eval.__file__).parent / "tasks"


@contextmanager
def loaded_tasks(options: EvaluationOptions, rows: Mapping[str, LocalRows], warn: Warn) -> Iterator[list[Any]]:
    """The harness's tasks, which any number of models can be evaluated on while this context lasts.

    Args:
        rows: local rows by task, from ``tasks.local_rows``; other tasks are read from the Hub.
        warn: called if prompts are truncated.

    Raises:
        UsageError: an unknown task, or one that the leaderboard lacks.
        SourceError: a local row cannot be scored.
        SourceNotFound: the questions of a task are not available from the Hub.
    """
    with tempfile.TemporaryDirectory(prefix="pairgen-") as folder, _quiet(warn), _compiled_once():
        tasks = [task for name in options.tasks for task in _load(name, rows.get(name), Path(folder))]
        for name, task in _leaves(tasks).items():
            _configure(name, task, options)
        yield tasks


def evaluate(
    loaded: Loaded,
    tasks: Sequence[Any],
    options: EvaluationOptions,
    progress: Progress = ignore,
    warn: Warn = ignore,
) -> Evaluation:
    """Evaluate a model on ``loaded_tasks``.

    Args:
        warn: called if choices are not scored through token trees though they could have been.

    Raises:
        UsageError: a task has too few rows for its shots, or runs generated code.
        TrainingError: the context of the model is too short for the answers.
        OutOfMemory: a batch does not fit the device.
    """
    seeds = SEEDS if options.seed is None else dict.fromkeys(SEEDS, options.seed)
    judged = JudgedModel(loaded, options, progress, warn)
    try:
        results = lm_eval.simple_evaluate(
            model=judged,
            model_args={"pretrained": loaded.name},
            tasks=list(tasks),
            limit=options.limit,
            batch_size=options.batch_size or None,
            device=str(judged.device),
            apply_chat_template=loaded.chat,
            task_manager=TaskManager(include_defaults=False),  # else it would read the definitions of all tasks
            **seeds,
        )
    except (AssertionError, ValueError) as error:
        raise _explained(error, loaded) from error
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"{loaded.name}: the device is out of memory; use a smaller --batch-size") from error
    results["config"]["seconds"] = judged.seconds
    samples = results.pop("samples")
    return Evaluation(loaded.name, results, samples)


def _explained(error: Exception, loaded: Loaded) -> Exception:
    """An error of the harness that the user can do something about, as one of ours; else the error itself."""
    text = str(error)
    if "must be less than model's maximum sequence length" in text:
        return TrainingError(
            f"{loaded.name}: its context is too short for the answers; generate fewer tokens with --max-new-tokens"
        )
    if "Sample larger than population" in text or "fewshot samples" in text:
        return UsageError("--shots: more few-shot examples than there are rows for them; use fewer, or give more rows")
    if "confirm_run_unsafe_code" in text:
        return UsageError(f"{in_short(text, 120)}: it runs generated code, which pairgen does not allow")
    return error


# ---------------------------------------------------------------- tasks


def _load(name: str, rows: LocalRows | None, folder: Path) -> list[Any]:
    """The harness's task, group, or tasks with a tag. Raises UsageError and SourceNotFound."""
    known = TASKS.get(name)
    if known is None and is_pair_dataset(name):
        own = tempfile.mkdtemp(dir=folder)
        task = write_task(name, Path(own))
        return list(TaskManager(include_defaults=False, include_path=own).load(task)["tasks"].values())
    if rows is not None and known is not None:
        manager = TaskManager(include_defaults=False, include_path=str(_write(name, rows, folder)))
        return list(manager.load(known.name)["tasks"].values())
    if known is not None:
        manager = TaskManager(include_defaults=False, include_path=str((_DEFINITIONS / known.definition).parent))
    else:
        manager = TaskManager()
    wanted = known.name if known else name
    if wanted not in manager.all_tasks:
        raise UsageError(f"--tasks {name}: unknown task; {_suggestions(name, manager.all_tasks)}")
    if _runs_code(manager.task_index[wanted].yaml_path):
        raise UsageError(f"--tasks {name}: it runs code that the model writes, which pairgen does not allow")
    try:
        with offline_if_unreachable():
            found = manager.load(wanted)
    except Exception as error:  # of the Hub's client, of datasets and of the file formats: a dozen types
        hint = f"; give its rows with --source {name}=FILE" if known else ""
        raise SourceNotFound(
            f"{name}: its questions cannot be loaded from the Hub "
            f"({type(error).__name__}: {in_short(error, 200).rstrip('. ')}){hint}"
        ) from error
    group = (found.get("groups") or {}).get(wanted)
    return [group] if group is not None else list(found["tasks"].values())


def _runs_code(definition: Path | None) -> bool:
    """Whether a task, one that its file includes, or one beside a group's file is marked as running generated code.

    Read before the task is loaded: that would fetch its metric, which is code too, from the Hub.
    """
    left = [definition] if definition else []
    seen: dict[Path, str] = {}
    while left:
        file = left.pop()
        if file in seen or not file.is_file():
            continue
        text = seen[file] = file.read_text("utf-8")
        left += [file.parent / name for name in re.findall(r"^include: *(\S+)", text, re.MULTILINE)]
        if re.search(r"^task: *$", text, re.MULTILINE):  # a list: of a group
            left += file.parent.glob("*.yaml")
    return any(re.search(r"^unsafe_code: *true", text, re.MULTILINE | re.IGNORECASE) for text in seen.values())


def _suggestions(name: str, known: Sequence[str]) -> str:
    close = [*get_close_matches(name, TASKS), *get_close_matches(name, known)][:3]
    return f"did you mean {' or '.join(close)}?" if close else f"see `lm-eval ls tasks`, or use {', '.join(TASKS)}"


def _leaves(tasks: Sequence[Any]) -> dict[str, Any]:
    """The tasks and those of groups, by name."""
    found = {}
    for task in tasks:
        for one in task.get_all_tasks() if hasattr(task, "get_all_tasks") else [task]:
            found[one.task_name] = one
    return found


def _configure(name: str, task: Any, options: EvaluationOptions) -> None:
    """Set the number of shots, unless the task forbids any, and the length of answers."""
    shots = options.shots
    if options.leaderboard:
        group = "mmlu" if name.startswith("mmlu_") else ours(name)
        if group not in LEADERBOARD_SHOTS:
            raise UsageError(f"--leaderboard: {name} is not a task of the leaderboard; give --shots")
        shots = LEADERBOARD_SHOTS[group]
    if shots is not None and task.get_config("num_fewshot") != 0:
        task.set_config("num_fewshot", shots)
    if options.max_new_tokens and task.get_config("output_type") == "generate_until":
        task.set_config("generation_kwargs", {"max_gen_toks": options.max_new_tokens}, update=True)


def _write(name: str, rows: LocalRows, folder: Path) -> Path:
    """A folder with the rows, and with a definition of the task that includes the harness's and reads these rows.

    With few-shot examples of their own, the splits are called as on the Hub: the harness draws examples differently if
    a task has no test split. Without, both are one split, from which the harness leaves out the question itself.
    """
    folder = folder / name
    folder.mkdir()
    files = {split: _write_rows(name, rows.questions, folder / "questions.parquet") for split in ("validation", "test")}
    definition: dict[str, Any] = {
        "include": str(_DEFINITIONS / TASKS[name].definition),
        "task": TASKS[name].name,
        "dataset_path": "parquet",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
    }
    if rows.shots is not None:
        files["train"] = _write_rows(name, rows.shots, folder / "shots.parquet")
    else:
        definition |= {"training_split": None, "validation_split": None, "test_split": "test", "fewshot_split": "test"}
    (folder / "task.yaml").write_text(yaml.safe_dump(definition), "utf-8")
    return folder


def _write_rows(name: str, source: Source, file: Path) -> str:
    if not file.exists():
        pq.write_table(pa.Table.from_pylist(list(rows_of(name, source))), file)
    return str(file)


@contextmanager
def _compiled_once() -> Iterator[None]:
    """Keep compiled templates: the harness compiles the same ones for every question, which can take longer than it."""
    environment = lm_eval.utils.env
    environment.from_string = lru_cache(256)(environment.from_string)
    try:
        yield
    finally:
        vars(environment).pop("from_string", None)  # of this object; its class has the method


# ---------------------------------------------------------------- messages


@contextmanager
def _quiet(warn: Warn) -> Iterator[None]:
    """Keep the harness from printing and from showing bars; pass on what it says about truncation, once."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "transformers")]
    before = [(logger, logger.propagate, logger.level) for logger in loggers]
    handler = _Truncation(warn)
    bars, were_off = lm_eval.api.task.tqdm, datasets.are_progress_bars_disabled()
    commit = lm_eval.evaluator.get_git_commit_hash
    try:
        datasets.disable_progress_bars()
        lm_eval.api.task.tqdm = lambda items, **_: items
        # its own runs git, which complains on stderr outside a repository
        lm_eval.evaluator.get_git_commit_hash = lambda: get_commit_from_path(Path.cwd())
        for logger in loggers:
            logger.propagate = False
            logger.setLevel(logging.WARNING)
        loggers[0].addHandler(handler)
        with redirect_stdout(StringIO()):
            yield
    finally:
        loggers[0].removeHandler(handler)
        for logger, propagate, level in before:
            logger.propagate = propagate
            logger.setLevel(level)
        lm_eval.api.task.tqdm = bars
        lm_eval.evaluator.get_git_commit_hash = commit
        if not were_off:
            datasets.enable_progress_bars()


class _Truncation(logging.Handler):
    """Passes on the first warning that prompts are truncated: the scores are those of other prompts then."""

    def __init__(self, warn: Warn) -> None:
        super().__init__(logging.WARNING)
        self._warn, self._told = warn, False

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of the harness's logger."""
        if "truncat" in record.getMessage().lower() and not self._told:
            self._told = True
            self._warn(
                "some prompts are longer than the model's context and were truncated from the left; use fewer --shots"
            )
