"""The context of a run: its folder, its processes and the callbacks it reports to."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pairgen.progress import Progress, Warn
from pairgen.train.distributed import World


class Phase(StrEnum):
    """Phases of a run, as passed to progress callbacks; the first two are followed by the name of a dataset."""

    TOKENIZATION = "tokenizing"
    REFERENCE = "reference log-probs of"
    SFT = "SFT"
    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True)
class RunContext:
    """The folder, processes and callbacks of a run."""

    folder: Path
    tokens: Path
    """Cache folder of the tokenized pairs."""
    world: World
    progress: Progress
    warn: Warn
    phase: Phase = Phase.TRAINING
    """The phase that training steps are reported under."""
    train_pairs: int = 0
    """First training pairs to score for ``pairs.parquet``, up to a complete group, besides the held-out pairs."""
