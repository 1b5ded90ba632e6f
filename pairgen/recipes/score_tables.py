"""What evaluations say about the stages of a recipe: scores, paired comparisons, and sentences that follow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairgen.evaluate import results_folder
from pairgen.evaluate.outcome import Evaluation
from pairgen.evaluate.paired import Paired, compare
from pairgen.report.documents.content import Cell, Column, Line, Lines, Table
from pairgen.report.documents.number_format import COUNT, SHARE, NumberFormat
from pairgen.report.documents.statements import plural, sentence

LEVEL = 0.05
"""Level of significance, after Holm's correction."""

METRICS = ("acc_norm", "exact_match", "acc")
"""The metric of a task that is shown: the first of these, which are those of the Open LLM Leaderboard; else any."""

STRICT = ("strict-match", "none")
"""How the answer is extracted, the preferred way first."""

PAIRS_METRIC = "acc"
"""The metric of pair datasets: whether chosen is more likely than each rejected completion."""

P_VALUE = NumberFormat(3, positive=True)
DIFFERENCE = NumberFormat(1, signed=True, percent=True)


@dataclass(frozen=True)
class Task:
    """A task as it is shown."""

    name: str
    """Its name in the results; that of a pair dataset is its folder's."""
    shown: str
    is_pairs: bool


@dataclass(frozen=True)
class Evaluated:
    """A model with its evaluation."""

    name: str
    """The training stage that made it, or ``start``."""
    before: str
    """The one that it was trained from; empty for the first."""
    evaluation: Evaluation

    @classmethod
    def read(cls, name: str, before: str, folder: Path) -> "Evaluated":
        """Raises RunFolderError if the results are damaged."""
        return cls(name, before, results_folder.load(folder))

    def scores(self, task: Task) -> dict[tuple[Any, ...], float]:
        """The score of each question of a task, or of all tasks of a group."""
        members = _members(self.evaluation.results, task.name)
        found: dict[tuple[Any, ...], float] = {}
        by_question = self.evaluation.by_question()
        for member in members:
            keys = [(metric, how) for name, metric, how in by_question if name == member]
            if keys:
                metric, how = min(keys, key=lambda key: _rank(key, task.is_pairs))
                scores = by_question[member, metric, how]
                found |= {(member, *question): score for question, score in scores.items()}
        return found

    def metric(self, task: Task) -> str:
        """The metric that ``scores`` has."""
        members = _members(self.evaluation.results, task.name)
        keys = [(metric, how) for name, metric, how in self.evaluation.by_question() if name in members]
        return min(keys, key=lambda key: _rank(key, task.is_pairs))[0] if keys else ""


def _members(results: Mapping[str, Any], task: str) -> list[str]:
    """A task, or those of a group, also of its subgroups."""
    below = (results.get("group_subtasks") or {}).get(task) or []
    return [name for one in below for name in _members(results, one)] or [task]


def _rank(key: tuple[str, str], is_pairs: bool) -> tuple[int, int]:
    metric, how = key
    order = (PAIRS_METRIC,) if is_pairs else METRICS
    return (
        order.index(metric) if metric in order else len(order),
        STRICT.index(how) if how in STRICT else len(STRICT),
    )


@dataclass(frozen=True)
class Comparison:
    """Two models on the questions of a task."""

    task: Task
    metric: str
    a: str
    b: str
    paired: Paired
    p_adjusted: float = 1.0
    """After Holm's correction for all comparisons of the report."""


def comparisons(models: Sequence[Evaluated], tasks: Sequence[Task]) -> list[Comparison]:
    """Every model with the one that it was trained from, models that started from the same one with each other, and the
    last with the first; p-values corrected for all of them (Holm 1979).
    """
    found = []
    for a, b in _compared(models):
        for task in tasks:
            scores_a, scores_b = a.scores(task), b.scores(task)
            common = [question for question in scores_a if question in scores_b]
            if common:
                paired = compare([scores_a[key] for key in common], [scores_b[key] for key in common])
                found.append(Comparison(task, b.metric(task), a.name, b.name, paired))
    adjusted = holm([one.paired.p_value for one in found])
    return [
        Comparison(one.task, one.metric, one.a, one.b, one.paired, p) for one, p in zip(found, adjusted, strict=True)
    ]


