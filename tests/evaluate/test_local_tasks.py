"""Local rows: found, checked, and given to the harness so that its prompts are the same as with the Hub's rows."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.errors import SourceError, UsageError
from pairgen.evaluate.options import EvaluationOptions
from pairgen.evaluate.tasks import TASKS, local_rows, read_arc, rows_of

ARC = [
    {
        "id": f"q{number}",
        "question": f"Which of these floats, number {number}?",
        "choices": {"text": ["a stone", "a  cork", f"{number} coins"], "label": labels},
        "answerKey": labels[number % 3],
    }
    for number, labels in enumerate([["A", "B", "C"], ["1", "2", "3"], ["A", "B", "C"], ["A", "B", "C"]] * 3)
]
HELLASWAG = [
    {
        "ind": number,
        "activity_label": "Baking bread",
        "ctx_a": f"[header] How to bake  loaf {number} [title] Knead.",
        "ctx_b": "the baker" if number % 2 else "",
        "endings": [f"{verb} loaf {number}. [substeps] Wait." for verb in ("paints", "heats", " sings to", "buries ")],
        "label": str(number % 4),
    }
    for number in range(9)
]
GSM8K = [
    {
        "question": f"Ann has {number} jars and buys 3. How many now?",
        "answer": f"{number} + 3 = <<{number}+3={number + 3}>>{number + 3}\n#### {number + 3}",
    }
    for number in range(12)
]
HUB = {"arc": ARC, "hellaswag": HELLASWAG, "gsm8k": GSM8K}


def ai2(row: dict[str, Any]) -> dict[str, Any]:
    """An ARC row in AI2's own layout."""
    choices = [{"text": text, "label": label} for text, label in zip(*row["choices"].values(), strict=True)]
    return {"id": row["id"], "question": {"stem": row["question"], "choices": choices}, "answerKey": row["answerKey"]}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


# ---------------------------------------------------------------- rows


labels = st.lists(st.text("ABCDE12345", min_size=1, max_size=2), min_size=2, max_size=5, unique=True)


@given(labels, st.text(min_size=1).filter(str.strip), st.data())
def test_both_layouts_of_arc_are_the_same_row(labels: list[str], question: str, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text(min_size=1).filter(str.strip), min_size=len(labels), max_size=len(labels)))
    row = {
        "id": "x",
        "question": question,
        "choices": {"text": texts, "label": labels},
        "answerKey": data.draw(st.sampled_from(labels)),
    }
    assert read_arc(row) == row  # no character is changed
    assert read_arc(ai2(row)) == row


@pytest.mark.parametrize(
    ("task", "change", "words"),
    [
        ("arc", {"answerKey": "Z"}, "line 2: answerKey matches no choice; arc cannot score the row: fix or remove it"),
        ("arc", {"answerKey": None}, "line 2: answerKey matches no choice"),
        ("arc", {"choices": {"text": ["a", "b"], "label": ["A", "A"]}, "answerKey": "A"}, "matches several choices"),
        ("arc", {"choices": "?"}, "line 2: malformed choices"),
        ("hellaswag", {"label": ""}, "line 2: label is not the index of an ending"),
        ("hellaswag", {"label": 4}, "line 2: label is not the index of an ending"),
        ("hellaswag", {"endings": ["a", None, "c", "d"]}, "line 2: an ending is not a text"),
        ("gsm8k", {"answer": "It is 4."}, "line 2: answer has no result after ####"),
        ("gsm8k", {"question": ""}, "line 2: question is empty"),
    ],
)
def test_a_row_that_cannot_be_scored_is_an_error(task: str, change: dict[str, Any], words: str, tmp_path: Path) -> None:
    rows = [dict(row) for row in HUB[task][:3]]
    rows[1] |= change
    found = local_rows([str(write(tmp_path / "rows.jsonl", rows))], [task])[task]
    with pytest.raises(SourceError, match=words):
        list(rows_of(task, found.questions))


