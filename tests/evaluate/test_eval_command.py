"""`pairgen eval`: scores, saved results, comparisons, and errors in words."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny_runs
from typer.testing import Result

import pairgen
from pairgen.errors import UnsupportedModel, UsageError
from pairgen.evaluate import judging, results_folder
from pairgen.evaluate.options import EvaluationOptions

Run = Callable[..., Result]
ARC = ("--tasks", "arc", "--source", "sample:12", "--limit", "8")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two tiny models with one tokenizer."""
    folder = tmp_path_factory.mktemp("models")
    data = tiny_runs.dataset(folder / "pairs")
    return tiny_runs.start_model(data, folder / "a"), tiny_runs.start_model(data, folder / "b", seed=1)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def error_of(result: Result, code: int = 1) -> str:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return result.stderr


# ---------------------------------------------------------------- scores


def test_scores_as_table_and_json(run: Run, models: tuple[Path, Path]) -> None:
    table = run("eval", models[0], *ARC, "--quiet")
    assert table.stderr.startswith("scoring choices took ")
    assert [line.split()[:2] for line in table.stdout.splitlines()[2:]] == [
        ["arc_challenge", "acc"],
        ["arc_challenge", "acc_norm"],
    ]
    found = json.loads(run("eval", models[0], *ARC, "--json").stdout)  # nothing else is on stdout
    (model,) = found["models"]
    assert model["model"] == str(models[0])
    assert [(score["metric"], score["questions"], score["shots"]) for score in model["scores"]] == [
        ("acc", 8, 0),
        ("acc_norm", 8, 0),
    ]
    assert f"{model['scores'][0]['value']:.4f}" in table.stdout


