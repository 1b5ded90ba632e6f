"""A run from its config to its last file: the folder, SFT before it, tokens, reference log-probs, the loop, the model.

RUN/
  config.toml      every option, defaults filled in
  metrics.jsonl    one object per logged step; evaluation under eval/...
  checkpoints/     what --resume goes on from
  best/            the model when it was best at the chosen metric
  final/           the model at the end, for `from_pretrained`
  sft/             the run of --sft-steps, a run like any other
  tokens/          the pairs as tokens
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pairgen.errors import BadModel, OutputExists, RunMismatch, UsageError
from pairgen.store import PairDataset
from pairgen.train import card, checkpoint, data, distributed, models, reference, trackers
from pairgen.train import config as configs
from pairgen.train.batch import Batch
from pairgen.train.checkpoint import State
from pairgen.train.config import Config, flag
from pairgen.train.distributed import World
from pairgen.train.folders import plain_errors
from pairgen.train.groups import Group
from pairgen.train.loop import Loop, Tell
from pairgen.train.losses import LOSSES
from pairgen.train.order import Order
from pairgen.train.scorer import Scorer, check, check_trees
from pairgen.train.scoring import Layout, Scoring, options_of
from pairgen.train.tree import trees


@dataclass(frozen=True)
class Outcome:
    """A run that is done."""

    folder: Path
    summary: dict[str, Any]
    """What it came to: the last metrics, pairs, drops, where the model is."""


def train(
    config: Config,
    *,
    overwrite: bool = False,
    progress: Tell | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Train a model on pair datasets, in a new folder.

    Args:
        overwrite: remove a run that is in the folder.
        progress: told of progress.
        warn: takes sentences that a person should see.

    Raises:
        UsageError: options that cannot go together.
        NotPairs: a dataset that is not whole.
        OutputExists: the folder holds something already.
        TrainingError: the model cannot be trained, memory is full, or the loss is NaN.
    """
    config = config.resolved()
    if not config.out:
        raise UsageError("--out is missing: name the run's folder")
    data.open_all(config.data)
    with distributed.world(config.device) as world:
        if world.main:
            _new_folder(Path(config.out), overwrite)
            with plain_errors(Path(config.out)):
                configs.save(config, Path(config.out) / "config.toml")
        world.wait()
        return _run(config, world, progress or (lambda *_: None), warn if world.main else lambda _: None)


