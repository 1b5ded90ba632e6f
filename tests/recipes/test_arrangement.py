"""The stages of a run: which are needed, in which order, what their folders depend on, and what is left out."""

import shlex
from pathlib import Path

import pytest
import typer
from helpers.small_recipes import SMALL, write
from typer.testing import CliRunner

from pairgen.cli import load_app
from pairgen.errors import SourceNotFound, UsageError
from pairgen.recipes.arrangement import Arrangement, arrange
from pairgen.recipes.options import RecipeOptions
from pairgen.train.losses import LOSSES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys(found: Arrangement) -> dict[str, str]:
    return {stage.name: stage.key for stage in found.stages}


def small(text: str = SMALL, **options: object) -> Arrangement:
    return arrange(write(Path(), text), RecipeOptions(out="out", **options))  # type: ignore[arg-type]


def changed(text: str, **options: object) -> set[str]:
    """The stages whose folder is another one."""
    before, after = keys(small()), keys(small(text, **options))
    return {name for name in after if after[name] != before.get(name)}


def test_stages_come_after_what_they_need() -> None:
    found = small()
    names = [stage.name for stage in found.stages]
    assert names == [
        *("chat", "solutions", "texts", "wrong", "lies"),
        *("tune", "eval-tune", "dpop", "eval-dpop", "dpo", "eval-dpo"),
    ]
    made: set[str] = set()
    for stage in found.stages:
        needed = [*map(str, stage.data), *([stage.model] if stage.after else [])]
        assert set(needed) <= made
        made.add(str(stage.folder))
    by_name = {stage.name: stage for stage in found.stages}
    assert by_name["tune"].model == "tiny"
    assert by_name["dpop"].after == "tune"
    assert by_name["dpo"].model == str(by_name["dpop"].folder)


def test_a_folder_depends_on_what_its_content_does() -> None:
    below = {"tune", "eval-tune", "dpop", "eval-dpop", "dpo", "eval-dpo"}
    assert changed(SMALL) == set()
    assert changed(SMALL.replace('title = "Two stages"', 'title = "Other"')) == set()
    assert changed(SMALL.replace('"sample:metamath:30"', '"sample:metamath:31"')) == {"solutions", "texts", *below}
    assert changed(SMALL.replace("steps = 3", "steps = 4")) == below
    assert changed(SMALL.replace("save_every = 1", "save_every = 2")) == set()
    assert changed(SMALL.replace('loss = "dpo"', 'loss = "ipo"')) == {"dpo", "eval-dpo"}
    evaluations = {name for name in below if name.startswith("eval-")}
    assert changed(SMALL.replace("arc=sample:12", "arc=sample:13")) == evaluations
    assert changed(SMALL, device="cpu") == set()
    moved = SMALL.replace('model = "tiny"', 'model = "tiny"\nseed = 0')
    assert changed(moved) == below


def test_a_file_counts_by_content_wherever_it_is(folder: Path) -> None:
    text = '{"prompt": "Is it?", "chosen": " No.", "rejected": " Yes."}\n'
    (folder / "a").mkdir()
    for name in ("rows.jsonl", "a/rows.jsonl"):
        (folder / name).write_text(text, "utf-8")

    def key(source: str) -> str:
        return keys(small(source=(f"lies={source}",)))["lies"]

    assert key("rows.jsonl") == key("a/rows.jsonl") == key(str(folder / "rows.jsonl"))
    assert key("train=rows.jsonl") != key("rows.jsonl")
    before = key("rows.jsonl")
    (folder / "rows.jsonl").write_text(text + text, "utf-8")
    assert key("rows.jsonl") != before


