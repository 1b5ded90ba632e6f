"""Scores and comparisons of the stages of a recipe: which models are compared, on what, and what may be said of it."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.evaluate.outcome import Evaluation
from pairgen.recipes.score_tables import (
    Evaluated,
    Task,
    comparisons,
    comparisons_table,
    findings,
    holm,
    scores_figure,
    scores_table,
)

ARC, PAIRS, GROUP = Task("arc_challenge", "arc", False), Task("wrong", "wrong", True), Task("mmlu", "mmlu", False)


def samples(scores: str, **more: str) -> list[dict[str, Any]]:
    """A question for each character: 1 if it was answered correctly."""
    metrics = {"acc": scores, **more}
    return [
        {
            "doc_id": number,
            "doc_hash": f"h{number}",
            "filter": "none",
            "metrics": list(metrics),
            **{name: float(text[number]) for name, text in metrics.items()},
        }
        for number in range(len(scores))
    ]


def model(name: str, before: str, **by_task: Any) -> Evaluated:
    results = {"group_subtasks": {"mmlu": ["law", "science"], "science": ["physics"], "arc_challenge": []}}
    return Evaluated(name, before, Evaluation(name, results, by_task))


def test_the_metric_of_a_task_is_that_of_the_leaderboard_and_of_pairs_the_accuracy() -> None:
    one = model("a", "", arc_challenge=samples("1100", acc_norm="1000"), wrong=samples("1110", acc_norm="0000"))
    assert (one.metric(ARC), sum(one.scores(ARC).values())) == ("acc_norm", 1)
    assert (one.metric(PAIRS), sum(one.scores(PAIRS).values())) == ("acc", 3)


def test_a_group_is_all_questions_of_its_tasks() -> None:
    one = model("a", "", law=samples("110"), physics=samples("0001"))
    assert len(one.scores(GROUP)) == 7
    assert sum(one.scores(GROUP).values()) == 3
    assert one.metric(GROUP) == "acc"


def test_the_strict_way_of_extracting_an_answer_counts() -> None:
    strict, flexible = samples("10"), samples("11")
    for found, how in ((strict, "strict-match"), (flexible, "flexible-extract")):
        for sample in found:
            sample["filter"] = how
    one = model("a", "", gsm8k=[*flexible, *strict])
    assert sum(one.scores(Task("gsm8k", "gsm8k", False)).values()) == 1


def test_each_model_is_compared_with_the_one_before_its_siblings_and_the_first() -> None:
    chain = [model("start", ""), model("a", "start"), model("b", "a")]
    for one in chain:
        one.evaluation.samples["arc_challenge"] = samples("1100")
    assert [(one.a, one.b) for one in comparisons(chain, [ARC])] == [("start", "a"), ("a", "b"), ("start", "b")]
    both = [model("start", ""), model("a", "start"), model("b", "start")]
    for one in both:
        one.evaluation.samples["arc_challenge"] = samples("1100")
    assert [(one.a, one.b) for one in comparisons(both, [ARC])] == [("start", "a"), ("start", "b"), ("a", "b")]


def test_a_difference_is_claimed_if_it_survives_the_correction() -> None:
    before, after = "0" * 40, "1" * 20 + "0" * 20
    models = [
        model("start", "", arc_challenge=samples(before), wrong=samples(before)),
        model("a", "start", arc_challenge=samples(after), wrong=samples("1" + before[1:])),
    ]
    found = comparisons(models, [ARC, PAIRS])
    assert [one.p_adjusted for one in found] == holm([one.paired.p_value for one in found])
    claimed, rest = findings(found)
    assert claimed.startswith(
        "On arc, the score is higher after a than after start: 50.0% against 0.0% of 40 questions"
    )
    assert rest == (
        "The other comparison of two models on a task shows no difference that chance does not explain "
        "(p at least 0.05 after Holm's correction)."
    )
    assert findings([]) == []
    table = comparisons_table(found)
    assert table.texts()[0][:7] == ["start", "a", "arc", "0.0%", "50.0%", "+50.0%", table.texts()[0][6]]
    assert table.texts()[0][7:11] == ["0", "20", "<0.001", "<0.001"]
    scores = scores_table(models, [ARC, PAIRS])
    assert scores.texts() == [["start", "0.0%", "0.0%"], ["after a", "50.0%", "2.5%"]]
    assert [*scores_figure(models, [ARC, PAIRS]).series["arc"].y] == [0.0, 0.5]


def test_a_task_that_only_one_model_has_is_not_compared() -> None:
    models = [model("start", "", arc_challenge=samples("10")), model("a", "start", wrong=samples("10"))]
    assert comparisons(models, [ARC, PAIRS]) == []
    assert scores_table(models, [ARC, PAIRS]).texts()[0] == ["start", "50.0%", "-"]


@given(st.lists(st.floats(0, 1), max_size=7))
def test_corrected_p_values_are_those_of_closed_testing(p_values: list[float]) -> None:
    """Holm's method is a shortcut: a hypothesis is rejected if every set that contains it is, by Bonferroni's rule."""
    for at, corrected in enumerate(holm(p_values)):
        others = [p for other, p in enumerate(p_values) if other != at]
        sets = (subset for size in range(len(others) + 1) for subset in combinations(others, size))
        slow = max(min(1.0, (len(subset) + 1) * min(p_values[at], *subset, 1.0)) for subset in sets)
        assert corrected == pytest.approx(slow)
