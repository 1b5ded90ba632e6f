"""What the page says about a dataset."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pairgen.errors import count
from pairgen.pairs.card import SYNTHETIC, UNKNOWN_LICENSE, is_synthetic
from pairgen.pairs.dataset import PairDataset
from pairgen.report.pages import dataset_numbers as numbers
from pairgen.report.pages.html.frame import Part, Section
from pairgen.report.pages.html.markup import Child, Html, code, element, facts, join, paragraphs, prose, table
from pairgen.report.pages.sampled_pairs import Findings, Row, sample_view
from pairgen.report.pages.strata import sample
from pairgen.report.text import format_share

Audit = Callable[[Sequence[Row]], Findings]
"""Audits both completions of rows."""


PLACES = {
    "sources": "Counts",
    "drops": "Counts",
    "edit-distance": "Edit distance",
    "edit-distance-definitions": "Edit distance",
    "edit-position": "Where the edit is",
    "prompt-length": "Lengths",
    "completion-length": "Lengths",
    "group-sizes": "Lengths",
    "checks": "Corruptions",
    "reasons": "Corruptions",
    "strategies": "Corruptions",
    "errors": "Corruptions",
    "shortcuts": "Shortcuts",
}
"""By name of a figure, the section that it is shown in."""


def dataset_part(dataset: PairDataset, size: int, audit: Audit, figures: Mapping[str, Html]) -> Part:
    """A dataset: what is in it, and some of its pairs.

    Args:
        size: most pairs of the sample.
        audit: called with the sample.
        figures: those of the dataset, by name.

    Raises:
        InvalidDataset: a damaged shard.
    """
    manifest = dataset.manifest
    statistics = numbers.statistics_of(dataset)
    rows = sample(dataset, size)
    has_pairs, is_sft = len(dataset) > 0, bool(manifest.get("sft"))
    is_math = any("corruptions" in split for split in statistics.values())
    findings = audit(rows) if is_math and rows else {}
    bodies = {
        "Counts": numbers.counts(dataset),
        "Edit distance": numbers.distances(dataset, statistics) if has_pairs and not is_sft else None,
        "Where the edit is": numbers.places(statistics) if has_pairs and not is_sft else None,
        "Lengths": numbers.lengths(statistics) if has_pairs else None,
        "Corruptions": numbers.corruptions(statistics),
        "Shortcuts": numbers.shortcuts(statistics),
        "Audit": _audited(rows, findings) if is_math and rows else None,
        "Other figures": None,
        "Pairs": sample_view(rows, len(dataset), findings) if size else None,
        "How it was built": _built(manifest),
    }
    drawn = {
        title: join(html for name, html in figures.items() if PLACES.get(name, "Other figures") == title)
        for title in bodies
    }
    sections = [Section(title, join([drawn[title], body])) for title, body in bodies.items() if body or drawn[title]]
    return Part("dataset", str(manifest.get("title", dataset.path.resolve().name)), _lead(dataset), sections)


def _lead(dataset: PairDataset) -> Html:
    manifest = dataset.manifest
    splits = ", ".join(f"{count(split.pairs, 'pair')} in {name}" for name, split in dataset.splits.items())
    rows: list[tuple[Child, Child]] = [
        ("folder", code(dataset.path)),
        ("size", splits),
        ("license", str(manifest.get("license", UNKNOWN_LICENSE))),
    ]
    note = SYNTHETIC if is_synthetic(manifest) else ""
    return join([paragraphs(str(manifest.get("description", "")), note), facts(rows)])


def _audited(rows: Sequence[Row], findings: Findings) -> Html:
    """How many of the sampled completions have findings of each kind."""
    table_rows: list[list[Child]] = []
    for side in ("chosen", "rejected"):
        cells = []
        for kind in ("false", "truncated", "doubtful"):
            with_kind = sum(
                any(one["kind"] == kind for one in findings.get(row["pair_id"], {}).get(side, ())) for row in rows
            )
            cells.append(f"{with_kind:,} ({format_share(with_kind / len(rows))})" if rows else "-")
        table_rows.append([side, f"{len(rows):,}", *cells])
    heads = ["completion", "audited", "with false results", "with truncated results", "with doubtful results"]
    note = (
        "Arithmetic of numbers alone that states a wrong result is false; 500 / 15 = 33 is truncated, and an equation "
        "in an unknown is at most doubtful. These are the pairs of the sample below; `pairgen audit` reads all."
    )
    return join([table("", heads, table_rows, [False, *[True] * 4]), paragraphs(prose(note), class_="note")])


def _built(manifest: Mapping[str, Any]) -> Html:
    """How to build the dataset again, as far as the manifest says."""
    parts: list[Html] = []
    if "command" in manifest:
        parts.append(element("pre", element("code", str(manifest["command"]))))
    sources = [
        [split, join([code(f"{name}: {value}") for name, value in _where(about)], ", ")]
        for split, about in manifest.get("sources", {}).items()
    ]
    if sources:
        parts.append(table("Sources", ["split", "source"], sources, [False, False]))
    options = [[name, code(value)] for name, value in manifest.get("options", {}).items()]
    if options:
        parts.append(table("Options", ["option", "value"], options, [False, False]))
    for entry in manifest.get("history", ()):
        parts.append(paragraphs("Then:"))
        parts.append(element("pre", element("code", str(entry.get("command", "")))))
        parts += [_removed(entry)]
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    parts.append(paragraphs(f"Versions: {versions}." if versions else "", class_="note"))
    return join(parts)


def _where(about: Mapping[str, Any]) -> list[tuple[str, Any]]:
    if "files" in about:
        return [(str(name), f"sha256 {digest}") for name, digest in zip(about["files"], about["sha256"], strict=True)]
    return list(about.items())


def _removed(entry: Mapping[str, Any]) -> Html:
    rows: list[list[Child]] = [
        [
            name,
            f"{split.get('pairs_before', 0):,}",
            f"{split.get('pairs', 0):,}",
            ", ".join(f"{number:,} ({reason})" for reason, number in split.get("removed", {}).items()) or "none",
        ]
        for name, split in entry.get("splits", {}).items()
    ]
    heads = ["split", "pairs before", "pairs", "removed"]
    return table("", heads, rows, [False, True, True, False]) if rows else Html()
