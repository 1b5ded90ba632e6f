"""The law of audit: rejected of a verified pair is flagged where it is wrong, and chosen is not; and its recall."""

from collections import Counter
from pathlib import Path

import pytest
from bench.bench_audit import INJECTED, flagged, injected_errors, kind_at, law, rows_of

from pairgen.arithmetic.claims.findings import FALSE, TRUNCATED
from pairgen.arithmetic.errors.carry import CARRY
from pairgen.builders import CORRUPTIONS
from pairgen.builders.interface import CorruptionOptions
from pairgen.sources import sample

OPTIONS = [CorruptionOptions(method, 2) for method in CORRUPTIONS] + [
    CorruptionOptions("near", 1, carry) for carry in CARRY[1:]
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: f"{options.method}-{options.carry}")
@pytest.mark.parametrize("builder", ["metamath", "gsm8k", "solutions"])
def test_law_on_sample_rows(builder: str, options: CorruptionOptions) -> None:
    dataset = "metamath" if builder == "solutions" else builder
    rows = [sample.row(dataset, "train", index) for index in range(60)]
    if builder == "solutions":
        rows = [{"question": row["query"], "solution": row["response"]} for row in rows]
    pairs, broken = law(rows, builder, options)
    assert pairs > 20
    assert not [one for one in broken if one.reason.startswith(("chosen", "result"))]
    assert len(broken) <= 0.2 * pairs  # coefficients of unknowns


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: f"{options.method}-{options.carry}")
def test_law_on_real_rows(options: CorruptionOptions, real_data: Path) -> None:
    pairs, broken = law(rows_of(real_data / "metamath/GSM_AnsAug.json"), "metamath", options)
    reasons = Counter(one.reason for one in broken)
    print(f"{pairs} pairs, of which the law does not hold for {len(broken)}: {dict(reasons)}")
    assert len(broken) <= 0.02 * pairs


@pytest.mark.slow
@pytest.mark.parametrize("title", INJECTED)
def test_recall_on_injected_errors(title: str, real_data: Path) -> None:
    kinds = Counter(map(kind_at, injected_errors(real_data, title)))
    assert kinds[FALSE] + kinds[TRUNCATED] >= 0.95 * kinds.total()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most"),
    [("gsm8k/train.jsonl", 40), ("metamath/GSM_AnsAug.json", 4), ("metamath/MATH_solutions.jsonl", 10)],
)
def test_few_real_results_are_flagged(name: str, most: int, real_data: Path) -> None:
    """Nearly all of them are right, and nearly all that are flagged are mistakes of their authors."""
    assert sum(finding.kind == FALSE for _, finding in flagged(rows_of(real_data / name))) <= most
