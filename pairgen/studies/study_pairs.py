"""The datasets of studies: pairs that differ in little, and pairs that differ in nearly everything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairgen.building.options import BuildOptions
from pairgen.studies.running.plan import Setting


def solutions(**options: Any) -> Callable[[Setting, Path], object]:
    """Makes pairs of worked solutions, of which rejected has one wrong result.

    Args:
        options: those of ``pairgen build metamath``, such as ``carry``.
    """

    def make(setting: Setting, out: Path) -> object:
        return _build("metamath", setting.source, out, eval_size=setting.scale.held_out, **options)

    return make


def choices(setting: Setting, out: Path) -> object:
    """Makes pairs of answers to multiple-choice questions, whose texts have little in common."""
    from pairgen.exchange.curation.subsets import split
    from pairgen.pairs.dataset import open_pairs

    whole = out.with_name(out.name + "-choices")
    _build("arc", setting.choices and f"train={setting.choices}", whole)
    return split(open_pairs(whole), out, setting.scale.held_out)


def _build(name: str, source: str, out: Path, **options: Any) -> object:
    from pairgen.building.pipeline import build

    return build(name, out, BuildOptions(source=(source,) if source else (), **options))
