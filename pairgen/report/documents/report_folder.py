"""Writing the folder of a report: ``report.md``, ``report.json`` and the figures."""

from pathlib import Path

from pairgen.atomic import new_folder
from pairgen.errors import OutputExists
from pairgen.report.documents.bundle import report_files
from pairgen.report.documents.content import Report
from pairgen.report.documents.markdown import FOLDER

CONTENT = {"report.md", "report.json", FOLDER}


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write a report to a folder of its own, whole or not at all. Returns its files, ``report.md`` first.

    An earlier report there is replaced. Without matplotlib there are no figures; see ``bundle.undrawn``.

    Raises:
        OutputExists: ``folder`` is a file or has other files than those of a report.
        OutputError: the disk is full, or the folder cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputExists(f"{folder}: is a file or a symbolic link; choose another folder for the report")
    if folder.exists() and (others := {path.name for path in folder.iterdir()} - CONTENT):
        raise OutputExists(
            f"{folder}: contains files that are not of a report, such as {min(others)}; choose another folder"
        )
    files = report_files(report)
    with new_folder(folder) as new:
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
    return [folder / name for name in files]
