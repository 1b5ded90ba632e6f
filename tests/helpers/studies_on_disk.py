"""The report of a small study, in its folder."""

from functools import cache
from pathlib import Path

from pairgen.report.documents.bundle import report_files
from pairgen.report.documents.content import Bars, Cloud, Column, Line, Lines, Points, Report, Table
from pairgen.report.documents.number_format import NATS, Spread

STUDY = Report(
    "Losses & <b>",
    "Which loss?",
    {"seeds": "0, 1, 2", "command": "pairgen study x"},
    [
        Table(
            "Results",
            [Column("loss"), Column("chosen", NATS)],
            [["dpo", Spread(-1, -2, 2, 3)], ["ipo", None]],
            ["A note."],
        )
    ],
    [
        Lines("curve", "Chosen", "step", "nats", {"dpo": Line([0, 1, 2], [0, -1.5, -2])}, note="It falls."),
        Points("ches", "CHES", "score", "nats", {"a": Cloud([1, 2], [2, 3])}),
        Bars("accuracy", "Accuracy", "loss", "share", ["dpo", "ipo"], {"arc": [0.25, None]}),
    ],
    ["Chosen falls with dpo."],
    ["Nothing of larger models."],
)


@cache
def study_files() -> dict[str, bytes]:
    return report_files(STUDY)


def write_study(folder: Path) -> Path:
    for name, content in study_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