def test_files_behind_patterns_templates_and_losses_count_by_content(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = "own_recipe_losses.soft:softer"
    monkeypatch.setitem(LOSSES, loss, LOSSES["dpo"])  # so that it is removed again
    monkeypatch.delitem(LOSSES, loss)
    row = '{"prompt": "Is it?", "chosen": " No.", "rejected": " Yes."}\n'
    code = "def softer(logps, config):\n    return (1 - config.beta * logps.margin).relu() ** 2\n"
    (folder / "own_recipe_losses").mkdir()
    files = {"part-1.jsonl": row, "p.jinja": "{{ question }}", "own_recipe_losses/soft.py": code}
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    recipe = (
        SMALL.replace('"train=sample:truthy:30", "eval=sample:truthy:12"', '"train=part-*.jsonl"')
        .replace("eval_size = 8", 'eval_size = 8\nprompt_style = "p.jinja"')
        .replace('loss = "dpo"', f'loss = "{loss}"')
    )

    def rewritten(name: str, text: str) -> set[str]:
        before = keys(small(recipe))
        (folder / name).write_text(text, "utf-8")
        after = keys(small(recipe))
        assert keys(small(recipe)) == after
        return {stage for stage in after if after[stage] != before[stage]}

    evaluations = {"eval-tune", "eval-dpop", "eval-dpo"}
    assert rewritten("part-1.jsonl", row * 2) == {"lies", "dpo", *evaluations}
    assert rewritten("part-2.jsonl", row) == {"lies", "dpo", *evaluations}
    assert rewritten("p.jinja", "{{ question }}?") == {"wrong", "dpop", "dpo", *evaluations}
    assert rewritten("own_recipe_losses/soft.py", code + "# softer\n") == {"dpo", "eval-dpo"}


def test_what_the_command_line_names_must_exist() -> None:
    with pytest.raises(SourceNotFound, match=r"--source arc=nothere\.jsonl: no such file or folder"):
        small(source=("arc=nothere.jsonl",))
    text = SMALL.replace('model = "tiny"\n', "")
    assert small(text, model="gpt2").stages, "may be a model of the Hub"
    with pytest.raises(SourceNotFound, match=r"--model: \./gpt2: no such file or folder"):
        small(text, model="./gpt2")
    with pytest.raises(UsageError, match="--model: wrong is a stage of kind build"):
        small(text, model="wrong")


def test_a_scale_without_the_hub_leaves_out_what_has_no_rows() -> None:
    text = SMALL + '\n[scales.real]\nhub = false\nmodel = "my/model"\n'
    text = text.replace('model = "tiny"\n', "").replace('source = ["arc=sample:12"]\n', "")
    found = small(text, source=("wrong=sample:20", "chat=sample:sharegpt:9"))
    assert [stage.name for stage in found.stages] == [
        *("chat", "wrong", "eval-start", "tune", "eval-tune", "dpop", "eval-dpop"),
    ]
    tune = next(stage for stage in found.stages if stage.name == "tune")
    assert [folder.name for folder in tune.data] == ["chat"], "a mix of one dataset is that dataset"
    assert found.left_out == [
        "solutions: no rows were given (--source solutions=FILE).",
        "lies: no rows were given (--source lies=FILE).",
        "dpo: none of its datasets has rows.",
        "arc: no questions were given (--source arc=FILE).",
    ]
    with pytest.raises(UsageError, match="nothing to train: chat: no rows were given"):
        small(text)
    scored = small(text, source=("wrong=sample:20", "arc=sample:5", "arc:train=sample:7"))
    evaluation = next(stage for stage in scored.stages if stage.kind == "eval")
    assert evaluation.options["source"] == ("arc=sample:5", "arc:train=sample:7")
    assert "arc" in evaluation.options["tasks"]


def test_another_model_to_start_from() -> None:
    text = SMALL.replace('model = "tiny"\n', "")
    found = small(text, model="my/model")
    assert [(stage.name, stage.model) for stage in found.stages if stage.name in ("eval-start", "tune")] == [
        ("eval-start", "my/model"),
        ("tune", "my/model"),
    ]


@pytest.mark.parametrize("recipe", ["smaug", "small.toml"])
def test_a_dry_run_prints_commands_that_parse(recipe: str, folder: Path) -> None:
    write(folder)
    app = load_app()
    result = CliRunner().invoke(app, ["run", recipe, "--dry-run"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert len(lines) > 10
    for line in lines:
        program, name, *arguments = shlex.split(line)
        assert program == "pairgen"
        assert commands[name].make_context(name, arguments).params["out"]
    assert [path.name for path in folder.iterdir()] == ["small.toml"]


def test_the_list_of_recipes() -> None:
    result = CliRunner().invoke(load_app(), ["run", "--list"])
    assert result.exit_code == 0
    assert all(text in result.stdout for text in ("smaug", "--variant 34b", "--variant 72b", "--scale real"))
    assert "recipe_file.py there documents its keys" in " ".join(result.stderr.split())


def test_a_dry_run_says_that_72b_cannot_be_evaluated_on_one_h100() -> None:
    result = CliRunner().invoke(load_app(), ["run", "smaug", "--variant", "72b", "--scale", "full", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "145 GB of bf16 weights onto one GPU, which an H100 (80 GB) cannot hold" in " ".join(result.stderr.split())
