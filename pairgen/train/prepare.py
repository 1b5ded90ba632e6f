"""Build a trainer from a config: tokenized data, the model, its batch layout, its reference, its optimizer."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from pairgen.atomic import new_folder
from pairgen.errors import UnsupportedModel
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Warn
from pairgen.run_folder import BASE
from pairgen.train import distributed
from pairgen.train.checks import caveats
from pairgen.train.checks.exactness import check_model, check_trees, compile_layers
from pairgen.train.checks.plain import device_of
from pairgen.train.checks.sample import sample_groups
from pairgen.train.config import Config
from pairgen.train.context import RunContext
from pairgen.train.data import splits as data
from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.order import BatchSampler
from pairgen.train.data.schedule import TrainingData
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import PairTokenizer
from pairgen.train.layout.group_work import GroupCost
from pairgen.train.layout.tree import tree_batch
from pairgen.train.loop import Trainer
from pairgen.train.losses import LOSSES
from pairgen.train.memory_savers.quantization import check_parallel
from pairgen.train.model import loading as models
from pairgen.train.model.kernels.torch_internals import missing_for_trees
from pairgen.train.model.scorer import Scorer
from pairgen.train.output import checkpoint
from pairgen.train.output.checkpoint import Policy, TrainState
from pairgen.train.output.metrics_log import MetricsLog
from pairgen.train.output.saver import Saver
from pairgen.train.reference.cache import ReferenceLogps
from pairgen.train.reference.passes import precompute
from pairgen.train.reference.start import StartingModel, check_start
from pairgen.train.scores.forward import Forward
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
    model, tokenizer = models.load(config, data.training_texts(datasets), device, saved / "model" if saved else None)
    needs_reference, online = LOSSES[config.loss].needs_reference, config.reference == "online"
    if config.lora or (needs_reference and not saved):
        check_start(model, config.model, context)
    training = training_data(config, context, datasets, model, tokenizer)
    scorer = Scorer(model)
    groups = sample_groups(training.groups_by_split(), LOSSES[config.loss].uses_rejected)
    forward = choose_forward(config, scorer, tokenizer, groups, context.warn)
    flops = ModelFlops(scorer.causal)  # before the model is distributed
    training = replace(training, cost_of=GroupCost(flops.of_each, forward.share, LOSSES[config.loss].uses_rejected))

    def load_start() -> Scorer:
        """Load the starting model again."""
        start = models.load(config, data.training_texts(datasets), device)[0]
        check_start(start, config.model, context)
        found = Scorer(start)
        if scorer.compiled:
            found.compile_layers()
        return found

    reference: ReferenceLogps | torch.nn.Module | None = None
    if needs_reference and not online:  # before the model is distributed
        start = StartingModel(load_start if saved else lambda: scorer, forward)
        reference = precompute(config, training.batches_by_split(config, context.world), start, context)
    interval = Interval(flops, _peak(config, device))
    module = distributed.wrap(scorer, config.parallel, context.world, device).train()
    if needs_reference and online:
        reference = module if config.lora else _frozen(load_start(), scorer)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    objective = Objective(config, module, forward, reference, _is_multiple_choice(datasets, training.pairs))
    policy = Policy(module, optimizer, tokenizer)
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


def choose_forward(config: Config, scorer: Scorer, tokenizer: Any, groups: Sequence[TokenGroup], warn: Warn) -> Forward:
    """Passes with the layout of --share; for ``auto``, trees if the model scores them exactly.

    Args:
        groups: the pairs that the model is checked on.

    Raises:
        UnsupportedModel: the model cannot be trained, or does not support the requested level of sharing.
    """
    plain = check_model(scorer, groups)
    device = device_of(scorer.causal)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    share = "shots" if config.share == "auto" else config.share
    layout = partial(tree_batch, row_tokens=config.max_packed_length, share=share, pad=pad)
    if share != "none":
        try:
            check_trees(scorer, plain, layout)
        except UnsupportedModel as error:
            if config.share != "auto":
                raise
            warn(f"prefix sharing is disabled: {error}")
            share = "none"
    if share != "none" and (missing := missing_for_trees(device)):
        warn(f"attention over token trees is slower than it could be: torch {torch.__version__} lacks {missing}")
    precision = models.precision(config, device)
    name, layout = f"{precision}-{share}", partial(layout, share=share)
    forward = Forward(name, layout, device, autocast=precision == "bf16", share=share)
    if models.compiles(config, device):
        try:
            compile_layers(scorer, plain, forward)
            forward = replace(forward, name=f"{name}-compiled")
        except UnsupportedModel as error:
            if config.compile:
                raise
            warn(f"the model is not compiled, which makes it slower: {error}")
    return forward
