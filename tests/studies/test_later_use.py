"""What the study of the later use of a number measures and says, from log-probs made up for the purpose."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairgen.report.documents.number_format import Spread
from pairgen.run_folder import PAIRS
from pairgen.run_folder.measured import SCORED, Measured
from pairgen.studies.later_use.margins import PARTS, accuracy, first_difference, inside, margins, mean_margin
from pairgen.studies.later_use.used_again import enough, verdicts
from pairgen.studies.running.plan import Variant
from pairgen.studies.running.workspace import Finished

START = 2
"""The first token that differs."""


def table(kept: Sequence[float], carried: Sequence[float], wavering: bool = False) -> pa.Table:
    """Pairs of both kinds, ten each, and one training pair that must not count.

    ``kept`` and ``carried`` are the log-probs of rejected at the first wrong token and after it; those of chosen are 0.
    If it is wavering, every other pair has the opposite at the first token.
    """

    def row(pair_id: str, split: str, wrong: Sequence[float]) -> dict[str, object]:
        first = -wrong[0] if wavering and pair_id[0] in "02468" else wrong[0]
        return {
            "split": split,
            "pair_id": pair_id,
            "chosen": [-1.0, -1.0, 0.0, 0.0, 0.0],
            "rejected": [-1.0, -1.0, first, wrong[1] / 2, wrong[1] / 2],
            "edit_start": START,
            "chosen_edit_stop": 3,
            "rejected_edit_stop": 3,
        }

    rows = [
        row(f"{at}-{kind}", "eval", wrong) for at in range(10) for kind, wrong in (("kept", kept), ("carried", carried))
    ]
    return pa.Table.from_pylist([row("a-kept", "train", [9.0, 9.0]), *rows], SCORED)


def runs(folder: Path, *policies: pa.Table) -> list[Finished]:
    """A run per policy, with a reference that prefers the right number in every other pair."""
    found = []
    pq.write_table(table([-0.5, 0.0], [-0.5, 0.0], wavering=True), folder / "reference.parquet")
    for seed, policy in enumerate(policies):
        (folder / f"{seed}").mkdir()
        pq.write_table(policy, folder / f"{seed}" / PAIRS)
        found.append(Finished(Variant("dpo", {}), seed, 1e-4, folder / f"{seed}", folder / "reference.parquet"))
    return found


def test_margins_are_those_of_held_out_pairs_of_a_kind() -> None:
    measured = Measured(table([-3.0, -4.0], [-1.0, 2.0]), table([-1.0, -1.0], [0.0, 0.0]))
    assert margins(measured, "kept", "first").tolist() == [3.0] * 10
    assert margins(measured, "kept", "rest").tolist() == [4.0] * 10
    assert margins(measured, "kept", "whole").tolist() == [7.0] * 10
    assert margins(measured, "carried", "whole", "change").tolist() == [-1.0] * 10
    assert margins(measured, "kept", "rest", "change").tolist() == [3.0] * 10
    for kind in ("kept", "carried"):
        parts = {part: margins(measured, kind, part, "change") for part in PARTS}
        np.testing.assert_allclose(parts["first"] + parts["rest"], parts["whole"])


def test_the_first_token_that_differs_may_come_after_the_edit_begins() -> None:
    """As in 192 and 172, whose first digits are one token; rounding is no difference."""
    chosen, rejected = np.array([-1.0, -2.0, -3.0, -0.5, -4.0]), np.array([-1.0, -2.0 + 1e-6, -3.0, -1.5])
    assert first_difference(chosen, rejected) == 3
    assert first_difference(chosen, chosen[:4]) == 4
    assert [inside(chosen, 3, part).tolist() for part in PARTS] == [chosen.tolist(), [-0.5], [-4.0]]


def test_accuracies_are_shares_of_positive_margins(tmp_path: Path) -> None:
    found = runs(tmp_path, table([-1.0, 3.0], [-1.0, 3.0]), table([1.0, -3.0], [1.0, -3.0]))
    assert accuracy(found, "kept", "first") == Spread(0.5, 0.0, 1.0, 2)
    assert accuracy(found, "kept", "first", "reference") == Spread(0.5, 0.5, 0.5, 2)
    assert mean_margin(found, "carried", "rest", "change") == Spread(0.0, -3.0, 3.0, 2)


LOOKS = "taught to prefer what follows from a number, and is not shown to have taught to calculate it"


@pytest.mark.parametrize(
    ("kept", "wavering", "looks"),
    [([-0.5, -1.0], True, True), ([-0.5, -1.0], False, False), ([-0.5, 1.0], True, False), ([-3.0, -1.0], True, True)],
)
def test_the_verdict_depends_on_where_the_margin_is(
    tmp_path: Path, kept: list[float], wavering: bool, looks: bool
) -> None:
    found = runs(tmp_path, *[table(kept, [-0.5, 1.0], wavering)] * 2)
    said = verdicts(found, "dpo", "kept")
    assert (LOOKS in said[-1]) == looks
    better = "the accuracy by log-ratios is higher with kept pairs than with carried pairs"
    assert (better in said[0]) == (kept[1] < 0)
    assert ("is higher with training than with the starting model" in " ".join(said)) == (not wavering)


def test_the_sample_is_read_twice_as_far() -> None:
    assert enough("sample:800") == "sample:1600"
    assert enough("rows.json") == "rows.json"
    assert enough("") == ""
