"""The dataset card: ``README.md`` of every dataset, made of its manifest alone.

The YAML on top tells the hub and ``load_dataset`` which files are which split.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from pairgen.pairs import shares
from pairgen.pairs.dataset import FORMAT
from pairgen.pairs.record import COLUMNS

_TITLES = {
    "metamath": "MetaMath preference pairs",
    "gsm8k": "GSM8K preference pairs",
    "arc": "ARC-Challenge preference pairs",
    "hellaswag": "HellaSwag preference pairs",
}
_HOW = {
    "metamath": "One intermediate result of each worked solution is replaced by a wrong one of the same format. "
    "The rest of the solution, its final answer included, stays as it was.",
    "gsm8k": "One intermediate result of each worked solution, taken from GSM8K's calculation marks, is replaced by a "
    "wrong one of the same format. The marks are stripped; the rest, the final answer included, stays as it was.",
    "arc": "Each question gives one pair per wrong choice: the right choice is chosen, the wrong one rejected.",
    "hellaswag": "Each scene gives one pair per wrong ending: the right ending is chosen, the wrong one rejected.",
}


def render(manifest: Mapping[str, Any]) -> str:
    """The whole card as Markdown. What comes from a source or a command line is shown as code, never as markup."""
    name = manifest.get("dataset", "Pairs")
    parts = [
        f"---\n{yaml.safe_dump(front_matter(manifest), sort_keys=False, allow_unicode=True)}---",
        f"# {_TITLES.get(name, name)}",
        _HOW.get(name, ""),
        "## Counts\n\n" + _counts(manifest["splits"]),
        "## Edit distance\n\n" + _distances(manifest["statistics"]) if "statistics" in manifest else "",
        _corruptions(manifest.get("statistics", {})),
        "## Columns\n\n" + _columns(),
        "## How it was made\n\n" + _made(manifest) if "command" in manifest else "",
        f"## Licence\n\n`{manifest['license']}`, carried over from the source." if "license" in manifest else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def front_matter(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The YAML of the card."""
    return {
        **({"license": manifest["license"]} if "license" in manifest else {}),
        "pretty_name": _TITLES.get(manifest.get("dataset", ""), manifest.get("dataset", "Pairs")),
        "language": ["en"],
        "tags": ["preference", "dpo", "pairgen"],
        "configs": [
            {
                "config_name": "default",
                "version": f"{FORMAT}.0.0",  # in the cache path: keeps features of other formats apart
                "data_files": [{"split": split, "path": f"{split}/data-*.arrow"} for split in manifest["splits"]],
            }
        ],
    }


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _counts(splits: Mapping[str, Any]) -> str:
    rows = [[name, f"{split.get('rows', 0):,}", f"{split['pairs']:,}", _drops(split)] for name, split in splits.items()]
    return _table(["split", "source rows", "pairs", "rows dropped"], rows)


def _drops(split: Mapping[str, Any]) -> str:
    return ", ".join(f"{count:,} ({reason})" for reason, count in split.get("drops", {}).items()) or "none"


def _distances(statistics: Mapping[str, Any]) -> str:
    definition = next(iter(statistics.values()))["edit_distance"]["definition"]
    rows = []
    for name, split in statistics.items():
        distance = split["edit_distance"]
        figures = [distance["mean"], distance["sd"], *(distance["quantiles"][percent] for percent in ("5", "50", "95"))]
        rows.append([name, *(f"{figure:.2%}" for figure in figures)])
    table = _table(["split", "mean", "sd", "5 %", "median", "95 %"], rows)
    return f"Definition: {definition}. `pairgen stats` prints other definitions.\n\n{table}"


def _corruptions(statistics: Mapping[str, Any]) -> str:
    """How corruptions were checked; empty for a dataset that takes its wrong completions from the source."""
    found = {name: split["corruptions"] for name, split in statistics.items() if "corruptions" in split}
    if not found:
        return ""
    parts = [f"## Corruptions\n\nCounted are {next(iter(found.values()))['definition']}."]
    for name, counted in found.items():
        parts.append(f"{_code(name)}: {counted['pairs']:,} pairs, {shares.verified(counted)}.")
        for table in shares.tables(counted):
            parts.append(_table(list(table.heads), [[_code(first), *figures] for first, *figures in table.rows]))
            parts += [f"{table.others}."] if table.others else []
    return "\n\n".join(parts)


def _columns() -> str:
    rows = [
        [f"`{name}`", str(column.type) + (", may be null" if column.nullable else ""), column.meaning]
        for name, column in COLUMNS.items()
    ]
    return _table(["column", "type", "meaning"], rows)


def _made(manifest: Mapping[str, Any]) -> str:
    options = _table(["option", "value"], [[key, f"`{value}`"] for key, value in manifest["options"].items()])
    sources = _table(
        ["split", "source"], [[split, _code(_where(about))] for split, about in manifest["sources"].items()]
    )
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return f"```\n{_one_line(manifest['command'])}\n```\n\n{sources}\n\n{options}\n\nVersions: {versions}."


def _where(about: Mapping[str, Any]) -> str:
    if "files" in about:
        pairs = zip(about["files"], about["sha256"], strict=True)
        return ", ".join(f"{name} (sha256 {digest})" for name, digest in pairs)
    return ", ".join(f"{key} {value}" for key, value in about.items())


def _code(text: str) -> str:
    return f"`{_one_line(text).replace('`', chr(39)).replace('|', '/')}`"


def _one_line(text: str) -> str:
    """A text that cannot leave the code it is shown in."""
    return " ".join(str(text).replace("```", "'''").split())
