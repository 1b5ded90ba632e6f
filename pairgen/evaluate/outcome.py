"""What an evaluation found: scores by task and metric, and the score of every question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pairgen.errors import UsageError, count
from pairgen.evaluate.paired import Paired, compare
from pairgen.progress import Warn


@dataclass(frozen=True)
class Score:
    """One metric of one task."""

    task: str
    metric: str
    """``acc``, ``acc_norm``, ``exact_match``, ..."""
    filter: str
    """How the answer was extracted, such as ``strict-match``; ``none`` for multiple choice."""
    value: float
    stderr: float | None
    """Standard error over questions, as the harness computes it; None if it does not."""
    questions: int
    shots: int


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of one model."""

    model: str
    results: dict[str, Any] = field(repr=False)
    """As lm-evaluation-harness returns and saves them, without the samples."""
    samples: dict[str, list[dict[str, Any]]] = field(repr=False)
    """By task: what the harness logs of each question, once for each filter."""

    @property
    def seconds(self) -> dict[str, float]:
        """How long the model took to score choices and to generate answers; empty for results of the harness alone."""
        return dict(self.results.get("config", {}).get("seconds", {}))

    @property
    def scores(self) -> list[Score]:
        """All metrics in the order of the harness, those of groups first."""
        groups = self.results.get("groups") or {}
        tasks = {name: values for name, values in self.results["results"].items() if name not in groups}
        return [score for metrics in (groups, tasks) for name in metrics for score in self._scores(name, metrics[name])]

    def _scores(self, task: str, values: Mapping[str, Any]) -> Iterator[Score]:
        for key, value in values.items():  # such as "acc,none" and "acc_stderr,none"
            metric, comma, name = key.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, (int, float)):
                continue
            stderr = values.get(f"{metric}_stderr,{name}")
            yield Score(
                task=task,
                metric=metric,
                filter=name,
                value=float(value),
                stderr=float(stderr) if isinstance(stderr, (int, float)) else None,
                questions=self._questions(task),
                shots=int((self.results.get("n-shot") or {}).get(task) or 0),
            )

    def _questions(self, task: str) -> int:
        counts = self.results.get("n-samples") or {}
        if task in counts:
            return int(counts[task]["effective"])
        members = (self.results.get("group_subtasks") or {}).get(task, [])
        return sum(self._questions(member) for member in members)

    def by_question(self) -> dict[tuple[str, str, str], dict[tuple[int, str], float]]:
        """For each task, metric and filter: the score of each question, by its number and the hash of its row."""
        found: dict[tuple[str, str, str], dict[tuple[int, str], float]] = {}
        for task, samples in self.samples.items():
            for sample in samples:
                question = (int(sample["doc_id"]), str(sample["doc_hash"]))
                for metric in sample["metrics"]:
                    value = sample.get(metric)
                    if isinstance(value, (int, float)):
                        found.setdefault((task, metric, str(sample["filter"])), {})[question] = float(value)
        return found

    def prompts(self, task: str) -> dict[int, str]:
        """The hash of the prompt of each question of a task."""
        return {int(sample["doc_id"]): str(sample["prompt_hash"]) for sample in self.samples[task]}


@dataclass(frozen=True)
class Difference:
    """A metric of two models on the same questions."""

    task: str
    metric: str
    filter: str
    paired: Paired


def differences(a: Evaluation, b: Evaluation, warn: Warn, seed: int = 0) -> list[Difference]:
    """Compare two models question by question, for every task and metric that both have.

    Args:
        warn: called if questions are left out, or if the models had different prompts.
        seed: of the bootstrap.

    Raises:
        UsageError: they have no question in common.
    """
    scores_a, scores_b = a.by_question(), b.by_question()
    found: list[Difference] = []
    for key in scores_a:
        task, metric, name = key
        common = [question for question in scores_a[key] if question in scores_b.get(key, {})]
        if not common:
            continue
        left_out = max(len(scores_a[key]), len(scores_b[key])) - len(common)
        if left_out and not any(one.task == task for one in found):
            warn(
                f"{task}: compared on the {count(len(common), 'question')} that both models answered; "
                f"{left_out:,} left out"
            )
        values_a, values_b = ([scores[key][question] for question in common] for scores in (scores_a, scores_b))
        found.append(Difference(task, metric, name, compare(values_a, values_b, seed)))
    if not found:
        raise UsageError(
            f"{a.model} and {b.model} have no question of a task in common; evaluate both with the same --tasks and "
            "--source"
        )
    for task in dict.fromkeys(one.task for one in found):
        prompts, others = a.prompts(task), b.prompts(task)
        if any(prompt != others.get(number, prompt) for number, prompt in prompts.items()):
            warn(
                f"{task}: the two models had different prompts (shots, seed or chat template); so differences are not "
                "of the weights alone"
            )
    return found


def table(rows: Sequence[Score] | Sequence[Difference]) -> list[dict[str, Any]]:
    """Scores or differences as plain dictionaries, for JSON and data frames."""
    return [
        {"task": row.task, "metric": row.metric, "filter": row.filter}
        | (
            {"value": row.value, "stderr": row.stderr, "questions": row.questions, "shots": row.shots}
            if isinstance(row, Score)
            else {
                "a": row.paired.mean_a,
                "b": row.paired.mean_b,
                "difference": row.paired.difference,
                "low": row.paired.interval[0],
                "high": row.paired.interval[1],
                "only_a": row.paired.only_a,
                "only_b": row.paired.only_b,
                "p_value": row.paired.p_value,
                "test": row.paired.test,
                "questions": row.paired.questions,
            }
        )
        for row in rows
    ]
