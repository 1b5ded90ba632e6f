"""What the page says about a study: its report, with tables and figures."""

from pathlib import Path

from pairgen.errors import InvalidReport
from pairgen.report.documents.saved import read_report
from pairgen.report.pages.html.frame import Part, Section
from pairgen.report.pages.html.markup import Html, bullets, code, facts, join, paragraphs
from pairgen.report.pages.html.tabular import figure_view, table_view


def study_part(folder: Path, prefix: str) -> Part:
    """A study.

    Args:
        prefix: distinguishes the ids of its figures from those of other parts.

    Raises:
        InvalidReport: the folder is damaged, or one of its drawings is.
    """
    saved = read_report(folder)
    report = saved.report
    figures: list[Html] = []
    for figure in report.figures:
        try:
            figures.append(figure_view(figure, f"{prefix}-{figure.name}", saved.drawings.get(figure.name)))
        except ValueError as error:
            raise InvalidReport(f"{folder}: the drawing of {figure.name} cannot be shown: {error}") from error
    undrawn = len(report.figures) - len(saved.drawings)
    note = "Figures without a drawing were made where matplotlib is not installed." if undrawn else ""
    bodies = {
        "What was shown": bullets(report.findings) or paragraphs("Nothing."),
        "What was not shown": bullets(report.not_shown),
        "Tables": join(table_view(table) for table in report.tables),
        "Figures": join([paragraphs(note, class_="note"), *figures]),
        "Setting": facts(
            (name, code(value) if "command" in name.lower() else value) for name, value in report.setting.items()
        ),
    }
    sections = [Section(title, body) for title, body in bodies.items() if body]
    return Part(report.kind, report.title, paragraphs(report.question), sections)
