"""Which layout rows have: recognized from their columns, or given column by column."""

from collections.abc import Iterable

from pairgen.errors import UsageError
from pairgen.exchange.imports.layout_table import LAYOUTS, Layout
from pairgen.exchange.imports.preferences import Row, demonstration, preference, ranked
from pairgen.sources.columns import check_names, parse_columns

OURS = {
    False: frozenset({"prompt", "messages", "system", "chosen", "rejected", "completions", "scores", "ranks"}),
    True: frozenset({"prompt", "messages", "system", "completion"}),
}
"""Names that ``--columns`` can give to columns, for preference data and for supervised fine-tuning."""


def layouts(sft: bool) -> dict[str, Layout]:
    """The layouts with or without rejected completions."""
    return {name: layout for name, layout in LAYOUTS.items() if layout.sft == sft}


def detect(rows: Iterable[Row], sft: bool, where: str) -> str:
    """The layout of rows: the one that the first row fits which fits any.

    Of layouts of which one has all columns of the other, that with more columns counts.

    Raises:
        UsageError: no row fits one, or a row fits several; names ``where`` the rows are.
    """
    columns: list[str] = []
    for row in rows:
        columns = columns or list(row)
        fitting = {name: layout for name, layout in layouts(sft).items() if layout.fits(row)}
        best = [name for name in fitting if not any(_is_more_specific(other, name) for other in fitting)]
        if len(best) > 1:
            raise UsageError(
                f"{where}: fits the layouts {' and '.join(best)}; choose one with --layout, or name the columns with "
                "--columns"
            )
        if best:
            return best[0]
    kind = "supervised fine-tuning data" if sft else "preference data"
    raise UsageError(
        f"{where}: matches no known layout of {kind} (its columns are {', '.join(columns) or 'none'}); name the "
        f"columns with --columns {'prompt=...,completion=...' if sft else 'prompt=...,chosen=...,rejected=...'}"
    )


def _is_more_specific(one: str, other: str) -> bool:
    """Whether a layout asks for more of the same columns, or for more of their values."""
    first, second = LAYOUTS[one].columns, LAYOUTS[other].columns
    if first.keys() == second.keys():
        return one == "hh" and other == "trl-implicit"
    return first.keys() > second.keys()


def by_columns(text: str, sft: bool) -> Layout:
    """The layout that ``prompt=question,chosen=good,rejected=bad`` describes, of rows that have our names.

    Raises:
        UsageError: it is not written so, or a name is unknown or missing.
    """
    names = parse_columns(text)
    check_names(text, names, OURS[sft])
    needed = {"completion"} if sft else {"completions"} if "completions" in names else {"chosen", "rejected"}
    if missing := needed - names.keys():
        raise UsageError(f"--columns {text}: {', '.join(sorted(missing))} is missing")
    read = demonstration if sft else ranked if "completions" in names else preference
    return Layout("columns by name", dict.fromkeys(names, bool), read=read, sft=sft)
