"""Build a trainer from a config: tokenized data, the model, its batch layout, its reference, its optimizer."""

import sys
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from pairgen.atomic import new_folder
from pairgen.pairs.dataset import PairDataset
from pairgen.run_folder import BASE
from pairgen.train import distributed
from pairgen.train.checks import caveats
from pairgen.train.checks.forward_choice import choose_layout, compiled
from pairgen.train.checks.sample import sample_groups
from pairgen.train.config import Config
from pairgen.train.context import RunContext
from pairgen.train.data import splits as data
from pairgen.train.data.order import BatchSampler
from pairgen.train.data.schedule import TrainingData
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import PairTokenizer
from pairgen.train.devices.placement import Placement
from pairgen.train.devices.sharding import own_weights
from pairgen.train.layout.group_work import GroupCost
from pairgen.train.loop import Trainer
from pairgen.train.losses import LOSSES
from pairgen.train.memory_savers.quantization import check_parallel
from pairgen.train.model import loading as models
from pairgen.train.model.scorer import Scorer
from pairgen.train.output import checkpoint
from pairgen.train.output.checkpoint import Policy, TrainState
from pairgen.train.output.metrics_log import MetricsLog
from pairgen.train.output.saver import Saver
from pairgen.train.reference.cache import ReferenceLogps
from pairgen.train.reference.passes import precompute
from pairgen.train.reference.start import StartingModel
from pairgen.train.scores.held_out import HeldOut
from pairgen.train.scores.objective import Objective
from pairgen.train.scores.speed import Interval, ModelFlops, product_rate


def prepare(config: Config, context: RunContext) -> Trainer:
    """The trainer of a run, in the state of its latest checkpoint. Raises PairgenError for unusable data or models."""
    check_parallel(config, context.world.size)
    config = _with_merged_adapter(config, context)
    datasets = data.open_datasets(config.data, LOSSES[config.loss])
    device = models.pick_device(config.device, context.world.local_rank)
    saved = checkpoint.newest(context.folder)
    placement = Placement(config, context, device)
    texts = partial(data.training_texts, datasets)
    scorer, tokenizer = placement.load(texts(), saved / "model" if saved else None)
    needs_reference, online = LOSSES[config.loss].needs_reference, config.reference == "online"
    if config.lora or (needs_reference and not saved):
        placement.check_start(scorer)
    training = training_data(config, context, datasets, scorer.model, tokenizer)
    groups = sample_groups(training.groups_by_split(), LOSSES[config.loss].uses_rejected)
    flops = ModelFlops(scorer.causal)
    placed = placement.place(scorer)
    with placed.exact() as exact:
        plain, forward = choose_layout(config, exact, tokenizer, groups, context.warn)
    module = placed.trained()
    policy_scorer = distributed.unwrapped(module)
    forward = compiled(config, policy_scorer, plain, forward, context.warn)
    training = replace(training, cost_of=GroupCost(flops.of_each, forward.share, LOSSES[config.loss].uses_rejected))

    def load_start() -> Scorer:
        """Load the starting model again."""
        start = placement.load(texts())[0]
        placement.check_start(start)
        found = placement.place(start).frozen()
        if policy_scorer.compiled:
            found.compile_layers()
        return found

    reference: ReferenceLogps | torch.nn.Module | None = None
    if needs_reference and online:
        reference = module if config.lora else _frozen(load_start(), policy_scorer)
    elif needs_reference:
        start = StartingModel(load_start if saved else lambda: policy_scorer, forward)
        reference = precompute(config, training.batches_by_split(config, context.world), start, context)
    interval = Interval(flops, _peak(config, device))
    module.train()
    optimizer = torch.optim.AdamW(
        own_weights(module), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    objective = Objective(config, module, forward, reference, _is_multiple_choice(datasets, training.pairs))
    policy = Policy(module, optimizer, tokenizer, placed.blueprint)
    trainer = Trainer(
        config=config,
        context=context,
        objective=objective,
        policy=policy,
        data=training,
        held_out=HeldOut(objective, training, tokenizer, context),
        state=checkpoint.read_state(saved) if saved else TrainState(),
        saver=Saver(context.folder, policy, config.keep_checkpoints, context.world),
        interval=interval,
        log=MetricsLog(context.folder, config.report_to if context.world.is_main else "none", asdict(config)),
    )
    if saved:
        checkpoint.restore(saved, policy, context.world)
        trainer.held_out.restore()
    if context.world.is_main:
        trainer.log.truncate(trainer.state.step)
    return trainer


def _peak(config: Config, device: torch.device) -> float:
    """FLOP/s that the device reaches at best."""
    dtype = torch.float32 if models.precision(config, device) == "float32" else torch.bfloat16
    return config.peak_tflops * 1e12 or product_rate(device, dtype)


def _frozen(reference: Scorer, policy: Scorer) -> Scorer:
    """A reference model without gradients, whose time counts as part of the policy's step."""
    reference.timer = policy.timer
    reference.requires_grad_(False).eval()
    return reference


def _is_multiple_choice(datasets: list[PairDataset], pairs: data.TokenizedSplit) -> bool:
    """Whether groups with several pairs are multiple-choice questions, whose right answer is chosen.

    They are if the manifest declares it or no pair has a corruption.
    """
    tokenized = zip(datasets, pairs.datasets, strict=True)
    several = [dataset for dataset, tokens in tokenized if (tokens.groups.pairs > 1).any()]
    return bool(several) and all(
        dataset.manifest.get("multiple_choice")
        or all(
            batch["corrupted"].null_count == batch.num_rows for batch in dataset.splits["train"].batches(["corrupted"])
        )
        for dataset in several
    )


def _with_merged_adapter(config: Config, context: RunContext) -> Config:
    """To train a LoRA adapter on top of another one, merge that into its base model first, in the run's ``base/``."""
    if not config.lora or not models.is_adapter(config.model):
        return config
    base = context.folder / BASE
    if context.world.is_main and not base.is_dir():
        tokenizer = models.load_tokenizer(config.model, config.trust_remote_code)
        model = models.load_model(config.model, torch.float32, config.trust_remote_code)
        with new_folder(base) as folder:
            models.save(model, tokenizer, folder)
    context.world.barrier()
    return replace(config, model=str(base.absolute()))


def training_data(
    config: Config, context: RunContext, datasets: list[PairDataset], model: Any, tokenizer: Any
) -> TrainingData:
    """The pairs of a run, tokenized by the main process and read by the others."""
    max_length = models.usable_length(model, config.max_length)
    if max_length < config.max_length:
        context.warn(f"--max-length {config.max_length} exceeds the model's context length; using {max_length}")
    for message in caveats.of_model(config, model):
        context.warn(message)
    cache = TokenCache(context.tokens, PairTokenizer(tokenizer, config.chat, max_length, config.model))
    with context.world.main_first():
        pairs = data.tokenize_split(datasets, "train", cache, progress=context.progress)
        assert pairs is not None  # checked by open_datasets
        evaluation = data.tokenize_split(datasets, "eval", cache, config.eval_pairs, context.progress, context.warn)
    for name, split in {"train": pairs, "eval": evaluation}.items():
        if split:
            for message in caveats.of_split(name, split, max_length, models.usable_length(model, sys.maxsize)):
                context.warn(message)
    sampler = BatchSampler(pairs.groups.pairs, config.batch_size, config.seed)
    return TrainingData(pairs, evaluation, sampler, config.steps or sampler.steps(config.epochs))
