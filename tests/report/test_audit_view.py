"""The view of an audit: the worst findings first, in any terminal."""

from typing import Any

from pairgen.report.audit_view import audit_view, worst_first
from tests.helpers.console import render


def finding(row: int, text: str, value: str, kind: str = "false") -> dict[str, Any]:
    return {
        "split": "train",
        "row": row,
        "column": "solution",
        "step": 2,
        "text": text,
        "expression": "3 * 4",
        "value": value,
        "kind": kind,
        "context": ("so\n3 * 4 = ", " \x1b[31mpens"),
    }


def test_solutions_with_most_errors_come_first_then_the_largest_errors() -> None:
    found = [
        finding(1, "13", "12"),
        finding(2, "1,200", "12"),
        finding(3, "14", "12"),
        finding(3, "15", "12"),
        finding(4, "99", "12", "truncated"),
        finding(5, "1/2", "12"),
    ]
    assert [one["text"] for one in worst_first(found)] == ["15", "14", "1,200", "1/2", "13"]


def test_examples_are_on_one_line_without_control_characters() -> None:
    table = [{"source": "a" * 90, "column": "solution", "solutions": 1000, "false": 1, "truncated": 2, "doubtful": 3}]
    for width in (40, 80, 200):
        shown = render(audit_view({"rows": 1001, "unreadable": 1, "table": table}, [finding(1, "13", "12")], 5), width)
        assert "\x1b" not in shown
        assert "1,000" in shown
    assert r"train row 1, solution, step 2: so 3 * 4 = [13] \x1b[31mpens  (3 * 4 is 12)" in shown
    assert "skipped 1 row of 1,001" in shown
