"""Training in a folder that may have part of the run already, for studies and recipes.

Does not import torch at the top.

The caller names the folder by all that the run depends on (``content_key``), so that what is there belongs to it.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairgen import run_folder
from pairgen.train.config import Config


def train_or_continue(config: Config, changes: Mapping[str, Any] = MappingProxyType({}), **callbacks: Any) -> None:
    """Train, from the latest checkpoint if there is one, also one of its SFT steps.

    Args:
        changes: options that a resumed run may change, with their values now.
        callbacks: ``progress``, ``warn`` and ``train_pairs``, as in ``train.run.train``.

    Raises:
        PairgenError: as in ``train.run.train``; checkpoints are kept.
    """
    from pairgen.train.run import resume, train

    folder = Path(config.out)
    if can_continue(folder):
        resume(folder, changes, **callbacks)
    else:
        train(config, overwrite=True, **callbacks)


def can_continue(folder: Path) -> bool:
    """Whether the run in a folder has a checkpoint, also one of its SFT steps.

    A folder without a config is removed: its process was killed before it had done anything, and a run would refuse it.
    """
    from pairgen.train.output import checkpoint

    if folder.is_dir() and not (folder / run_folder.CONFIG).is_file():
        shutil.rmtree(folder)
    return any(map(checkpoint.newest, (folder, folder / run_folder.SFT)))


def remove_leftovers(folder: Path, *more: str) -> None:
    """Remove what a finished run no longer needs: its checkpoints and its tokens.

    Args:
        more: further names in the folder.
    """
    for name in (run_folder.CHECKPOINTS, run_folder.TOKENS, *more):
        shutil.rmtree(folder / name, ignore_errors=True)
