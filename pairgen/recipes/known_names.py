"""Names in a recipe that stand for something of pairgen or of lm-evaluation-harness, checked before all else."""

import difflib
from collections.abc import Collection, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairgen.builders import BUILDERS
from pairgen.builders.prompts import STYLES
from pairgen.errors import UsageError
from pairgen.evaluate.tasks import LEADERBOARD_SHOTS, TASKS, ours
from pairgen.exchange.imports.detection import layouts
from pairgen.recipes.stage_kinds import IMPORT, SFT_DATA, TRAIN


def check_options(values: Mapping[str, Any], kind: str, where: str) -> None:
    """Raise UsageError for a dataset, a layout or a style of prompts that does not exist."""
    if "dataset" in values:
        _check(values["dataset"], BUILDERS, f"{where}.dataset")
    if kind in (IMPORT, SFT_DATA) and values.get("layout"):
        _check(values["layout"], layouts(kind == SFT_DATA), f"{where}.layout")
    style = values.get("prompt_style")
    if style and not Path(style).is_file():
        _check(style, STYLES, f"{where}.prompt_style", "; a template file is given by its path")


def check_tasks(tasks: Collection[str], kinds: Mapping[str, str], where: str) -> None:
    """Check the tasks of an evaluation.

    Args:
        kinds: by the name of each stage, its kind.

    Raises:
        UsageError: a name is that of a stage without pairs, or neither a stage nor a pair dataset nor a task.
    """
    for task in tasks:
        if (kind := kinds.get(task)) in (SFT_DATA, TRAIN):
            what = "makes a model" if kind == TRAIN else "makes texts"
            raise UsageError(f"{where}: the stage {task} {what}, not pairs; name a stage of pairs")
        if kind or ours(task) in TASKS or task in LEADERBOARD_SHOTS or Path(task).is_dir():
            continue
        if find_spec("lm_eval") is not None:  # else the evaluation is refused before anything is done
            _check(task, [*kinds, *TASKS, *_harness_tasks()], where)


@cache
def _harness_tasks() -> tuple[str, ...]:
    """The tasks of lm-evaluation-harness; reading their definitions takes seconds."""
    from lm_eval.tasks import TaskManager

    return tuple(TaskManager().all_tasks)


def _check(name: str, known: Collection[str], where: str, more: str = "") -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        listed = f"available: {', '.join(known)}" if len(known) < 50 else "see `lm-eval ls tasks`"
        hint = f"did you mean {close[0]}?" if close else listed
        raise UsageError(f"{where}: there is no {name!r}; {hint}{more}")