def test_a_damaged_or_incomplete_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(GSM8K[0]) + '\n{"question": "x"}\n', "utf-8")
    with pytest.raises(SourceError, match="line 2: has no answer; fix or remove the row"):
        list(rows_of("gsm8k", local_rows([str(tmp_path / "rows.jsonl")], ["gsm8k"])["gsm8k"].questions))
    (tmp_path / "rows.jsonl").write_text(json.dumps(GSM8K[0]) + "\n{]\n", "utf-8")
    with pytest.raises(SourceError, match=r"line 2: .*; fix or remove the row"):
        list(rows_of("gsm8k", local_rows([str(tmp_path / "rows.jsonl")], ["gsm8k"])["gsm8k"].questions))


# ---------------------------------------------------------------- --source


def test_sources_by_task_and_split(tmp_path: Path) -> None:
    dev, train = write(tmp_path / "dev.jsonl", ARC), write(tmp_path / "train.jsonl", ARC[:2])
    alone = local_rows([str(dev)], ["arc"])["arc"]
    assert (alone.questions.files, alone.shots) == ((dev,), None)
    for texts in (
        [f"arc={dev}", f"arc:train={train}"],
        [str(dev), f"train={train}"],
        [f"eval={dev}", f"train={train}"],
    ):
        both = local_rows(texts, ["arc"])["arc"]
        assert both.questions.files == (dev,)
        assert both.shots is not None
        assert both.shots.files == (train,)
    several = local_rows([f"arc={dev}", "gsm8k=sample:4"], ["arc", "mmlu", "gsm8k"])
    assert set(several) == {"arc", "gsm8k"}
    assert several["gsm8k"].shots is not None  # the sample has both splits
    assert len(list(rows_of("gsm8k", several["gsm8k"].questions))) == 4


def test_the_harness_name_of_a_local_task_is_ours() -> None:
    assert EvaluationOptions(tasks=("arc_challenge,arc",)).tasks == ("arc",)
    assert set(local_rows(["arc_challenge=sample:4"], ["arc", "gsm8k"])) == {"arc"}


def test_a_path_may_contain_an_equals_sign(tmp_path: Path) -> None:
    file = tmp_path / "shots=5.jsonl"
    write(file, GSM8K)
    assert local_rows([str(file)], ["gsm8k"])["gsm8k"].questions.files == (file,)


def test_a_compressed_file(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in HELLASWAG)
    found = local_rows([str(tmp_path / "rows.jsonl.gz")], ["hellaswag"])["hellaswag"]
    assert [row["ctx_a"] for row in rows_of("hellaswag", found.questions)] == [row["ctx_a"] for row in HELLASWAG]