def _compared(models: Sequence[Evaluated]) -> Iterator[tuple[Evaluated, Evaluated]]:
    by_name = {model.name: model for model in models}
    yield from ((by_name[model.before], model) for model in models if model.before in by_name)
    for at, model in enumerate(models):
        yield from ((model, other) for other in models[at + 1 :] if model.before and other.before == model.before)
    if len(models) > 2 and models[-1].before != models[0].name:
        yield models[0], models[-1]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method: at most one is below a level by chance, with that
    probability. In the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found, largest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
        found[at] = largest
    return found


# ---------------------------------------------------------------- tables and figures


def scores_table(models: Sequence[Evaluated], tasks: Sequence[Task]) -> Table:
    """A row per model, a column per task."""
    columns = [Column("model"), *(Column(task.shown, SHARE) for task in tasks)]
    rows: list[Sequence[Cell]] = []
    for model in models:
        scores = [list(model.scores(task).values()) for task in tasks]
        rows.append([f"after {model.name}" if model.before else model.name, *map(_mean, scores)])
    counts = [(task, len(models[0].scores(task)), models[0].metric(task)) for task in tasks]
    notes = [
        "Share of questions answered correctly: "
        + ", ".join(f"{task.shown} {metric} of {plural(number, 'question')}" for task, number, metric in counts)
        + "."
    ]
    if any(task.is_pairs for task in tasks):
        notes.append(
            "Tasks that are datasets of the recipe: held-out pairs, or all pairs if none are held out. A pair is "
            "answered correctly if chosen is the likeliest completion."
        )
    return Table("Scores", columns, rows, notes)


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


def scores_figure(models: Sequence[Evaluated], tasks: Sequence[Task]) -> Lines:
    """A line per task over the models."""
    series = {}
    for task in tasks:
        values = [_mean(list(model.scores(task).values())) for model in models]
        series[task.shown] = Line([*range(len(models))], [float("nan") if value is None else value for value in values])
    names = ", ".join(f"{at}: {model.name}" for at, model in enumerate(models))
    return Lines(
        name="scores",
        title="Scores by stage",
        x_label="model after stage",
        y_label="questions answered correctly",
        series=series,
        y_percent=True,
        note=f"{names}.",
    )


def comparisons_table(found: Sequence[Comparison]) -> Table:
    """A row per comparison and task."""
    columns = [
        Column("before"),
        Column("after"),
        Column("task"),
        Column("score before", SHARE),
        Column("score after", SHARE),
        Column("difference", DIFFERENCE),
        Column("95% interval"),
        Column("right only before", COUNT),
        Column("right only after", COUNT),
        Column("p", P_VALUE),
        Column("p, corrected", P_VALUE),
    ]
    rows: list[Sequence[Cell]] = []
    for one in found:
        paired = one.paired
        low, high = map(DIFFERENCE.show, paired.interval)
        rows.append(
            [
                *(one.a, one.b, one.task.shown, paired.mean_a, paired.mean_b, paired.difference, f"{low} to {high}"),
                *(paired.only_a, paired.only_b, paired.p_value, one.p_adjusted),
            ]
        )
    tests = " or ".join(sorted({one.paired.test for one in found}))
    notes = [
        "The two models of each row answered the same questions.",
        f"p: {tests}, two-sided. Corrected: for all comparisons of this table (Holm).",
        "95% interval of the difference: paired bootstrap over questions.",
    ]
    return Table("Models compared, question by question", columns, rows, notes)


def findings(found: Sequence[Comparison]) -> list[str]:
    """The differences that chance does not explain, and how many there are."""
    if not found:
        return []
    shown = [one for one in found if one.p_adjusted < LEVEL]
    texts = [sentence(_difference(one)) for one in shown]
    rest = len(found) - len(shown)
    if rest:
        which = plural(rest, "comparison")
        if shown:
            which = f"The other {which.removeprefix('1 ')}"
        texts.append(
            f"{which} of two models on a task {'show' if rest != 1 else 'shows'} no difference that chance does not "
            f"explain (p at least {LEVEL:g} after Holm's correction)."
        )
    return texts


def _difference(one: Comparison) -> str:
    paired = one.paired
    shown = SHARE.telling_apart(paired.mean_a, paired.mean_b)
    low, high = map(DIFFERENCE.show, paired.interval)
    p = f"p = {one.p_adjusted:.2g} after Holm's correction"
    return (
        f"on {one.task.shown}, the score is {'higher' if paired.difference > 0 else 'lower'} after {one.b} than after "
        f"{one.a}: {shown.show(paired.mean_b)} against {shown.show(paired.mean_a)} of "
        f"{plural(paired.questions, 'question')} (95% interval of the difference: {low} to {high}; {p})"
    )
