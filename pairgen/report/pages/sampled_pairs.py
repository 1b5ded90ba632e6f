"""The sample of pairs: each with its edit marked in the text, how it was verified, and what the audit finds in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pairgen.errors import count
from pairgen.report.pages.html.markup import Html, code, element, facts, join, paragraphs
from pairgen.report.pair_view import edit_spans, facts_of

Row = Mapping[str, Any]
"""A row of a dataset by column, and its ``split``."""

Findings = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""By pair id and side, ``chosen`` or ``rejected``: what the audit finds, each as ``Finding._asdict()``."""

FILTERS = ("split", "source", "strategy", "error", "check")
"""Columns that the sample can be filtered by."""

MOST_CHOICES = 40
"""Values of a column above which it is not offered as a filter."""

LONGEST = 1400
"""Characters of a part of a text that are shown; of a longer one, the middle is omitted."""

LEGEND = join(
    [
        "In each text, ",
        element("span", "what chosen says", class_="key chosen"),
        " is followed by ",
        element("span", "what rejected says instead", class_="key rejected"),
        ".",
    ]
)


def sample_view(rows: Sequence[Row], total: int, findings: Findings) -> Html:
    """The pairs, and controls that the script shows.

    Args:
        total: pairs of the dataset.
        findings: may lack pairs.
    """
    if not rows:
        return paragraphs("The dataset has no pairs.")
    is_all = len(rows) == total
    about = (
        f"All {count(total, 'pair')}."
        if is_all
        else f"{len(rows):,} of {count(total, 'pair')}, at fixed places all over the dataset: at least one of each "
        "combination of split, source, strategy, error and check, as far as they go round, and others in proportion."
    )
    has_both = any(row["rejected"] for row in rows)
    intro = join([paragraphs(about, class_="note"), element("p", LEGEND, class_="note") if has_both else None])
    pairs = [pair_article(row, findings.get(row["pair_id"], {})) for row in rows]
    return element("div", intro, _controls(rows), *pairs, _pager(), class_="sample")


def _controls(rows: Sequence[Row]) -> Html:
    fields = [element("label", "Search", element("input", type="search", autocomplete="off"))]
    for name in FILTERS:
        values = sorted({row[name] for row in rows if row[name] is not None})
        if 1 < len(values) <= MOST_CHOICES:
            options = [element("option", "all", value=""), *(element("option", value) for value in values)]
            fields.append(element("label", name, element("select", *options, name=name)))
    fields.append(element("output", aria_live="polite"))
    return element("div", *fields, class_="controls", hidden=True)


def _pager() -> Html:
    back, ahead = (element("button", name, type="button") for name in ("Previous", "Next"))
    return element("div", back, ahead, element("output"), class_="pager", hidden=True)


def pair_article(row: Row, findings: Mapping[str, Sequence[Mapping[str, Any]]]) -> Html:
    """One pair."""
    about = [(name, value) for name, value in facts_of(row) if name not in ("pair id", "group id")]
    found = [(f"audit, {side}", _found(findings[side])) for side in ("chosen", "rejected") if findings.get(side)]
    data = {f"data_{name}": row[name] or "" for name in FILTERS}
    return element(
        "div",
        element("h4", row["pair_id"]),
        element("p", *_shortened(row["prompt"]), class_="text prompt"),
        *_completions(row),
        facts([*(_proof(name, value) for name, value in about), *found]),
        class_="pair",
        **data,
    )


def _proof(name: str, value: str) -> tuple[str, str]:
    return name, code(value) if name == "expression" else value


def _found(findings: Sequence[Mapping[str, Any]]) -> Html:
    """``192 is false: 4 * 23 + 2 * 50 is 172``."""
    items = []
    for one in findings:
        is_exact = one["expression"] is not None and one["value"] is not None
        why = join([": ", code(one["expression"]), f" is {one['value']}"]) if is_exact else None
        items.append(join([code(one["text"]), f" is {one['kind']}", why]))
    return join(items, "; ")


def _completions(row: Row) -> Iterator[Html]:
    chosen, rejected = row["chosen"], row["rejected"]
    if not rejected:
        yield element("p", *_shortened(chosen.lstrip("\n")), class_="text")
        return
    spans = edit_spans(row)
    edited = sum(max(one.stop - one.start, other.stop - other.start) for one, other in spans)
    if 2 * edited <= max(len(chosen), len(rejected)):
        yield element("p", *_merged(chosen, rejected, spans), class_="text")
        return
    for name, text, tag, edits in (
        ("chosen", chosen, "del", [one for one, _ in spans]),
        ("rejected", rejected, "ins", [other for _, other in spans]),
    ):
        yield element("p", name, class_="label")
        yield element("p", *_marked(text, tag, edits), class_="text")


def _merged(chosen: str, rejected: str, spans: Sequence[tuple[slice, slice]]) -> Iterator[Html]:
    """Both completions as one text, with what differs next to each other."""
    at = 0
    for one, other in spans:
        yield from _shortened(_before(chosen[at : one.start], at))
        if one.stop > one.start:
            yield element("del", *_shortened(chosen[one]))
        if other.stop > other.start:
            yield element("ins", *_shortened(rejected[other]))
        at = one.stop
    yield from _shortened(chosen[at:])


def _marked(text: str, tag: str, edits: Sequence[slice]) -> Iterator[Html]:
    at = 0
    for edit in edits:
        yield from _shortened(_before(text[at : edit.start], at))
        if edit.stop > edit.start:
            yield element(tag, *_shortened(text[edit]))
        at = edit.stop
    yield from _shortened(text[at:])


def _before(text: str, at: int) -> str:
    """A text before an edit, without the line breaks that a completion begins with."""
    return text if at else text.lstrip("\n")


def _shortened(text: str) -> list[Html]:
    """A text; of a long one, the beginning and the end, and how much is omitted."""
    if len(text) <= LONGEST:
        return [join([text])]
    half = LONGEST // 2
    note = element("span", f" [… {len(text) - 2 * half:,} characters …] ", class_="omitted")
    return [join([text[:half]]), note, join([text[-half:]])]
