"""Datasets of each kind of error: valid, described, exported, and the same for every run."""

from pathlib import Path

import pytest

from pairgen.arithmetic.errors.kinds import ERRORS, MIXED, RESULT
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import UsageError
from pairgen.exchange.exports.steps import wrong_step
from pairgen.pairs.validate import violations

ROWS = ("train=sample:200",)


@pytest.mark.parametrize("carry", ["none", "answer"])
@pytest.mark.parametrize("error", ERRORS)
def test_builds_are_valid_and_name_the_error(error: str, carry: str, tmp_path: Path) -> None:
    pairs = build("gsm8k", tmp_path / "out", BuildOptions(ROWS, error=error, carry=carry, pairs_per_row=3))
    rows = list(pairs)
    assert violations(pairs) == []
    assert {row["error"] for row in rows} <= (set(ERRORS) - {MIXED} if error == MIXED else {error})
    assert len(rows) > (0 if error == "swap" else 10)
    for row in rows:
        assert (row["error"] == RESULT) or row["check"] == "verified"
        step = wrong_step(row)
        assert step.right != step.wrong
        assert row["chosen"].startswith("".join(step.before) + step.right)
        assert row["rejected"].startswith("".join(step.before) + step.wrong)
    splits = pairs.manifest["splits"]["train"]
    assert splits["rows"] == 200
    assert sum(splits["drops"].values()) == 200 - len({row["group_id"] for row in rows})


def test_the_manifest_and_the_card_say_what_was_done(tmp_path: Path) -> None:
    pairs = build("metamath", tmp_path / "out", BuildOptions(ROWS, error="omit", carry="answer"))
    assert pairs.manifest["options"]["error"] == "omit"
    assert "--error omit" in pairs.manifest["command"]
    assert "a term left out" in pairs.manifest["description"]
    assert "unchanged" not in pairs.manifest["description"]
    assert "a term left out" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_a_built_result_is_what_it_was_without_the_option(tmp_path: Path) -> None:
    one, other = (
        build("gsm8k", tmp_path / name, BuildOptions(ROWS, **options))  # type: ignore[arg-type]
        for name, options in (("one", {}), ("other", {"error": RESULT}))
    )
    assert list(one) == list(other)
    assert "error" not in one.manifest["options"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"error": "swaps"}, "--error must be one of result, operator, swap, omit, operand, mixed, got 'swaps'"),
        (
            {"error": "swap", "corruption": "digit"},
            "--corruption digit is about wrong results, which --error swap does",
        ),
    ],
)
def test_options_that_do_not_fit(options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        BuildOptions(ROWS, **options)  # type: ignore[arg-type]


def test_choices_have_no_kind_of_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--error.* do not apply to arc"):
        build("arc", tmp_path / "out", BuildOptions(ROWS, error="swap"))
    pairs = build("arc", tmp_path / "out", BuildOptions(ROWS))
    assert {row["error"] for row in pairs} == {None}


def test_a_kind_added_from_outside_can_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pairgen.arithmetic.errors.kinds import ErrorKind, omit

    monkeypatch.setitem(ERRORS, "own", ErrorKind("an error of one's own", omit))
    pairs = build("gsm8k", tmp_path / "out", BuildOptions(ROWS, error="own"))
    assert {row["error"] for row in pairs} == {"own"}
    assert violations(pairs) == []