@pytest.mark.parametrize(
    ("sources", "tasks", "words"),
    [
        (["sample"], ["arc", "gsm8k"], "there are 2 tasks; write TASK=SOURCE"),
        (["sample"], ["mmlu"], "mmlu is read from the Hub only; tasks with local rows: arc, hellaswag, gsm8k"),
        (["gsm8k=sample"], ["arc"], "gsm8k is not among --tasks arc"),
        (["ark=sample"], ["arc"], "'ark' is not a task with local rows"),
        (["arc:dev=sample"], ["arc"], "there is no split 'dev'"),
        (["sample", "sample:4"], ["arc"], "arc has sample already; name one source"),
        (["train=sample"], ["arc"], "arc has few-shot examples and no questions"),
    ],
)
def test_sources_that_do_not_fit_the_tasks(sources: list[str], tasks: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        local_rows(sources, tasks)


def test_a_missing_file() -> None:
    with pytest.raises(SourceError, match=r"no-such-file\.jsonl: no such file"):
        local_rows(["no-such-file.jsonl"], ["arc"])


# ---------------------------------------------------------------- options


def test_tasks_are_separated_by_commas_and_named_once() -> None:
    assert EvaluationOptions(tasks=("arc, gsm8k", "arc")).tasks == ("arc", "gsm8k")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"leaderboard": True, "shots": 2}, "--leaderboard and --shots"),
        ({"generate": "mt_bench"}, "--generate and --questions need each other"),
        ({"questions": "q.jsonl"}, "--generate and --questions need each other"),
        ({"generate": "mt_bench", "questions": "q.jsonl", "tasks": ("arc",)}, "--generate and --tasks exclude"),
        ({"sample": True, "tasks": ("arc",)}, "--sample needs --generate"),
        ({"limit": 0}, "--limit must be at least 1, got 0"),
    ],
)
def test_options_that_conflict(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        EvaluationOptions(**options)


# ---------------------------------------------------------------- prompts


def requests(task: Any, shots: int, limit: int | None = None) -> list[Any]:
    """What the harness asks a model: prompts with choices, or with how to generate."""
    task.set_config("num_fewshot", shots)
    task.set_fewshot_seed(seed=1234)
    task.build_all_requests(limit=limit)
    return [instance.args for instance in task.instances]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("shots", [0, 3])
def test_prompts_are_those_of_the_hub_task(
    name: str, shots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    from pairgen.evaluate.harness import loaded_tasks

    train, dev = HUB[name][:5], HUB[name][5:]
    as_local = ai2 if name == "arc" else dict
    shown = write(tmp_path / "train.jsonl", [as_local(row) for row in train])
    asked = write(tmp_path / "dev.jsonl", [as_local(row) for row in dev])
    options = EvaluationOptions(tasks=(name,), source=(str(asked), f"train={shown}"))
    with loaded_tasks(options, local_rows(options.source, options.tasks), lambda _: None) as (task,):
        ours = requests(task, shots)

    def load_dataset(**_: Any) -> Any:
        hub = {"train": train, "validation": dev, "test": dev}
        return datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split, rows in hub.items()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (theirs,) = harness_tasks(name).load(TASKS[name].name)["tasks"].values()
    assert ours == requests(theirs, shots)
    assert all(request[0].count("\n\n") == shots for request in ours)


def harness_tasks(name: str) -> Any:
    """The harness's own definitions of a task and those beside it; to read all takes seconds."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    folder = (Path(lm_eval.__file__).parent / "tasks" / TASKS[name].definition).parent
    return TaskManager(include_defaults=False, include_path=str(folder))


def test_few_shot_examples_from_the_same_file_leave_out_the_question(tmp_path: Path) -> None:
    from pairgen.evaluate.harness import loaded_tasks

    options = EvaluationOptions(tasks=("gsm8k",), source=(str(write(tmp_path / "rows.jsonl", GSM8K[:6])),))
    with loaded_tasks(options, local_rows(options.source, options.tasks), lambda _: None) as (task,):
        assert task.get_config("num_fewshot") == 5  # what the harness says
        prompts = [prompt for prompt, _ in requests(task, 5)]
    assert len(prompts) == 6
    for row, prompt in zip(GSM8K, prompts, strict=False):
        assert prompt.count(row["question"]) == 1
        assert prompt.endswith(f"\n\nQuestion: {row['question']}\nAnswer:")
        assert all(other["question"] in prompt for other in GSM8K[:6])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("arc", ["arc/ARC-Challenge-Dev.jsonl", "arc/hub_layout_validation"]),
        ("hellaswag", ["hellaswag/hub_layout_validation"]),
        ("gsm8k", ["gsm8k/train.jsonl"]),
    ],
)
def test_real_rows_give_the_prompts_of_the_hub_task(
    name: str, files: list[str], real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    from pairgen.evaluate.harness import loaded_tasks

    found = []
    for file in files:
        options = EvaluationOptions(tasks=(name,), source=(str(real_data / file), f"train={real_data / file}"))
        with loaded_tasks(options, local_rows(options.source, options.tasks), lambda _: None) as (task,):
            found.append(requests(task, 2, limit=100))
    last = real_data / files[-1]
    if last.is_dir():
        rows = datasets.load_from_disk(str(last))
    else:
        rows = datasets.Dataset.from_list([json.loads(line) for line in last.read_text("utf-8").splitlines()])
    hub = datasets.DatasetDict(dict.fromkeys(("train", "validation", "test"), rows))
    monkeypatch.setattr(datasets, "load_dataset", lambda **_: hub)
    (theirs,) = harness_tasks(name).load(TASKS[name].name)["tasks"].values()
    expected = requests(theirs, 2, limit=100)
    assert all(one == expected for one in found)
