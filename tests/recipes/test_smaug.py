"""The recipe of the paper: that it fits its machines, evaluates as its comments say, and shares no question."""

import shlex
from pathlib import Path

import datasets
import pytest
from typer.testing import CliRunner

import pairgen
from pairgen.cli import load_app
from pairgen.recipes import RECIPES
from pairgen.recipes.arrangement import arrange
from pairgen.recipes.options import RecipeOptions
from pairgen.recipes.stage_kinds import EVAL, TRAIN


@pytest.mark.parametrize(
    ("variant", "machine", "memory"),
    [
        ("34b", "--model yi-34b --gpus 8 --gpu H100", "48.5"),
        ("72b", "--model qwen-72b --gpus 8 --gpu H100", "35.1"),
        ("7b", "--model llama2-7b --gpu GH200", "73.0"),
    ],
)
def test_training_fits_with_the_longest_pairs(variant: str, machine: str, memory: str) -> None:
    stage = next(
        one for one in arrange("smaug", RecipeOptions(variant=variant, scale="full")).stages if one.kind == TRAIN
    )
    names = ("precision", "micro_batch_size", "activation_checkpointing", "lora")
    flags = [f"--{name.replace('_', '-')}={stage.options[name]}" for name in names if name in stage.options]
    words = ["plan", *shlex.split(machine), *flags, "--tokens-per-pair", "4096"]
    result = CliRunner().invoke(load_app(), words)
    assert result.exit_code == 0, result.output
    rows = {line.split("  ")[0]: line.split() for line in result.stdout.splitlines() if line}
    assert rows["fits"][1].startswith("yes")
    total = next(words for name, words in rows.items() if name.startswith("total"))
    assert total[-1] == memory
    assert f"{memory} " in RECIPES["smaug"].read_text("utf-8")


@pytest.mark.parametrize("variant", ["34b", "72b", "7b"])
def test_full_models_are_evaluated_as_on_the_leaderboard(variant: str) -> None:
    stages = arrange("smaug", RecipeOptions(variant=variant, scale="full")).stages
    found = [stage.options for stage in stages if stage.kind == EVAL]
    assert found
    assert all((one["precision"], one["chat"], one["leaderboard"]) == ("bf16-pure", "off", True) for one in found)


def test_what_fits_large_models_does_not_slow_down_the_small_scale() -> None:
    for stage in arrange("smaug", RecipeOptions(variant="34b", scale="small")).stages:
        if stage.kind == TRAIN:
            assert (stage.options["micro_batch_size"], stage.options["activation_checkpointing"]) == (0, "none")


@pytest.mark.parametrize("task", ["arc", "hellaswag"])
def test_questions_of_the_small_evaluation_are_no_prompts_of_training(task: str, tmp_path: Path) -> None:
    stages = arrange("smaug", RecipeOptions(scale="small")).stages
    evaluation = next(stage for stage in stages if stage.kind == EVAL)
    questions = next(text for text in evaluation.options["source"] if text.startswith(f"{task}="))
    trained = next(stage for stage in stages if stage.name == f"{task}-pairs").options["source"][0]
    pairgen.build(task, tmp_path / "pairs", [trained, f"eval={questions.partition('=')[2]}"])
    data = datasets.load_from_disk(str(tmp_path / "pairs"))
    train, held_out = (set(data[name]["prompt"]) for name in ("train", "eval"))
    assert len(held_out) > 100
    assert not train & held_out
