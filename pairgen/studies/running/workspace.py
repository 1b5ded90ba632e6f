"""The folder of studies: datasets, starting models, reference log-probs and runs, each made once and then reused.

OUT/
  data/NAME-HASH/         pair datasets
  start/NAME-HASH/        runs of supervised fine-tuning, whose models other runs start from
  reference/NAME.parquet  log-probs under a starting model, see ``run_folder.measured``
  runs/NAME-HASH/         training runs: config.toml, metrics.jsonl, pairs.parquet
  STUDY-SCALE/            reports

A hash is one of everything that the content depends on, so that whatever is found under its name can be used.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pairgen import run_folder
from pairgen.atomic import staging
from pairgen.content_key import digest, identity
from pairgen.errors import UsageError
from pairgen.exchange.curation.subsets import sample
from pairgen.pairs.dataset import MANIFEST, PairDataset, open_pairs
from pairgen.progress import Progress, Warn, ignore
from pairgen.run_folder.measured import Measured, measured_at, write_table
from pairgen.studies.running.plan import TINY, Make, Setting, Trained, Variant
from pairgen.train.config import Config
from pairgen.train.continuing import remove_leftovers, train_or_continue

BETA = 0.3
"""The paper's (Pal et al., 2024), for every loss that has a beta."""


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    variant: Variant
    seed: int
    learning_rate: float
    folder: Path
    reference: Path
    """The file of its reference log-probs."""

    @cached_property
    def measured(self) -> Measured:
        """Log-probs of its pairs, read when they are first needed."""
        return Measured.read(self.folder / run_folder.PAIRS, self.reference)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Its logged metrics, one line per step."""
        return run_folder.read_metrics(self.folder / run_folder.METRICS)

    @property
    def preference_loss(self) -> float:
        """Mean of -log sigmoid(BETA * margin) over held-out pairs, by which learning rates are compared.

        This is DPO's loss, whatever the run's own: it says how well chosen is told from rejected. Losses with a penalty
        on chosen would rank rates by how little they train.
        """
        return float(np.logaddexp(0, -BETA * self.measured.split("eval").margin).mean())


@dataclass(frozen=True)
class Workspace:
    """Makes what a study needs, or finds it."""

    setting: Setting
    progress: Progress = ignore
    warn: Warn = ignore

    # ------------------------------------------------------------ datasets

    def dataset(self, name: str, make: Make) -> PairDataset:
        """A dataset with exactly the training and the held-out pairs of the scale, or with all there are.

        Args:
            make: writes the dataset that they are taken from.

        Raises:
            UsageError: it has no held-out pairs.
        """
        setting, scale = self.setting, self.setting.scale
        key = digest(name, identity(setting.source), identity(setting.choices), scale.pairs, scale.held_out)
        folder = setting.out / "data" / f"{name}-{key}"
        if not (folder / MANIFEST).is_file():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with staging(folder) as made:
                make(setting, made / "all")
                whole = open_pairs(made / "all")
                if "eval" not in whole.splits or not whole.splits["eval"].pairs:
                    raise UsageError(f"the dataset {name!r} of the study has no held-out pairs; give more rows")
                pairs = min(scale.pairs, whole.splits["train"].pairs)
                if pairs < scale.pairs:
                    self.warn(f"{name}: has only {pairs:,} training pairs instead of {scale.pairs:,}")
                sample(whole, folder, pairs)
        return open_pairs(folder)

    # ------------------------------------------------------------ models

    def start(self, data: PairDataset, seed: int) -> str:
        """The model that runs start from: the pretrained one, or a tiny one fine-tuned on chosen completions."""
        setting = self.setting
        if not setting.is_tiny:
            return setting.model
        config = Config(
            data=(str(data.path),),
            model=TINY,
            loss="sft",
            steps=setting.scale.sft_steps,
            learning_rate=3e-3,
            seed=seed,
            device=setting.device,
            best="none",
            save_every=0,
            log_every=max(1, setting.scale.sft_steps // 20),
        )
        folder = setting.out / "start" / f"{data.path.name}-seed{seed}-{self._key(config, data)}"
        config = replace(config, out=str(folder))
        if not (folder / run_folder.FINAL).is_dir():
            self._train(config)
            remove_leftovers(folder)
        return str(folder / run_folder.FINAL)

    # ------------------------------------------------------------ runs

    def config(self, variant: Variant, data: PairDataset, start: str, seed: int, rate: float) -> Config:
        """The options of a run, but for its folder."""
        scale = self.setting.scale
        options: dict[str, Any] = {
            "data": (str(data.path),),
            "model": start,
            "batch_size": scale.batch_size,
            "learning_rate": rate,
            "seed": seed,
            "sft_steps": 0,
            "precision": scale.precision,
            "eval_pairs": 0,
            "eval_every": max(1, scale.pairs // scale.batch_size // 2),
            "peak_tflops": 1.0,  # not to measure it for every run: reports show no utilization
            "compile": False,  # on a GPU, compiling would take longer than a run
            "save_every": scale.save_every,
            "keep_checkpoints": 1,
            "best": "none",
            "device": self.setting.device,
            "reference_dir": str(self.setting.out / "reference" / f"{data.path.name}-{digest(self._start_key(start))}"),
        }
        return Config(**options | dict(variant.options))

    def run(self, variant: Variant, data: PairDataset, start: str, seed: int, rate: float) -> Finished:
        """A training run, from its latest checkpoint if it was interrupted."""
        scale, config = self.setting.scale, self.config(variant, data, start, seed, rate)
        name = f"{data.path.name.rpartition('-')[0]}-{variant.name.replace(' ', '-')}-lr{rate:g}-seed{seed}"
        folder = self.setting.out / "runs" / f"{name}-{self._key(config, data)}"
        reference = self.reference(config, data, start)
        missing = {file: measure for file, measure in variant.files.items() if not (folder / file).is_file()}
        if not is_whole(folder / run_folder.PAIRS) or (missing and not (folder / run_folder.FINAL).is_dir()):
            for file in (run_folder.PAIRS, *variant.files):  # of a run whose model is gone
                (folder / file).unlink(missing_ok=True)
            self._train(replace(config, out=str(folder)), scale.measured)
            missing = dict(variant.files)
        for file, measure in missing.items():
            write_table(measure(Trained(folder / run_folder.FINAL, start, data, rate)), folder / file)
        remove_leftovers(folder, *(() if self.setting.keep_models else (run_folder.FINAL,)))
        return Finished(variant, seed, rate, folder, reference)

    def reference(self, config: Config, data: PairDataset, start: str) -> Path:
        measured = self.setting.scale.measured
        key = digest(content_hashes(data), self._start_key(start), config.precision, config.batch_size, measured)
        file = self.setting.out / "reference" / f"{data.path.name}-{key}.parquet"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with staging(file) as folder:
                write_table(score_start(config, measured, folder / "start"), file)
        return file

    def _train(self, config: Config, train_pairs: int = 0) -> None:
        train_or_continue(config, progress=self.progress, warn=self.warn, train_pairs=train_pairs)

    def _start_key(self, start: str) -> str:
        """What a starting model is known by: for one made here, the name of its run, wherever --out is."""
        made_here = self.setting.is_tiny and start != TINY
        return Path(start).parent.name if made_here else identity(start)

    def _key(self, config: Config, data: PairDataset) -> str:
        """A hash of what the numbers of a run depend on."""
        options = config.resolved().fixed() | {"data": "", "out": "", "model": self._start_key(config.model)}
        return digest(options, content_hashes(data), config.steps, config.epochs, config.learning_rate)


def content_hashes(data: PairDataset) -> list[str]:
    """Hashes of all files of a dataset."""
    return [shard["xxh3"] for split in data.manifest["splits"].values() for shard in split["shards"]]


def is_whole(file: Path) -> bool:
    """Whether log-probs of pairs were measured after the last step of a run."""
    return file.is_file() and ((at := measured_at(file)) is None or at.step == at.steps)


def score_start(config: Config, train_pairs: int, folder: Path) -> pa.Table:
    """Log-probs of the pairs of a run under the model that it starts from, also for losses that need no reference."""
    from pairgen.train.context import RunContext
    from pairgen.train.distributed import World
    from pairgen.train.prepare import prepare

    context = RunContext(folder, folder / "tokens", World(), ignore, ignore, train_pairs=train_pairs)
    trainer = prepare(replace(config, out=str(folder), loss="simpo").resolved(), context)
    trainer.log.close()
    return trainer.held_out.score_pairs(0)
