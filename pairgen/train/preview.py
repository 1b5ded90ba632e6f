"""What a run would train on: its sizes, and one pair as the model sees it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairgen.errors import TrainingError
from pairgen.progress import Progress, Warn, ignore
from pairgen.train import distributed
from pairgen.train.config import Config
from pairgen.train.context import RunContext
from pairgen.train.data.splits import open_datasets, training_texts
from pairgen.train.losses import LOSSES
from pairgen.train.losses.laws import check_loss
from pairgen.train.model import loading as models
from pairgen.train.output.run_output import Imports, located
from pairgen.train.prepare import training_data


def preview(
    config: Config,
    *,
    imports: Imports = MappingProxyType({}),
    progress: Progress = ignore,
    warn: Warn = ignore,
) -> dict[str, Any]:
    """Load the model and tokenize the pairs, without training or writing anything.

    Args:
        imports: as in ``run.train``.

    Returns:
        ``steps``, ``sft_steps``, ``pairs``, ``eval_pairs``, ``groups``, ``tokens_padded`` of all training pairs,
        ``drops`` by reason, ``truncated_prompts``, and ``first``: the texts of the first pair's ``prompt``, ``chosen``
        and ``rejected`` decoded from its tokens, with special tokens, chat template and truncation.

    Raises:
        PairgenError: whatever makes the run impossible.
    """
    config = config.resolved()
    check_loss(config)
    device = models.pick_device(config.device)
    with tempfile.TemporaryDirectory() as folder, distributed.join_world(config.device) as world:
        if world.size > 1:
            raise TrainingError("--dry-run runs in one process; run it without torchrun")
        for name, write in imports.items():
            write(Path(folder) / name)
        datasets = open_datasets(located(config.data, imports, Path(folder)), LOSSES[config.loss])
        context = RunContext(Path(folder), Path(folder), world, progress, warn)
        model, tokenizer = models.load(config, training_texts(datasets), device)
        found = training_data(config, context, datasets, model, tokenizer)
        groups = found.pairs.groups
        return {
            "steps": found.steps,
            "sft_steps": config.sft_steps,
            "pairs": int(groups.pairs.sum()),
            "eval_pairs": int(found.evaluation.groups.pairs.sum()) if found.evaluation else 0,
            "groups": len(groups),
            "tokens_padded": sum(groups[index].padded_tokens for index in range(len(groups))),
            "drops": dict(found.pairs.drops),
            "truncated_prompts": sum(dataset.truncated_prompts for dataset in found.pairs.datasets),
            "first": _decoded(groups[0], tokenizer.decode),
        }


def _decoded(group: Any, decode: Callable[..., str]) -> dict[str, str]:
    texts = dict(zip(("chosen", "rejected"), group.completions, strict=False))
    return {name: decode(ids.tolist()) for name, ids in {"prompt": group.prompt, **texts}.items()}
