"""Reports on disk: whole or not at all."""

from pathlib import Path

import pytest

from pairgen.errors import OutputExists
from pairgen.report.documents import report_folder
from pairgen.report.documents.content import Bars, Report
from pairgen.report.documents.report_folder import write_report

FIGURE = Bars("accuracy", "Accuracy", "loss", "share", ["dpo"], {"arc": [0.5]})
REPORT = Report("A report", "Why?", {}, figures=[FIGURE])


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_write_report(tmp_path: Path) -> None:
    files = write_report(REPORT, tmp_path / "new" / "report")
    names = {"report.md", "report.json", "figures/accuracy.svg", "figures/accuracy.png"}
    assert contents(tmp_path / "new" / "report") == names
    assert files[0] == tmp_path / "new" / "report" / "report.md"
    assert all(file.is_file() for file in files)
    assert len(files) == 4


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    write_report(REPORT, tmp_path / "report")
    write_report(Report("Another", "Why?", {}), tmp_path / "report")
    assert contents(tmp_path) == {"report/report.md", "report/report.json"}
    assert "Another" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_an_error_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(REPORT, tmp_path / "report")
    before = (tmp_path / "report" / "report.md").read_bytes()
    monkeypatch.setattr(report_folder, "report_files", lambda _: {"report.md": b"half", "report.json": None})
    with pytest.raises(TypeError):
        write_report(Report("Another", "Why?", {}), tmp_path / "report")
    assert (tmp_path / "report" / "report.md").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_other_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", "utf-8")
    with pytest.raises(OutputExists, match=r"such as thesis\.tex; choose another folder"):
        write_report(REPORT, tmp_path)
    assert contents(tmp_path) == {"thesis.tex"}
    for path in (tmp_path / "thesis.tex", tmp_path / "link"):
        if path.name == "link":
            path.symlink_to(tmp_path, target_is_directory=True)
        with pytest.raises(OutputExists, match="a file or a symbolic link"):
            write_report(REPORT, path)
