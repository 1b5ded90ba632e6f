"""What the manifest of a dataset says about its build."""

import platform
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import rapidfuzz
import xxhash

import pairgen
from pairgen.arithmetic.errors.kinds import ERRORS, RESULT
from pairgen.builders import Builder
from pairgen.building.options import BuildOptions
from pairgen.errors import UsageError
from pairgen.options import arguments, flag
from pairgen.pairs.dataset import Manifest
from pairgen.sources.urls import UrlFile, is_url


def describe_build(
    builder: Builder,
    out: str,
    options: BuildOptions,
    eval_size: int,
    sources: dict[str, dict[str, Any]],
    template: str | None = None,
) -> Manifest:
    """All of a manifest but counts and statistics.

    Args:
        out: the output folder, as it was given.
        sources: provenance of the rows by split.
        template: text of the prompt template, if it is a file.
    """
    return {
        "dataset": builder.name,
        "title": _title(builder, sources),
        "description": _description(builder, options),
        **_license(builder, sources, options),
        **({"multiple_choice": True} if builder.multiple_choice else {}),
        **({"sft": True} if builder.sft else {}),
        "command": builder.command or rebuild_command(builder, out, options),
        "options": _recorded_options(options, builder, eval_size, template),
        "sources": sources,
        "versions": {
            "pairgen": pairgen.__version__,
            "python": platform.python_version(),
            "pyarrow": pa.__version__,
            "rapidfuzz": rapidfuzz.__version__,
        },
    }


def _title(builder: Builder, sources: dict[str, dict[str, Any]]) -> str:
    """The builder's title, unless the rows are somebody's own in the layout of its dataset."""
    files = [file for source in sources.values() for file in source.get("files", ())]
    if builder.hub is None:
        names = files or dict.fromkeys(source.get("hub", "") for source in sources.values())
        return builder.title.replace("{source}", " and ".join(names))
    if not files:
        return builder.title
    others = f" and {len(files) - 1} more files" if len(files) > 2 else f" and {files[1]}" if len(files) == 2 else ""
    return f"Preference pairs from {files[0]}{others}"


def _description(builder: Builder, options: BuildOptions) -> str:
    """How the pairs were made: the builder's own words, unless options change it."""
    if not builder.corrupts or (options.error == RESULT and options.carry == "none"):
        return builder.description
    if options.error == RESULT:
        step = "One intermediate result of each worked solution is replaced by a wrong value in the same format."
    else:
        step = (
            f"One step of each worked solution is wrong ({ERRORS[options.error].summary}), with its own exact result."
        )
    return f"{step} {_REST[options.carry]}"


_REST = {
    "none": "The rest of the solution, including the final answer, is unchanged.",
    "results": "Later results that use it are recomputed from it; the final answer is unchanged.",
    "answer": "Later results that use it, and the final answer, are recomputed from it.",
}


def rebuild_command(builder: Builder, out: str, options: BuildOptions) -> str:
    """The command line that builds the same dataset again. Absolute paths lose their folder: cards are published."""
    sources = tuple(_without_folder(source) for source in options.source)
    options = replace(
        options, source=sources, drops=None, resume=False, workers=1, engine="local", address=None, ray_blocks=0
    )
    words = ["build", builder.name]
    if builder.is_import:
        words = [
            builder.name,
            *sources,
            *(word for name, value in builder.recorded.items() for word in (flag(name), value)),
        ]
        options = replace(options, source=())
    return shlex.join(["pairgen", *words, "--out", published(out), *arguments(options)])


def _without_folder(source: str) -> str:
    """``train=/home/me/rows.json`` becomes ``train=rows.json``."""
    split, equals, path = source.partition("=") if source.startswith(("train=", "eval=")) else ("", "", source)
    return f"{split}{equals}{published(path)}"


def published(path: str) -> str:
    """A path as published in manifests and cards: an absolute one loses its folder, and so does a URL."""
    if is_url(path):
        return UrlFile(path).name
    return Path(path).name if Path(path).expanduser().is_absolute() else path


def _license(builder: Builder, sources: dict[str, dict[str, Any]], options: BuildOptions) -> Manifest:
    found = license_of(builder, sources, options)
    return {"license": found} if found else {}


def license_of(builder: Builder, sources: dict[str, dict[str, Any]], options: BuildOptions) -> str | None:
    """The license of the rows: that of their dataset on the Hub, the project's own for the sample, else ``--license``.

    Raises:
        UsageError: ``--license`` contradicts a known license.
    """
    known = _known_license(builder, sources)
    if known and options.license not in (None, known):
        raise UsageError(
            f"--license {options.license}: the license of these rows is {known}; --license is for rows of your own"
        )
    return known or options.license


def _known_license(builder: Builder, sources: dict[str, dict[str, Any]]) -> str | None:
    if all("sample" in source for source in sources.values()):
        return "apache-2.0"
    is_original = builder.hub is None or all(source.get("hub") == builder.hub.id for source in sources.values())
    return builder.license if is_original else None


def _recorded_options(options: BuildOptions, builder: Builder, eval_size: int, template: str | None) -> dict[str, Any]:
    corruption = {
        "corruption": options.corruption,
        **({"error": options.error} if options.error != "result" else {}),
        **({"carry": options.carry} if options.carry != "none" else {}),
        "pairs_per_row": options.pairs_per_row,
        **({"false_steps": options.false_steps} if options.false_steps != "drop" else {}),
        "on_unchecked": options.on_unchecked or builder.on_unchecked,
    }
    prompts = {
        "prompt_style": options.prompt_style or builder.style,
        **({} if template is None else {"prompt_template": xxhash.xxh3_128_hexdigest(template.encode())}),
        "shots": options.shots,
        "shots_per_row": options.shots_per_row,
    }
    return {
        "seed": options.seed,
        **builder.recorded,
        **({} if builder.is_import else prompts),
        "eval_size": eval_size,
        **(corruption if builder.corrupts else {}),
        **{name: value for name in ("limit", "columns", "license") if (value := getattr(options, name)) is not None},
    }
