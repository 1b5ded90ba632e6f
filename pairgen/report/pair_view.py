"""One pair with its edit marked."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from pairgen.report.tables import facts
from pairgen.report.text import MAX_TEXT, format_share, safe_text, shorten

PROVENANCE = ("expression", "check", "reason", "strategy", "source", "pair_id", "group_id")


def pair_view(row: Mapping[str, Any], width: int, full: bool = False) -> RenderableType:
    """One pair: prompt, chosen with ``[-removed-]``, rejected with ``{+inserted+}``, and where it comes from.

    Args:
        row: a row of a dataset, by column.
        width: cells of the view.
        full: show texts in full; by default long ones are shortened.
    """
    limit = None if full else MAX_TEXT
    start = row["edit_start"]
    chosen = _mark(row["chosen"], slice(start, row["chosen_edit_stop"]), ("[-", "-]", "bold red"), limit)
    rejected = _mark(row["rejected"], slice(start, row["rejected_edit_stop"]), ("{+", "+}", "bold green"), limit)
    parts: list[RenderableType] = [Rule(shorten(row["pair_id"]), style="dim")]
    for title, text in {"prompt": shorten(row["prompt"], limit), "chosen": chosen, "rejected": rejected}.items():
        parts += [Text(title, style="bold"), Padding(text, (0, 0, 0, 2))]
    return Constrain(Group(*parts, facts(_facts(row))), width)


def _mark(text: str, edit: slice, marks: tuple[str, str, str], limit: int | None) -> Text:
    """A completion with its edited span between marks (opening, closing, style); long text around it is shortened."""
    before, after = text[: edit.start], text[edit.stop :]
    each = len(text) if limit is None else limit // 2
    omitted_before, omitted_after = max(0, len(before) - each), max(0, len(after) - each)
    opening, closing, style = marks
    edited = shorten(text[edit], limit)
    edited.stylize(style)
    return Text.assemble(
        Text(f"[... {omitted_before:,} characters ...] " if omitted_before else "", "dim"),
        safe_text(before[omitted_before:]),
        (opening, style),
        edited,
        (closing, style),
        safe_text(after[: len(after) - omitted_after]),
        Text(f" [... {omitted_after:,} characters ...]" if omitted_after else "", "dim"),
    )


def _facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the edit; nulls are left out."""
    known = []
    if row["correct"] is not None:
        known.append(("edit", f"{row['correct']} -> {row['corrupted']}{_exact_values(row)}"))
    if row["step"] is not None:
        known.append(("step", f"{row['step']} of {row['steps']}"))
    known += [(name.replace("_", " "), str(row[name])) for name in PROVENANCE if row[name] is not None]
    return [*known, ("edit distance", format_share(row["edit_distance"]))]


def _exact_values(row: Mapping[str, Any]) -> str:
    """The exact values, unless the texts already state them."""
    values = [str(row[name] or "").removesuffix("/1") for name in ("correct_value", "corrupted_value")]
    differ = all(values) and values != [row["correct"], row["corrupted"]]
    return f" (exactly {values[0]} -> {values[1]})" if differ else ""
