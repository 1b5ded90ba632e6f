"""What the study of the later use of a number measures and says, from log-probs made up for the purpose."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairgen.report.documents.number_format import Spread
from pairgen.studies.later_use.margins import PARTS, accuracy, margins, mean_margin
from pairgen.studies.later_use.used_again import enough, verdicts
from pairgen.studies.running.measure import SCORED, Measured
from pairgen.studies.running.plan import Variant
from pairgen.studies.running.workspace import PAIRS, Finished

START = 2
"""The first token that differs."""


def table(kept: Sequence[float], carried: Sequence[float], right: float = 0.0) -> pa.Table:
    """Pairs of both kinds, ten each, and one training pair that must not count.

    ``kept`` and ``carried`` are the log-probs of rejected at the first wrong token and after it; those of chosen are
    ``right``.
    """

    def row(pair_id: str, split: str, wrong: Sequence[float]) -> dict[str, object]:
        return {
            "split": split,
            "pair_id": pair_id,
            "chosen": [-1.0, -1.0, right, right / 2, right / 2],
            "rejected": [-1.0, -1.0, wrong[0], wrong[1] / 2, wrong[1] / 2],
            "edit_start": START,
            "chosen_edit_stop": 3,
            "rejected_edit_stop": 3,
        }

    rows = [
        row(f"{at}-{kind}", "eval", wrong) for at in range(10) for kind, wrong in (("kept", kept), ("carried", carried))
    ]
    return pa.Table.from_pylist([row("a-kept", "train", [9.0, 9.0]), *rows], SCORED)


def runs(folder: Path, *policies: pa.Table) -> list[Finished]:
    """A run per policy, each with a reference that prefers neither completion."""
    found = []
    pq.write_table(table([0.0, 0.0], [0.0, 0.0]), folder / "reference.parquet")
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


def test_accuracies_are_shares_of_positive_margins(tmp_path: Path) -> None:
    found = runs(tmp_path, table([-1.0, 3.0], [-1.0, 3.0]), table([1.0, -3.0], [1.0, -3.0]))
    assert accuracy(found, "kept", "first") == Spread(0.5, 0.0, 1.0, 2)
    assert accuracy(found, "kept", "whole", "reference") == Spread(0.0, 0.0, 0.0, 2)
    assert mean_margin(found, "carried", "rest", "change") == Spread(0.0, -3.0, 3.0, 2)


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ([-1.0, -1.0], "tells right from wrong more often than chance"),
        ([0.0, -1.0], "only what follows the first wrong token tells right from wrong"),
        ([0.0, 1.0], "neither the first wrong token nor what follows it is shown to tell right from wrong"),
    ],
)
def test_the_verdict_depends_on_where_the_margin_is(tmp_path: Path, kept: list[float], text: str) -> None:
    found = runs(tmp_path, *[table(kept, [0.0, 1.0])] * 2)
    said = verdicts(found, "dpo", "kept")
    assert text in said[-1]
    better = "the accuracy by log-ratios is higher with kept pairs than with carried pairs"
    assert (better in said[0]) == (kept[1] < 0)


def test_the_sample_is_read_twice_as_far() -> None:
    assert enough("sample:800") == "sample:1600"
    assert enough("rows.json") == "rows.json"
    assert enough("") == ""