def resume(
    out: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    progress: Tell | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Go on with a run from its newest checkpoint, or from its beginning if it has none yet.

    Args:
        changes: options that were given anew; only those that leave the steps before as they were may differ.

    Raises:
        RunMismatch: there is no run, or it has another config.
    """
    config = _continued(Path(out), changes or {})
    with distributed.world(config.device) as world:
        if world.main:
            configs.save(config, Path(out) / "config.toml")
        world.wait()
        return _run(config, world, progress or (lambda *_: None), warn if world.main else lambda _: None)


def _continued(run: Path, changes: Mapping[str, Any]) -> Config:
    file = run / "config.toml"
    if not file.is_file():
        raise RunMismatch(f"{run}: holds no run to go on with; start one without --resume")
    before = configs.from_mapping({**configs.load(file), "out": str(run)}, str(file)).resolved()
    after = before.replaced(**{name: value for name, value in changes.items() if value is not None and name != "out"})
    for name, value in after.fixed().items():
        was = before.fixed()[name]
        if value != was:
            raise RunMismatch(f"{run}: was started with {flag(name)} {was}, not {value}; leave it so, or start anew")
    return after


def _new_folder(run: Path, overwrite: bool) -> None:
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        if not (run / "config.toml").is_file():
            raise OutputExists(f"{run}: holds files of something else; choose another --out")
        if not overwrite:
            raise OutputExists(f"{run}: holds a run already; go on with --resume, or replace it with --overwrite")
        shutil.rmtree(run)
    with plain_errors(run):
        run.mkdir(parents=True, exist_ok=True)


def _run(config: Config, world: World, tell: Tell, warn: Callable[[str], None], tokens: Path | None = None) -> Outcome:
    """All of a run but its folder: what is there already is taken up."""
    run = Path(config.out)
    tokens = tokens or run / "tokens"
    started_from = config
    if config.sft_steps:
        config = _after_sft(config, world, tell, warn, tokens)
    datasets = data.open_all(config.data)
    device = models.pick_device(config.device, world.local_rank)
    at = checkpoint.newest(run)
    model, tokenizer = models.load(config, data.texts(datasets), device, at / "model" if at else None)

    about: dict[str, Any] = {
        "chat": config.chat,
        "max_length": models.longest(model, config.max_length),
        "told": lambda phase, done, total: tell(phase, done, total, {}),
    }
    pairs = data.tokens_of(datasets, "train", tokenizer, tokens, **about)
    assert pairs is not None  # open_all has looked
    evaluation = data.tokens_of(datasets, "eval", tokenizer, tokens, limit=config.eval_pairs, **about)
    for reason, count in pairs.drops.items():
        warn(f"left out {count:,} pairs: {reason}")

    scorer = Scorer(model)
    check(scorer, len(tokenizer))
    layout = _layout(config, scorer, tokenizer, warn)
    autocast = models.precision(config, device) == "bf16"
    chooses = bool(np.mean(pairs.groups.pairs > 1) > 0.5)
    scoring = Scoring(scorer, layout, device, autocast, config.loss, options_of(config), None, chooses)
    order = Order(pairs.groups.pairs, config.batch_size, config.seed)
    steps = config.steps or order.steps(config.epochs)
    if LOSSES[config.loss].needs_reference:
        wanted = [(pairs, order.used(steps))]
        if evaluation:
            wanted.append((evaluation, np.arange(len(evaluation.groups))))
        start = _starting(config, scorer, datasets, device, resumed=at is not None)
        scoring.reference = _reference(config, wanted, scoring, start, run, world, tell)
    scoring.module = distributed.spread(scorer, config.parallel, world, device)
    scoring.module.train()

    trainable = [weight for weight in scoring.module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=config.learning_rate, weight_decay=config.weight_decay)
    state = State()
    if at:
        state = checkpoint.read_state(at)
        checkpoint.restore(at, scoring.module, optimizer)
    if world.main:
        _cut_metrics(run / "metrics.jsonl", state.step)
    send = trackers.start(config.report_to, run, asdict(config)) if world.main else (lambda _: None)
    loop = Loop(
        config=config,
        run=run,
        scoring=scoring,
        tokenizer=tokenizer,
        optimizer=optimizer,
        train=pairs.groups,
        order=order,
        steps=steps,
        evaluation=evaluation.groups if evaluation else None,
        world=world,
        state=state,
        tell=tell,
        send=send,
    )
    loop.go()
    return _finish(started_from, loop, pairs, world)


def _starting(
    config: Config, scorer: Scorer, datasets: list[PairDataset], device: torch.device, resumed: bool
) -> Callable[[], Scorer]:
    """What gives the model as it was before the first step: this one, or, if it has moved on, a second one."""
    if not resumed and config.reference != "online":
        return lambda: scorer
    return cache(lambda: Scorer(models.load(config, data.texts(datasets), device)[0]))


def _layout(config: Config, scorer: Scorer, tokenizer: Any, warn: Callable[[str], None]) -> Layout:
    """How groups are laid out: by ``share``, or for ``auto`` as trees if the model reads them as it reads rows.

    Raises:
        BadModel: a level of sharing was asked for that the model does not bear.
    """
    share = config.share
    if share == "auto":
        try:
            check_trees(scorer, len(tokenizer))
            share = "shots"
        except BadModel as error:
            warn(f"nothing is shared: {error}")
            share = "none"
    elif share != "none":
        check_trees(scorer, len(tokenizer))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return partial(trees, row_tokens=config.row_tokens, share=share, pad=pad)


def _after_sft(config: Config, world: World, tell: Tell, warn: Callable[[str], None], tokens: Path) -> Config:
    """The config of the preference run that follows SFT; SFT is run first if its model is not there yet."""
    run = Path(config.out) / "sft"
    sft = config.replaced(
        out=str(run),
        loss="sft",
        steps=config.sft_steps,
        sft_steps=0,
        learning_rate=config.sft_learning_rate,
        best="none",
        eval_every=0,
    )
    if not (run / "final").is_dir():
        if world.main:
            run.mkdir(exist_ok=True)
            configs.save(sft, run / "config.toml")
        world.wait()
        _run(sft, world, lambda phase, *rest: tell("SFT" if phase == "train" else phase, *rest), warn, tokens)
    return config.replaced(model=str(run / "final"), sft_steps=0)


def _reference(
    config: Config,
    wanted: list[tuple[data.Data, NDArray[np.int64]]],
    scoring: Scoring,
    start: Callable[[], Scorer],
    run: Path,
    world: World,
    tell: Tell,
) -> reference.Reference | nn.Module:
    """The reference's log-probs of pairs, computed where they are not known yet; or a module that scores anew.

    Args:
        wanted: the groups whose pairs will be asked for.
        start: gives the model as it was before the first step.
    """
    if config.reference == "online":
        return scoring.module if config.lora else start().requires_grad_(False).eval()
    mark = run / "reference.json"
    if world.main and not mark.is_file():
        mark.write_text(json.dumps({"weights": models.weights_hash(start())}), "utf-8")
    world.wait()
    weights = json.loads(mark.read_text("utf-8"))["weights"]
    found = reference.Reference()
    for of_split, indices in wanted:
        for part, prefix, groups in zip(of_split.parts, of_split.prefixes, of_split.by_part(indices), strict=True):
            name = f"{weights[:16]}-{'bf16' if scoring.autocast else 'full'}-{part.tokens.hash[:16]}"
            folder = reference.folder_of(part.dataset, config.reference_dir, run / "reference") / name
            _compute(part, groups, scoring, start, folder, config, world, tell)
            found.add(reference.read(folder), prefix)
    return found


def _compute(
    part: data.Part,
    wanted: NDArray[np.int64],
    scoring: Scoring,
    start: Callable[[], Scorer],
    folder: Path,
    config: Config,
    world: World,
    tell: Tell,
) -> None:
    """Write the reference log-probs of one split that are not known yet."""
    module: list[Scorer] = []

    def score(some: Sequence[Group]) -> tuple[Batch, Tensor]:
        if not module:
            module.append(start())
            module[0].eval()
        batch = scoring.laid_out(some)
        with torch.no_grad():
            return batch, scoring.tokens(batch, module[0])

    size = config.micro_batch_size or config.batch_size
    reference.compute(
        part.tokens.groups,
        wanted.tolist(),
        score,
        folder,
        size,
        world.rank,
        world.size,
        lambda done, total: tell(f"reference log-probs of {part.dataset.name}", done, total, {}),
    )
    world.wait()


def _cut_metrics(file: Path, step: int) -> None:
    """Leave out the lines behind a checkpoint, which its steps will write again, and a line that a kill cut short."""
    if not file.is_file():
        return
    kept = []
    for line in file.read_text("utf-8").splitlines():
        with suppress(ValueError):
            if json.loads(line)["step"] <= step:
                kept.append(line)
    temporary = file.with_name(".metrics.jsonl.tmp")
    temporary.write_text("".join(line + "\n" for line in kept), "utf-8")
    temporary.replace(file)


def _finish(config: Config, loop: Loop, pairs: data.Data, world: World) -> Outcome:
    """The model at the end with its card, and what the run came to."""
    run = Path(config.out)
    loop.write_model("final")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    summary = {
        "out": str(run),
        "model": str(run / "final"),
        "loss": config.loss,
        "steps": loop.state.step,
        "pairs": int(pairs.groups.pairs.sum()),
        "drops": dict(pairs.drops),
        "metrics": lines[-1],
    }
    if world.main:
        (run / "final" / "README.md").write_text(card.render(config, summary), "utf-8")
    world.wait()
    return Outcome(run, summary)
