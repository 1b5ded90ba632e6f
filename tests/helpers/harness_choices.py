"""lm-evaluation-harness on questions of our own: the slow twin of scoring choices through token trees."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairgen.evaluate.choices import Question, Scored

TASK = "made_up"


def harness_lm(model: Any, tokenizer: Any, batch_size: int = 1, **options: Any) -> Any:
    """The harness's own class for models of transformers."""
    from lm_eval.models.huggingface import HFLM

    logging.disable(logging.WARNING)
    try:
        return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, **options)
    finally:
        logging.disable(logging.NOTSET)


def instances(questions: Sequence[Question]) -> list[Any]:
    """The requests that a task of the harness makes of questions."""
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type="loglikelihood", doc={}, arguments=request, idx=idx, metadata=(TASK, number, 1))
        for number, question in enumerate(questions)
        for idx, request in enumerate(question.requests)
    ]


def harness_likelihoods(lm: Any, questions: Sequence[Question]) -> list[list[tuple[float, bool]]]:
    """The log-probs of the choices of each question as the harness computes them."""
    answers = iter(lm.loglikelihood(instances(questions), disable_tqdm=True))
    return [[next(answers) for _ in question.choices] for question in questions]


def harness_predictions(likelihoods: Sequence[tuple[float, bool]], question: Question) -> tuple[int, int]:
    """The predictions as ``ConfigurableTask.process_results`` of the harness finds them."""
    logps, _ = zip(*likelihoods, strict=True)
    lengths = np.array([float(len(choice)) for choice in question.choices])
    with np.errstate(divide="ignore", invalid="ignore"):
        return int(np.argmax(logps)), int(np.argmax(logps / lengths))


def run_task(lm: Any, questions: Sequence[Question], folder: Path) -> dict[str, Any]:
    """Results and samples of a complete run of the harness, with a task that has these questions."""
    import datasets
    import lm_eval
    import yaml
    from lm_eval.tasks import TaskManager

    rows = [
        {"context": question.context, "choices": list(question.choices), "gold": question.answer}
        for question in questions
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    definition = {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "context",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "target_delimiter": questions[0].delimiter,
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
        ],
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(definition), "utf-8")
    manager = TaskManager(include_defaults=False, include_path=str(folder))
    datasets.disable_progress_bars()
    found: dict[str, Any] = lm_eval.simple_evaluate(model=lm, tasks=[TASK], task_manager=manager)
    return found


def assert_equal(scored: Sequence[Scored], lm: Any, questions: Sequence[Question]) -> None:
    """The same predictions for every question, and the same log-probs up to rounding."""
    for number, (ours, theirs) in enumerate(zip(scored, harness_likelihoods(lm, questions), strict=True)):
        question = questions[number]
        logps = [logp for logp, _ in theirs]
        assert np.allclose(ours.logps, logps, atol=1e-4, rtol=1e-5), (question, ours.logps, logps)
        assert ours.greedy == tuple(greedy for _, greedy in theirs), question
        predictions = harness_predictions(theirs, question)
        assert (ours.prediction, ours.prediction_norm) == predictions, (question, ours, theirs)
        assert (ours.acc, ours.acc_norm) == tuple(float(one == question.answer) for one in predictions)