def test_nothing_of_the_harness_reaches_the_terminal(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # not a git repository: git, which the harness runs, would say so
    pairgen.evaluate(models[0], tasks="arc", source="sample:4", harness=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("harness", [True, False])
def test_progress_counts_answers(harness: bool, models: tuple[Path, Path]) -> None:
    seen: list[tuple[str, int, int]] = []
    frame = pairgen.evaluate(
        models[0],
        tasks=["arc", "gsm8k"],
        source=["arc=sample:5", "gsm8k=sample:8"],
        harness=harness,
        max_new_tokens=4,
        progress=lambda phase, done, total, *_: seen.append((phase, done, total)),
    )
    (evaluation,) = frame.attrs["evaluations"]
    choices = sum(len(sample["arguments"]) for sample in evaluation.samples["arc_challenge"])
    for phase, total in (("scoring choices", choices), ("generating answers", 8)):
        counts = [(done, of) for name, done, of in seen if name == phase]
        assert counts == sorted(set(counts))
        assert counts[-1] == (total, total)
    assert evaluation.seconds.keys() == {"scoring choices", "generating answers"}


def test_a_model_without_exact_trees_is_scored_by_the_harness(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pairgen.evaluate import language_model

    def refuse(*_: Any) -> Any:
        raise UnsupportedModel("its layers mix tokens")

    expected = pairgen.evaluate(models[0], tasks="arc", source="sample:6")
    monkeypatch.setattr(language_model, "loglikelihoods", refuse)
    with pytest.warns(UserWarning, match="scoring choices takes longer, since its layers mix tokens"):
        found = pairgen.evaluate(models[0], tasks="arc", source="sample:6")
    assert found["value"].tolist() == expected["value"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"harness": False}, {"harness": True}, {"harness": True, "batch_size": 3}])
def test_scores_are_those_of_the_harness_alone(how: dict[str, Any], models: tuple[Path, Path]) -> None:
    """The harness's own loading, batch size 1, and our definitions of the tasks."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from pairgen.evaluate.harness import loaded_tasks
    from pairgen.evaluate.tasks import local_rows

    options = {"shots": 2, "limit": 6, "max_new_tokens": 16}
    sources = ("arc=sample:12", "hellaswag=sample:12", "gsm8k=sample:12")
    frame = pairgen.evaluate(models[0], tasks="arc,hellaswag,gsm8k", source=sources, **how, **options)
    chosen = EvaluationOptions(tasks=("arc,hellaswag,gsm8k",), source=sources, **options)
    with loaded_tasks(chosen, local_rows(chosen.source, chosen.tasks), lambda _: None) as tasks:
        alone = HFLM(pretrained=str(models[0]), device="cpu", dtype="float32", batch_size=1)
        manager = TaskManager(include_defaults=False)  # the definitions of all tasks take seconds to read
        expected = lm_eval.simple_evaluate(alone, tasks=tasks, limit=6, task_manager=manager)
    for row in frame.to_dict("records"):
        assert row["value"] == expected["results"][row["task"]][f"{row['metric']},{row['filter']}"]
    (evaluation,) = frame.attrs["evaluations"]
    for task, samples in expected["samples"].items():
        for ours, theirs in zip(evaluation.samples[task], samples, strict=True):
            assert ours["arguments"] == theirs["arguments"]
            if task == "gsm8k":
                assert ours["resps"] == theirs["resps"]
            else:
                one, other = ([reply[0][0] for reply in found["resps"]] for found in (ours, theirs))
                assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.slow
def test_shots_of_the_leaderboard(run: Run, models: tuple[Path, Path]) -> None:
    found = json.loads(
        run(
            "eval", models[0], "--tasks", "arc", "--source", "sample:30", "--limit", 1, "--leaderboard", "--json"
        ).stdout
    )
    assert {score["shots"] for score in found["models"][0]["scores"]} == {25}


# ---------------------------------------------------------------- results on disk


def test_results_are_saved_in_the_format_of_the_harness(run: Run, models: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "results"
    options = ("--tasks", "arc,gsm8k", "--source", "arc=sample:8", "--source", "gsm8k=sample:8", "--limit", 3)
    first = json.loads(run("eval", models[0], *options, "--max-new-tokens", 4, "--out", out, "--json").stdout)
    (folder,) = out.iterdir()
    names = sorted(file.name.rpartition("_")[0] for file in folder.iterdir())
    assert names == ["results", "samples_arc_challenge", "samples_gsm8k"]
    (file,) = folder.glob("results_*.json")
    results = json.loads(file.read_text("utf-8"))
    assert {"results", "configs", "versions", "n-shot", "n-samples", "config", "task_hashes", "date"} <= results.keys()
    assert results["model_name"] == str(models[0])
    assert results["config"]["sources"]["arc"]["questions"] == {"sample": 8, "seed": 0}
    assert results["results"]["arc_challenge"]["acc,none"] == first["models"][0]["scores"][0]["value"]
    again = results_folder.load(out)
    assert [score.value for score in again.scores] == [score["value"] for score in first["models"][0]["scores"]]
    assert len(again.samples["gsm8k"]) == 2 * 3  # two filters
    assert json.loads(run("eval", out, "--json").stdout) == first  # a folder of results is shown


@pytest.mark.slow
def test_two_models_are_compared_as_their_saved_results_are(
    run: Run, models: tuple[Path, Path], tmp_path: Path
) -> None:
    options = ("--tasks", "arc", "--source", "sample:30")
    now = json.loads(run("eval", *models, *options, "--out", tmp_path / "both", "--json").stdout)
    folders = sorted((tmp_path / "both").iterdir())
    assert len(folders) == 2
    for row in now["differences"]:
        a, b = ({s["metric"]: s["value"] for s in model["scores"]}[row["metric"]] for model in now["models"])
        assert (row["a"], row["b"], row["questions"]) == (a, b, 30)
        assert row["only_b"] - row["only_a"] == round(30 * (b - a))
        assert row["test"] == "McNemar"
    assert json.loads(run("eval", *folders, "--json").stdout)["differences"] == now["differences"]
    table = run("eval", *folders).stdout
    assert all(text in table for text in (f"A: {models[0]}", f"B: {models[1]}", "only A", "paired bootstrap"))
    # the second model is evaluated with tasks that have been used
    alone = json.loads(run("eval", models[1], *options, "--json").stdout)
    assert alone["models"][0]["scores"] == now["models"][1]["scores"]
    mixed = run("eval", folders[0], models[1], *options, "--json")  # one of them saved
    assert json.loads(mixed.stdout)["differences"] == now["differences"]
    assert "results of several models" in error_of(run("eval", tmp_path / "both"))


def saved(out: Path, task: str, right: list[int], prompt: str = "") -> Path:
    """Results as the harness saves them, of one task and one metric."""
    out.mkdir(parents=True)
    date = "2026-01-02T03-04-05.6"
    samples = [
        {
            "doc_id": at,
            "doc_hash": f"row {at}",
            "prompt_hash": f"{prompt}{at}",
            "filter": "none",
            "metrics": ["acc"],
            "acc": float(value),
        }
        for at, value in enumerate(right)
    ]
    results = {
        "results": {task: {"alias": task, "acc,none": sum(right) / len(right), "acc_stderr,none": "N/A"}},
        "n-samples": {task: {"original": len(right), "effective": len(right)}},
        "model_name": out.name,
    }
    (out / f"results_{date}.json").write_text(json.dumps(results), "utf-8")
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (out / f"samples_{task}_{date}.jsonl").write_text(lines, "utf-8")
    return out


def test_differences_are_paired(run: Run, tmp_path: Path) -> None:
    a = saved(tmp_path / "a", "quiz", [1, 1, 0, 0, 0, 0, 0, 1])
    b = saved(tmp_path / "b", "quiz", [0, 1, 1, 1, 1, 1, 1, 1])
    (found,) = json.loads(run("eval", a, b, "--json").stdout)["differences"]
    assert (found["only_a"], found["only_b"], found["difference"]) == (1, 5, 0.5)
    assert found["p_value"] == pytest.approx(2 * (1 + 6) / 2**6)  # McNemar, exact
    assert found["low"] < 0.5 < found["high"]


def test_only_common_questions_are_compared(run: Run, tmp_path: Path) -> None:
    a, b = saved(tmp_path / "a", "quiz", [1, 0, 1]), saved(tmp_path / "b", "quiz", [1, 1], prompt="other ")
    result = run("eval", a, b, "--json")
    assert json.loads(result.stdout)["differences"][0]["questions"] == 2
    assert "compared on the 2 questions that both models answered; 1 left out" in result.stderr
    assert "quiz: the two models had different prompts" in result.stderr
    other = saved(tmp_path / "other", "riddles", [1])
    assert "have no question of a task in common" in error_of(run("eval", a, other), 2)


def test_damaged_results(run: Run, tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", "quiz", [1, 0])
    (samples,) = folder.glob("samples_*")
    samples.write_text(samples.read_text() + "{", "utf-8")
    assert "line 3: invalid JSON" in error_of(run("eval", folder))
    samples.unlink()
    assert "no such file; save the samples too" in error_of(run("eval", folder))


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "missing --tasks, as in `pairgen eval MODEL --tasks arc,gsm8k`"),
        (("--tasks", "arc"), 1, "arc: its questions cannot be loaded from the Hub"),
        (("--tasks", "arc"), 1, "give its rows with --source arc=FILE"),
        (("--tasks", "arc", "--source", "none.jsonl"), 1, "none.jsonl: no such file"),
        (("--tasks", "gsm8k", "--source", "sample:3"), 2, "--shots: more few-shot examples than there are rows"),
        (("--tasks", "arc", "--source", "sample:3", "--chat", "on"), 2, "has no chat template; use --chat off"),
        (("--tasks", "gsm8k", "--source", "sample:9", "--max-new-tokens", 9999), 1, "with --max-new-tokens"),
        (("other", "third", "--tasks", "arc"), 2, "3 models given; compare two at a time"),
    ],
)
def test_errors_in_words(
    arguments: tuple[object, ...], code: int, words: str, run: Run, models: tuple[Path, Path]
) -> None:
    assert words in " ".join(error_of(run("eval", models[0], *arguments, "--quiet"), code).split())


@pytest.mark.slow
def test_unknown_and_unavailable_tasks_of_the_harness(run: Run, models: tuple[Path, Path]) -> None:
    text = error_of(run("eval", models[0], "--tasks", "winogrand", "--quiet"), 2)
    assert "--tasks winogrand: unknown task; did you mean winogrande" in text
    assert "winogrande: its questions cannot be loaded from the Hub" in error_of(
        run("eval", models[0], "--tasks", "winogrande", "--quiet")
    )


def test_tasks_that_run_generated_code_are_not_even_loaded() -> None:
    import lm_eval

    from pairgen.evaluate.harness import _runs_code

    tasks = Path(lm_eval.__file__).parent / "tasks"
    for name in ("humaneval/humaneval", "humaneval/humaneval_instruct", "mbpp/mbpp_plus", "longproc/countdown_2k"):
        assert _runs_code(tasks / f"{name}.yaml"), name
    for name in ("mmlu/default/_mmlu", "gsm_plus/gsm_plus", "winogrande/default"):
        assert not _runs_code(tasks / f"{name}.yaml"), name
    assert not _runs_code(None)


def test_a_folder_that_cannot_be_written_is_found_before_the_model_runs(
    run: Run, models: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    result = run("eval", models[0], *ARC, "--out", tmp_path / "file" / "out")
    assert "cannot be written" in error_of(result)
    assert "scoring choices" not in result.stderr


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "find_spec", lambda name: None if name == "lm_eval" else name)
    with pytest.raises(UsageError, match=r"evaluation needs lm_eval, which is not installed; .* '\.\[eval\]'"):
        judging.evaluations(["m"], EvaluationOptions(tasks=("arc",)))


def test_models_of_runs(tmp_path: Path) -> None:
    from pairgen.evaluate.language_model import load, model_folder

    (tmp_path / "config.toml").write_text("", "utf-8")
    with pytest.raises(UsageError, match="this run has not finished"):
        model_folder(str(tmp_path))
    (tmp_path / "final").mkdir()
    assert model_folder(str(tmp_path)) == str(tmp_path / "final")
    assert model_folder("owner/name") == "owner/name"
    with pytest.raises(UsageError, match="tiny is a model that has not been trained"):
        model_folder("tiny")
    with pytest.raises(UnsupportedModel, match=r"^/no/such/model: no such folder"):
        load("/no/such/model", EvaluationOptions())


# ---------------------------------------------------------------- the function, imports


def test_the_function_takes_what_the_command_takes(models: tuple[Path, Path]) -> None:
    importlib.import_module("pairgen.evaluate.options")
    frame = pairgen.evaluate(*models, tasks="arc", source="sample:8", shots=1, seed=3)
    assert list(frame["metric"]) == ["acc", "acc_norm"] * 2
    assert set(frame["model"]) == {str(model) for model in models}
    assert [row["questions"] for row in frame.attrs["differences"]] == [8, 8]
    with pytest.raises(UsageError, match="evaluate: unknown option shoots"):
        pairgen.evaluate(models[0], tasks="arc", shoots=3)
    with pytest.raises(UsageError, match="evaluate: generate is an option of `pairgen eval` only"):
        pairgen.evaluate(models[0], generate="mt_bench")


def test_truncated_prompts_are_warned_of(models: tuple[Path, Path], tmp_path: Path) -> None:
    row = {"question": "How long? " * 2000, "answer": "#### 1"}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n", "utf-8")
    with pytest.warns(UserWarning, match="longer than the model's context and were truncated"):
        pairgen.evaluate(models[0], tasks="gsm8k", source=file, shots=0, max_new_tokens=2)


def test_the_command_line_does_not_import_the_harness() -> None:
    code = (
        "import sys, pairgen.cli, pairgen; pairgen.cli.load_app(); pairgen.evaluate; "
        "print({'lm_eval', 'torch', 'transformers', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_options_show_in_the_signature() -> None:
    import inspect

    parameters: dict[str, Any] = dict(inspect.signature(pairgen.evaluate.functions.evaluate).parameters)
    assert {"models", "tasks", "shots", "limit", "chat", "out"} <= parameters.keys()
    assert "generate" not in parameters
