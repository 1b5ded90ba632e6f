"""From a config to a loop that is ready to go: data as tokens, the model, its layout, its reference, its optimizer."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pairgen.atomic import new_folder, write_text
from pairgen.errors import UnsupportedModel
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Progress
from pairgen.train import distributed
from pairgen.train.config import Config
from pairgen.train.data import load as data
from pairgen.train.data.order import BatchSampler
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import PairTokenizer
from pairgen.train.distributed import World
from pairgen.train.forward import Forward, Layout
from pairgen.train.layout.tree import tree_batch
from pairgen.train.loop import Loop
from pairgen.train.losses import LOSSES
from pairgen.train.model import loading as models
from pairgen.train.model.checks import check_deterministic, check_logits, check_trees
from pairgen.train.model.scorer import Scorer
from pairgen.train.objective import Objective
from pairgen.train.output import checkpoint, trackers
from pairgen.train.output.checkpoint import State
from pairgen.train.reference.cache import ReferenceLogps
from pairgen.train.reference.compute import StartingModel, precompute
from pairgen.train.reference.online import OnlineReference


@dataclass(frozen=True)
class Place:
    """Where a run happens, and whom it tells."""

    run: Path
    tokens: Path
    """Folder of the pairs as tokens."""
    world: World
    tell: Progress
    warn: Callable[[str], None]
    """Takes sentences that a person should see."""


def prepare(config: Config, place: Place) -> tuple[Loop, data.TokenizedSplit]:
    """The loop of a run, from its newest checkpoint if there is one, and the pairs it trains on.

    Raises:
        PairgenError: whatever is wrong with the data, the model or the folder.
    """
    run, world = place.run, place.world
    config = _without_adapter(config, place)
    datasets = data.open_datasets(config.data)
    device = models.pick_device(config.device, world.local_rank)
    at = checkpoint.newest(run)
    model, tokenizer = models.load(config, data.training_texts(datasets), device, at / "model" if at else None)
    pairs, evaluation = _tokens(config, place, datasets, model, tokenizer)

    scorer = Scorer(model)
    check_logits(scorer, len(tokenizer))
    check_deterministic(scorer, len(tokenizer))
    forward = Forward(
        layout=_layout(config, scorer, tokenizer, place.warn),
        device=device,
        autocast=models.precision(config, device) == "bf16",
    )
    order = BatchSampler(pairs.groups.pairs, config.batch_size, config.seed)
    steps = config.steps or order.steps(config.epochs)
    needs_reference = LOSSES[config.loss].needs_reference
    again = partial(_loaded_again, config, datasets, device)
    reference: ReferenceLogps | OnlineReference | None = None
    if needs_reference and config.reference == "precomputed":
        needed = [(pairs, order.used(steps))]
        if evaluation:
            needed.append((evaluation, np.arange(len(evaluation.groups))))
        # before its first step the policy is the starting model itself
        start = StartingModel(again if at else lambda: scorer, forward)
        reference = precompute(config, needed, start, world, place.tell)
    module = distributed.spread(scorer, config.parallel, world, device).train()
    if needs_reference and config.reference == "online":
        lora = bool(config.lora)
        reference = OnlineReference.without_adapter(module) if lora else OnlineReference.frozen(again(), scorer)
    objective = Objective(config, module, forward, reference, _is_multiple_choice(datasets, pairs))

    trainable = [weight for weight in module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    state = State()
    if at:
        state = checkpoint.read_state(at)
        checkpoint.restore(at, module, optimizer)
    if world.main:
        _cut_metrics(run / "metrics.jsonl", state.step)
    tracker = trackers.TRACKERS[config.report_to if world.main else "none"](run, asdict(config))
    loop = Loop(
        config=config,
        run=run,
        objective=objective,
        tokenizer=tokenizer,
        optimizer=optimizer,
        train=pairs.groups,
        order=order,
        steps=steps,
        evaluation=evaluation.groups if evaluation else None,
        world=world,
        state=state,
        tell=place.tell,
        tracker=tracker,
    )
    return loop, pairs


def _is_multiple_choice(datasets: list[PairDataset], pairs: data.TokenizedSplit) -> bool:
    """Whether the groups with several pairs are multiple-choice questions, of which chosen is the right answer."""
    several = [
        dataset for dataset, part in zip(datasets, pairs.datasets, strict=True) if (part.tokens.groups.pairs > 1).any()
    ]
    return bool(several) and all(map(_has_choices, several))


def _has_choices(dataset: PairDataset) -> bool:
    """What the manifest says; in its absence, whether the pairs have no corruption, as those made of wrong choices."""
    if (known := dataset.manifest.get("multiple_choice")) is not None:
        return bool(known)
    batches = dataset.splits["train"].batches(["corrupted"])
    return all(batch["corrupted"].null_count == batch.num_rows for batch in batches)


def _loaded_again(config: Config, datasets: list[PairDataset], device: torch.device) -> Scorer:
    return Scorer(models.load(config, data.training_texts(datasets), device)[0])


def _without_adapter(config: Config, place: Place) -> Config:
    """A LoRA goes onto a whole model: an adapter that is to be trained on is merged into its base, in ``base/``."""
    if not config.lora or not models.is_adapter(config.model):
        return config
    base = place.run / "base"
    if place.world.main and not base.is_dir():
        tokenizer = models.load_tokenizer(config.model, config.trust_remote_code)
        model = models.load_model(config.model, torch.float32, config.trust_remote_code)
        with new_folder(base) as folder:
            models.save(model, tokenizer, folder)
    place.world.wait()
    return config.replaced(model=str(base.absolute()))


def _tokens(
    config: Config, place: Place, datasets: list[Any], model: Any, tokenizer: Any
) -> tuple[data.TokenizedSplit, data.TokenizedSplit | None]:
    """The training and the evaluation pairs, tokenized by the main process, read by the others."""
    max_length = models.usable_length(model, config.max_length)
    if max_length < config.max_length:
        place.warn(f"--max-length {config.max_length} is more than the model supports; using {max_length}")
    cache = TokenCache(place.tokens, PairTokenizer(tokenizer, config.chat, max_length))
    with place.world.main_first():
        pairs = data.tokenize_split(datasets, "train", cache, progress=place.tell)
        assert pairs is not None  # checked by open_datasets
        evaluation = data.tokenize_split(datasets, "eval", cache, config.eval_pairs, place.tell, place.warn)
    for name, split in (("", pairs), (" of the eval split", evaluation)):
        for reason, count in (split.drops if split else {}).items():
            place.warn(f"dropped {count:,} pairs{name}: {reason}")
        if split and split.truncated_prompts:
            place.warn(f"truncated {split.truncated_prompts:,} prompts{name} to fit --max-length {max_length}")
    return pairs, evaluation


def _layout(config: Config, scorer: Scorer, tokenizer: Any, warn: Callable[[str], None]) -> Layout:
    """How groups are laid out: by ``share``, or for ``auto`` as trees if the model reads them as it reads rows.

    Raises:
        UnsupportedModel: a level of sharing was asked for that the model does not bear.
    """
    share = config.share
    if share == "auto":
        try:
            check_trees(scorer, len(tokenizer))
            share = "shots"
        except UnsupportedModel as error:
            warn(f"nothing is shared: {error}")
            share = "none"
    elif share != "none":
        check_trees(scorer, len(tokenizer))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return partial(tree_batch, row_tokens=config.row_tokens, share=share, pad=pad)


def _cut_metrics(file: Path, step: int) -> None:
    """Leave out the lines behind a checkpoint, which will be written again, and a line that a kill cut short.

    Without a checkpoint (step 0) nothing stays.
    """
    kept = []
    for line in file.read_text("utf-8").splitlines() if step and file.is_file() else ():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except ValueError:
            continue
    if kept or file.is_file():
        write_text(file, "".join(line + "\n" for line in kept))
