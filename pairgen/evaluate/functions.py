"""The public function of this package: paths and plain values in, a data frame out."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairgen.errors import UsageError
from pairgen.evaluate.options import EvaluationOptions
from pairgen.options import from_mapping, with_signature
from pairgen.progress import Progress, ignore

if TYPE_CHECKING:
    import pandas as pd

AnyPath = str | os.PathLike[str]

_ONLY_COMMAND = ("generate", "questions", "sample")


@with_signature(EvaluationOptions, without=_ONLY_COMMAND)
def evaluate(
    *models: AnyPath,
    tasks: str | Iterable[str] = (),
    source: AnyPath | Iterable[AnyPath] = (),
    out: AnyPath | None = None,
    progress: Progress = ignore,
    **options: Any,
) -> "pd.DataFrame":
    """Evaluate models with lm-evaluation-harness, as ``pairgen eval`` does: a data frame with a row for each metric.

    >>> scores = pairgen.evaluate("run", tasks="arc", source="sample:8", shots=0)
    >>> scores[["model", "task", "metric", "questions"]]
      model           task    metric  questions
    0   run  arc_challenge       acc          8
    1   run  arc_challenge  acc_norm          8

    The columns are ``model``, ``task``, ``metric``, ``filter`` (how an answer was extracted), ``value``, ``stderr``
    (over questions), ``questions`` and ``shots``. ``frame.attrs["evaluations"]`` has the harness's results and samples.
    With two models, ``frame.attrs["differences"]`` has the paired comparison, a dictionary for each metric: ``a``,
    ``b``, ``difference`` (b - a), ``low`` and ``high`` (95%, bootstrap over questions), ``only_a``, ``only_b``,
    ``p_value`` and ``test``.

    Args:
        models: run folders, model or adapter folders, GGUF files, Hub ids, or folders of saved results.
        tasks: ``"arc"``, ``"hellaswag"``, ``"gsm8k"`` or other tasks of the harness.
        source: local rows: ``SOURCE``, or ``TASK=SOURCE`` and ``TASK:train=SOURCE``, or several.
        out: folder in which results are saved, in the harness's own format.
        progress: called with progress, in answers.
        options: see ``EvaluationOptions``.

    Raises:
        UsageError: an unknown task or option, options that conflict, or a package that is not installed.
        SourceError: rows are unavailable, or one cannot be scored.
        UnsupportedModel: a model cannot be loaded.
        RunFolderError: saved results are damaged.
        OutputError: ``out`` cannot be written.
    """
    import pandas as pd

    from pairgen.evaluate.judging import evaluations
    from pairgen.evaluate.outcome import differences, table

    if unknown := next((name for name in options if name in _ONLY_COMMAND), None):
        raise UsageError(f"evaluate: {unknown} is an option of `pairgen eval` only")
    sources = [source] if isinstance(source, (str, os.PathLike)) else source
    named = {"tasks": [tasks] if isinstance(tasks, str) else list(tasks), "source": [os.fspath(one) for one in sources]}
    chosen = from_mapping(EvaluationOptions, {**options, **named}, "evaluate")
    folder = None if out is None else Path(out)
    found = evaluations([os.fspath(model) for model in models], chosen, folder, progress, warnings.warn)
    frame = pd.DataFrame([{"model": one.model, **row} for one in found for row in table(one.scores)])
    frame.attrs["evaluations"] = found
    if len(found) == 2:
        frame.attrs["differences"] = table(differences(found[0], found[1], warnings.warn, chosen.seed or 0))
    return frame
