"""Which column of a source is which: the names that ``--columns`` gives to them."""

from collections.abc import Collection, Mapping

from pairgen.errors import UsageError
from pairgen.sources.formats.record import Block, Columns, Records, Row

Names = Mapping[str, str | None]
"""What each column that a builder reads is called in the source; None for one that the source lacks."""


def parse_columns(text: str) -> dict[str, str]:
    """What ``question=problem,solution=rationale`` says: the source's column by the name that it is read under.

    Raises:
        UsageError: it is not written so, or a name is given twice.
    """
    parts = [part.partition("=") for part in text.split(",")]
    names = {ours.strip(): theirs.strip() for ours, _, theirs in parts}
    if not all(names) or not all(names.values()):
        raise UsageError(f"--columns {text}: must be written as OURS=THEIRS,... such as question=problem")
    if len(names) < len(parts):
        raise UsageError(f"--columns {text}: each name can be given only once")
    return names


def columns_text(columns: str | Mapping[str, str] | None) -> str | None:
    """A dictionary as the text that ``parse_columns`` reads; a text as it is."""
    if isinstance(columns, Mapping):
        return ",".join(f"{ours}={theirs}" for ours, theirs in columns.items()) or None
    return columns


def check_names(text: str, names: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError if ``--columns`` gives a column a name that is not known."""
    if unknown := sorted(set(names) - set(known)):
        raise UsageError(f"--columns {text}: {', '.join(unknown)} is unknown; available: {', '.join(sorted(known))}")


def named(columns: Columns, given: Mapping[str, str]) -> Columns:
    """The columns as the source calls them."""
    required = frozenset(given.get(name, name) for name in columns.required)
    optional = None if columns.optional is None else columns.optional | set(given.values())
    return Columns(required, optional, {theirs: ours for ours, theirs in given.items()})


def names_of(given: Mapping[str, str], optional: Collection[str]) -> Names:
    """The names by which rows are renamed.

    An optional column that was given to another role is not read under its own name: with ``solution=answer``,
    ``answer`` is the solution and nothing else.
    """
    taken = set(given.values()) - given.keys()
    return {**given, **dict.fromkeys(name for name in optional if name in taken)}


def renamed(block: Block, names: Names) -> Block:
    """A block whose rows have our names too."""
    return block._replace(data=(names, block), parse=_renamed) if names else block


def _renamed(data: tuple[Names, Block], first: int) -> Records:
    names, block = data
    for number, row in block._replace(first=first).rows():
        yield number, (_with_names(row, names) if isinstance(row, dict) else row)


def _with_names(row: Row, names: Names) -> Row:
    return {**row, **{ours: row.get(theirs) if theirs else None for ours, theirs in names.items()}}
