"""What all parts of a run share: its folder, the processes that take part, and the callbacks."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pairgen.progress import Progress, Warn
from pairgen.train.distributed import World


class Phase(StrEnum):
    """The phases that a run reports progress of; the first two are followed by the name of a dataset."""

    TOKENIZATION = "tokenizing"
    REFERENCE = "reference log-probs of"
    SFT = "SFT"
    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True)
class RunContext:
    """Where a run takes place, and whom it reports to."""

    folder: Path
    tokens: Path
    """Cache folder of the tokenized pairs."""
    world: World
    progress: Progress
    warn: Warn
    phase: Phase = Phase.TRAINING
    """What training steps are reported as."""
