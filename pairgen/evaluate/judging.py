"""Evaluate models one after another, or read the results that were saved of them. Does not import torch at the top."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pairgen.errors import UsageError, install_hint
from pairgen.evaluate import results_folder
from pairgen.evaluate.options import EvaluationOptions
from pairgen.evaluate.tasks import LocalRows, local_rows
from pairgen.progress import Progress, Warn, ignore
from pairgen.sources.origin import hashed_provenance

if TYPE_CHECKING:
    from pairgen.evaluate.outcome import Evaluation

PACKAGES = ("lm_eval", "torch", "transformers")
"""Installed by the extra ``eval`` only."""


def require_packages() -> None:
    """Raise UsageError if the extra ``eval`` is not installed."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise UsageError(f"evaluation needs {package}, which is not installed; {install_hint('eval')}")


def evaluations(
    models: Sequence[str],
    options: EvaluationOptions,
    out: Path | None = None,
    progress: Progress = ignore,
    warn: Warn = ignore,
) -> "list[Evaluation]":
    """The evaluation of each model: read from a folder of results, or made now.

    Args:
        models: run folders, model or adapter folders, GGUF files, Hub ids, or folders of saved results.
        out: where new results are saved, in the harness's own format.

    Raises:
        UsageError: there is no model, or a model to evaluate and no task; a package is missing; see ``harness``.
        SourceError: local rows are missing or cannot be scored, or a task is not available from the Hub.
        UnsupportedModel: a model cannot be loaded.
        RunFolderError: saved results are damaged.
        OutputError: ``out`` cannot be written.
    """
    if not models:
        raise UsageError("eval: no model given; name a run folder, a model folder, a GGUF file or a Hub id")
    saved = [name for name in models if results_folder.is_results(Path(name))]
    if len(saved) < len(models):
        if not options.tasks:
            raise UsageError("eval: missing --tasks, as in `pairgen eval MODEL --tasks arc,gsm8k`")
        require_packages()
    rows = local_rows(options.source, options.tasks)
    if out is not None:
        results_folder.check_writable(out)
    found = {name: results_folder.load(Path(name)) for name in saved}
    with ExitStack() as stack:
        tasks: Any = None
        for name in dict.fromkeys(name for name in models if name not in saved):
            from pairgen.evaluate import harness, language_model

            tasks = tasks or stack.enter_context(harness.loaded_tasks(options, rows, warn))
            loaded = language_model.load(name, options)
            told = _Prefixed(progress, name) if len(models) > 1 else progress
            found[name] = harness.evaluate(loaded, tasks, options, told, warn)
            found[name].results["config"]["sources"] = {task: _provenance(of) for task, of in rows.items()}
            if out is not None:
                results_folder.save(found[name], out, loaded.tokenizer.chat_template if loaded.chat else None)
            del loaded  # before the next one is loaded
    return [found[name] for name in models]


def _provenance(rows: LocalRows) -> dict[str, Any]:
    found = {"questions": hashed_provenance(rows.questions)}
    return found | ({"shots": hashed_provenance(rows.shots)} if rows.shots else {})


class _Prefixed:
    """Progress whose phases name the model."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name

    def __call__(self, phase: str, done: int, total: int, fields: Mapping[str, Any] = MappingProxyType({}), /) -> None:
        self._progress(f"{self._name}: {phase}", done, total, fields)
