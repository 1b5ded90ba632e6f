"""Reports as GitHub-flavored Markdown. Text from outside is shown as it is: none of it can act as markup."""

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len

from pairgen.report.documents.content import Report, Table
from pairgen.report.text import safe_text

FOLDER = "figures"
"""Folder of the figures, relative to the report."""


def markdown(report: Report, *, level: int = 1, folder: str = FOLDER, undrawn: str = "") -> str:
    """A report, ending with a newline.

    Args:
        level: level of its heading; a report within a document has 2 or more.
        folder: path of its figures relative to the document.
        undrawn: why there are no figures, as a sentence; empty if there are.
    """
    return "\n\n".join(_blocks(report, level, folder, undrawn)) + "\n"


def _blocks(report: Report, level: int, folder: str, undrawn: str) -> Iterator[str]:
    part, piece = "#" * (level + 1), "#" * (level + 2)
    yield f"{'#' * level} {block(report.title)}"
    yield block(report.question)
    yield f"{part} What was shown"
    yield bullets(map(block, report.findings)) or "Nothing."
    if report.not_shown:
        yield f"{part} What was not shown"
        yield bullets(map(block, report.not_shown))
    if report.tables:
        yield f"{part} Tables"
    for table in report.tables:
        yield f"{piece} {block(table.title)}"
        yield table_text(table)
        if table.notes:
            yield bullets(map(block, table.notes))
    if report.figures:
        yield f"{part} Figures"
        if undrawn:
            yield f"{block(undrawn)} The numbers of the figures are in `report.json`."
    for figure in report.figures:
        yield f"{piece} {block(figure.title)}"
        if not undrawn:
            yield f"![{escape(figure.title)}]({folder}/{figure.name}.svg)"
        if figure.note:
            yield block(figure.note)
    if report.setting:
        yield f"{part} Setting"
        yield bullets(f"{block(name)}: {setting_text(name, value)}" for name, value in report.setting.items())


def table_text(table: Table) -> str:
    """A table in pipes, with columns of equal width, so that it can be read as it is, too."""
    heads = [escape(column.title) or " " for column in table.columns]
    rows = [[escape(cell) for cell in row] for row in table.texts()]
    widths = [max(3, *map(cell_len, cells)) for cells in zip(heads, *rows, strict=True)]
    right = [table.is_numeric(at) for at in range(len(heads))]
    rule = ["-" * (width - 1) + ":" if is_right else "-" * width for width, is_right in zip(widths, right, strict=True)]
    padded = [
        [_pad(cell, width, is_right) for cell, width, is_right in zip(row, widths, right, strict=True)]
        for row in (heads, *rows)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:]))


def setting_text(name: str, value: str) -> str:
    """The value of a setting: a command as code, others as text."""
    return code(value) if "command" in name.lower() else escape(value)


def escape(text: str) -> str:
    """A text on one line, within a line: a backslash in front of whatever Markdown would take for markup."""
    return re.sub(r"[\\`*\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", plain(text))


def block(text: str) -> str:
    """``escape`` of a text that is a paragraph, a heading or an item of a list, or begins one."""
    line = re.sub(r"^([-+=#])(?=\1| |$)", r"\\\1", escape(text))  # a list, heading, rule or underline
    line = re.sub(r"^(\d{1,9})([.)])(?= |$)", r"\1\\\2", line)  # a numbered list
    return re.sub(r"(?<!\\)#$", r"\\#", line)  # the end of a heading


def code(text: str) -> str:
    """A text on one line as code."""
    line = plain(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " * (line.startswith("`") or line.endswith("`"))
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def plain(text: str) -> str:
    """A text on one line, with control characters as escapes."""
    return safe_text(" ".join(text.split())).plain


def bullets(items: Iterable[str]) -> str:
    """A list, one line per item."""
    return "\n".join(f"- {item}" for item in items)


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space
