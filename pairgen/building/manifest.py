"""What the manifest of a dataset says about its build."""

import platform
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import rapidfuzz

import pairgen
from pairgen.builders import Builder
from pairgen.building.options import BuildOptions
from pairgen.options import arguments
from pairgen.pairs.dataset import Manifest


def describe_build(
    builder: Builder, out: str, options: BuildOptions, eval_size: int, sources: dict[str, dict[str, Any]]
) -> Manifest:
    """All of a manifest but counts and statistics.

    Args:
        out: name of the output folder.
        sources: provenance of the rows by split.
    """
    return {
        "dataset": builder.name,
        "title": builder.title,
        "description": builder.description,
        **_license(builder, sources),
        **({"multiple_choice": True} if builder.multiple_choice else {}),
        "command": rebuild_command(builder.name, out, options),
        "options": _recorded_options(options, builder, eval_size),
        "sources": sources,
        "versions": {
            "pairgen": pairgen.__version__,
            "python": platform.python_version(),
            "pyarrow": pa.__version__,
            "rapidfuzz": rapidfuzz.__version__,
        },
    }


def rebuild_command(name: str, out: str, options: BuildOptions) -> str:
    """The command line that builds the same dataset again, in the folder that holds the source files."""
    names = [_without_folder(source) for source in options.source]
    return shlex.join(
        [
            "pairgen",
            "build",
            name,
            "--out",
            out,
            *arguments(replace(options, source=tuple(names), workers=1, drops=None)),
        ]
    )


def _without_folder(source: str) -> str:
    """``train=/home/me/rows.json`` becomes ``train=rows.json``: cards are published."""
    split, equals, path = source.partition("=") if source.startswith(("train=", "eval=")) else ("", "", source)
    return f"{split}{equals}{Path(path).name}" if Path(path).expanduser().exists() else source


def _license(builder: Builder, sources: dict[str, dict[str, Any]]) -> Manifest:
    """The license of the rows: the project's own for the built-in sample, and none for a mixture."""
    is_sample = {"sample" in source for source in sources.values()}
    if is_sample == {True}:
        return {"license": "apache-2.0"}
    return {"license": builder.license} if builder.license and is_sample == {False} else {}


def _recorded_options(options: BuildOptions, builder: Builder, eval_size: int) -> dict[str, Any]:
    corruption = {"corruption": options.corruption, "pairs_per_row": options.pairs_per_row} if builder.corrupts else {}
    return {
        "seed": options.seed,
        "prompt_style": options.prompt_style or builder.style,
        "shots": options.shots,
        "shots_per_row": options.shots_per_row,
        "eval_size": eval_size,
        **corruption,
    }
