"""The dataset card: ``README.md`` of every dataset, rendered from its manifest alone.

Its YAML tells the Hub and ``load_dataset`` which files belong to which split.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml

from pairgen.errors import count
from pairgen.pairs import verification_rates
from pairgen.pairs.dataset import FORMAT
from pairgen.pairs.record import COLUMNS


def render(manifest: Mapping[str, Any]) -> str:
    """The card as Markdown. Strings from sources and command lines are rendered as code, never as markup.

    Only ``splits`` is required of a manifest; a section is left out if what it describes is missing.
    """
    statistics = manifest.get("statistics", {})
    parts = [
        f"---\n{yaml.safe_dump(front_matter(manifest), sort_keys=False, allow_unicode=True)}---",
        f"# {_title(manifest)}",
        manifest.get("description", ""),
        SYNTHETIC if is_synthetic(manifest) else "",
        "## Counts\n\n" + _counts(manifest["splits"]),
        _distances(statistics),
        _corruptions(statistics),
        f"## Columns\n\n{PLAIN_TEXT}\n\n" + _columns(),
        "## How it was built\n\n" + _build(manifest) if "command" in manifest else "",
        "## History\n\n" + _history(manifest["history"]) if manifest.get("history") else "",
        _license(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


PLAIN_TEXT = (
    "Prompts and completions are plain text, without a chat template. `pairgen train` applies the template of the "
    "model; other trainers see the texts as they are."
)
SYNTHETIC = "The source rows are synthetic: pairgen generated them. They are not rows of the dataset that they imitate."


def is_synthetic(manifest: Mapping[str, Any]) -> bool:
    """Whether some of the source rows come from the built-in sample."""
    return any("sample" in about for about in manifest.get("sources", {}).values())


def front_matter(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The YAML of the card."""
    return {
        **({"license": manifest["license"]} if "license" in manifest else {}),
        "pretty_name": _title(manifest),
        "language": ["en"],
        "tags": ["preference", "dpo", "pairgen", *(["synthetic"] if is_synthetic(manifest) else [])],
        "configs": [
            {
                "config_name": "default",
                "version": f"{FORMAT}.0.0",  # in the cache path: keeps features of other formats apart
                "data_files": [{"split": split, "path": f"{split}/data-*.arrow"} for split in manifest["splits"]],
            }
        ],
    }


def _title(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("title") or manifest.get("dataset") or "Preference pairs")


def _license(manifest: Mapping[str, Any]) -> str:
    if "license" not in manifest:
        return ""
    origin = "the license of pairgen, whose rows these are" if is_synthetic(manifest) else "inherited from the source"
    return f"## License\n\n`{manifest['license']}`, {origin}."


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _counts(splits: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{split['rows']:,}" if "rows" in split else "-", f"{split['pairs']:,}", _drops(split)]
        for name, split in splits.items()
    ]
    return _table(["split", "source rows", "pairs", "rows dropped"], rows)


def _drops(split: Mapping[str, Any]) -> str:
    return ", ".join(f"{count:,} ({reason})" for reason, count in split.get("drops", {}).items()) or "none"


def _distances(statistics: Mapping[str, Any]) -> str:
    found = {name: split["edit_distance"] for name, split in statistics.items() if "edit_distance" in split}
    if not found:
        return ""
    rows = []
    for name, distance in found.items():
        figures = [distance["mean"], distance["sd"], *(distance["quantiles"][percent] for percent in ("5", "50", "95"))]
        rows.append([name, *("-" if figure is None else f"{figure:.2%}" for figure in figures)])
    definition = next(iter(found.values()))["definition"]
    table = _table(["split", "mean", "sd", "5%", "median", "95%"], rows)
    return f"## Edit distance\n\nDefinition: {definition}. Run `pairgen stats` for other metrics.\n\n{table}"


def _corruptions(statistics: Mapping[str, Any]) -> str:
    """How corruptions were verified; empty for a dataset whose rejected completions come from the source."""
    found = {name: split["corruptions"] for name, split in statistics.items() if "corruptions" in split}
    if not found:
        return ""
    parts = [f"## Corruptions\n\nNumber of {next(iter(found.values()))['definition']}."]
    for name, counts in found.items():
        parts.append(f"{_code(name)}: {count(counts['pairs'], 'pair')}, {verification_rates.summary(counts)}.")
        for table in verification_rates.tables(counts):
            parts.append(_table(list(table.heads), [[_code(first), *figures] for first, *figures in table.rows]))
            parts += [f"{table.others}."] if table.others else []
    return "\n\n".join(parts)


def _columns() -> str:
    rows = [
        [f"`{name}`", _type(column.type) + (", may be null" if column.nullable else ""), column.meaning]
        for name, column in COLUMNS.items()
    ]
    return _table(["column", "type", "meaning"], rows)


def _type(kind: pa.DataType) -> str:
    return "list of structs" if pa.types.is_list(kind) else str(kind)


def _build(manifest: Mapping[str, Any]) -> str:
    options = _table(["option", "value"], [[key, _code(value)] for key, value in manifest.get("options", {}).items()])
    sources = _table(
        ["split", "source"], [[split, _code(_where(about))] for split, about in manifest.get("sources", {}).items()]
    )
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    return f"```\n{_one_line(manifest['command'])}\n```\n\n{sources}\n\n{options}\n\nVersions: {versions}."


def _history(entries: Sequence[Mapping[str, Any]]) -> str:
    """Each command that was run since the build, with the pairs of each split before and after."""
    parts = []
    for entry in entries:
        splits = entry.get("splits", {}).items()
        rows = [[_code(name), f"{of['pairs_before']:,}", f"{of['pairs']:,}", _removed(of)] for name, of in splits]
        table = _table(["split", "pairs before", "pairs", "removed"], rows)
        parts.append(f"```\n{_one_line(entry['command'])}\n```\n\n{table}")
        of_datasets = entry.get("details", {}).get("datasets", [])
        parts += [_table(["dataset", "title", "license"], [_about(one) for one in of_datasets])] if of_datasets else []
    return "\n\n".join(parts)


def _removed(split: Mapping[str, Any]) -> str:
    return ", ".join(f"{count:,} ({_one_line(reason)})" for reason, count in split["removed"].items()) or "none"


def _about(dataset: Mapping[str, Any]) -> list[str]:
    return [_code(dataset.get(key) or "unknown") for key in ("folder", "title", "license")]


def _where(about: Mapping[str, Any]) -> str:
    if "files" in about:
        pairs = zip(about["files"], about["sha256"], strict=True)
        return ", ".join(f"{name} (sha256 {digest})" for name, digest in pairs)
    return ", ".join(f"{key} {value}" for key, value in about.items())


def _code(text: object) -> str:
    return f"`{_one_line(text).replace('`', chr(39)).replace('|', '/')}`"


def _one_line(text: object) -> str:
    """A text that cannot end the code span or block that it is shown in."""
    return " ".join(str(text).replace("```", "'''").split())
