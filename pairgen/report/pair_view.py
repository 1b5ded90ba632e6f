"""One pair with its edit marked."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from pairgen.report.tables import facts
from pairgen.report.text import MAX_TEXT, Hits, clip, format_share, shorten

MIN_OMITTED = 40
"""Shorter parts of a text are shown: the note that they are omitted is hardly shorter."""
MAX_WORD = 40
"""Characters by which an edit is extended at most on each side; it is not extended into longer words."""

PROVENANCE = ("expression", "check", "reason", "error", "strategy", "source", "pair_id", "group_id", "mark", "note")
"""Columns that are shown below the texts. The last two are there if the reader's marks were read too."""

Find = Callable[[str], Hits]
"""The parts of a text to highlight."""


def nothing(_text: str) -> Hits:
    """Highlights nothing."""
    return ()


def pair_view(
    row: Mapping[str, Any], width: int, full: bool = False, find: Find = nothing, prompt: Text | None = None
) -> RenderableType:
    """One pair: prompt, chosen with ``[-removed-]``, rejected with ``{+inserted+}``, and where it comes from.

    Args:
        row: a row of a dataset, by column.
        width: cells of the view.
        full: show texts in full; by default long ones are shortened.
        find: what to highlight in prompt, chosen and rejected.
        prompt: shown in place of the prompt.
    """
    limit = None if full else MAX_TEXT
    hits = {name: list(find(row[name])) for name in ("prompt", "chosen", "rejected")}
    edits = edit_spans(row)
    texts = {"prompt": shorten(row["prompt"], limit, hits["prompt"]) if prompt is None else prompt}
    if row["rejected"]:
        before, after = zip(*edits, strict=True)
        texts["chosen"] = _mark(row["chosen"], before, ("[-", "-]", "bold red"), limit, hits["chosen"])
        texts["rejected"] = _mark(row["rejected"], after, ("{+", "+}", "bold green"), limit, hits["rejected"])
    else:  # data for supervised fine-tuning: there is no edit to mark
        texts["chosen"] = shorten(row["chosen"], limit, hits["chosen"])
    parts: list[RenderableType] = [Rule(shorten(row["pair_id"]), style="dim")]
    for title, text in texts.items():
        parts += [Text(title, style="bold"), Padding(text, (0, 0, 0, 2))]
    return Constrain(Group(*parts, facts(facts_of(row))), width)


def edit_spans(row: Mapping[str, Any]) -> list[tuple[slice, slice]]:
    """The edits of a pair in chosen and in rejected, in order; an only one is extended to whole words."""
    return [_spans(change) for change in row["edits"]] if row.get("edits") else [whole_words(row)]


def _spans(change: Mapping[str, Any]) -> tuple[slice, slice]:
    """One of several edits, in chosen and in rejected."""
    return slice(change["start"], change["chosen_stop"]), slice(change["rejected_start"], change["rejected_stop"])


def whole_words(row: Mapping[str, Any]) -> tuple[slice, slice]:
    """The edit in chosen and in rejected, extended to whole words and numbers: of ``he sings`` and ``he sang``, all of
    the verbs.
    """
    chosen, rejected = row["chosen"], row["rejected"]
    start, stop, other = row["edit_start"], row["chosen_edit_stop"], row["rejected_edit_stop"]
    back = next((n for n in range(MAX_WORD) if not any(_continues(text, start - n) for text in (chosen, rejected))), 0)
    ahead = next(
        (n for n in range(MAX_WORD) if not (_continues(chosen, stop + n) or _continues(rejected, other + n))), 0
    )
    start, stop, other = start - back, stop + ahead, other + ahead
    return slice(start, stop), slice(start, other)


def _omitted(size: int, limit: int) -> int:
    """How much of a text to omit: what exceeds the limit, unless that is hardly more than the note on it."""
    excess = size - limit
    return excess if excess > MIN_OMITTED else 0


def _continues(text: str, at: int) -> bool:
    """Whether a position is inside a word."""
    return at > 0 and _INSIDE.match(text, at - 1) is not None


_INSIDE = re.compile(r"\w\w|\d[.,]\d|(?<=\d)[.,]\d")


def _mark(
    text: str, edits: Sequence[slice], marks: tuple[str, str, str], limit: int | None, hits: Sequence[tuple[int, int]]
) -> Text:
    """A completion with its edits between marks (opening, closing, style); long text around them is shortened."""

    def part(start: int, stop: int, limit: int | None = None) -> Text:
        return shorten(text[start:stop], limit, clip(hits, start, stop))

    first, last = edits[0].start, edits[-1].stop
    each = len(text) if limit is None else limit // 2
    omitted_before, omitted_after = _omitted(first, each), _omitted(len(text) - last, each)
    opening, closing, style = marks
    marked = Text()
    for number, edit in enumerate(edits):
        if number:
            marked += part(edits[number - 1].stop, edit.start, limit)
        edited = part(edit.start, edit.stop, limit)
        edited.stylize_before(style)
        marked += Text.assemble((opening, style), edited, (closing, style))
    return Text.assemble(
        Text(f"[... {omitted_before:,} characters ...] " if omitted_before else "", "dim"),
        part(omitted_before, first),
        marked,
        part(last, len(text) - omitted_after),
        Text(f" [... {omitted_after:,} characters ...]" if omitted_after else "", "dim"),
    )


def facts_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a pair and its edit, by name; nulls are left out."""
    known = []
    if row["correct"] is not None:
        known.append(("edit", f"{row['correct']} -> {row['corrupted']}{_exact_values(row)}"))
    if row["step"] is not None:
        known.append(("step", f"{row['step']} of {row['steps']}"))
    known += [(name.replace("_", " "), str(row[name])) for name in PROVENANCE if row.get(name) is not None]
    return [*known, ("edit distance", format_share(row["edit_distance"]))] if row["rejected"] else known


def _exact_values(row: Mapping[str, Any]) -> str:
    """The exact values, unless the texts already state them."""
    values = [str(row[name] or "").removesuffix("/1") for name in ("correct_value", "corrupted_value")]
    differ = all(values) and values != [row["correct"], row["corrupted"]]
    return f" (exactly {values[0]} -> {values[1]})" if differ else ""
