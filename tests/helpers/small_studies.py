"""Studies of a few seconds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pairgen.studies.running.plan import SCALES, Setting, StudyOptions
from pairgen.studies.running.runner import setting_of

MINIATURE = replace(
    SCALES["small"],
    source="sample:60",
    choices="sample:40",
    pairs=16,
    batch_size=8,
    held_out=8,
    measured=8,
    seeds=2,
    learning_rates=(1e-3, 2e-3),
    sft_steps=4,
    workers=1,
)


def use_miniature(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Make ``--scale small`` one of seconds."""
    monkeypatch.setitem(SCALES, "small", replace(MINIATURE, **changes))


def setting(out: Path, **options: Any) -> Setting:
    """The setting of a small study in a folder."""
    return setting_of(StudyOptions(out=str(out), **options))
