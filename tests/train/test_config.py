"""The config of a run: reading, checking and saving it, and the options that a resumed run may change."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pairgen.errors import UsageError
from pairgen.options import from_mapping, read_values
from pairgen.train.config import OPTIONS, PRESETS, Config, combine, save, saved
from pairgen.train.losses import LOSSES, Loss, dpo


def toml(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, "utf-8")
    return path


def test_save_and_load_round_trip(tmp_path: Path) -> None:
    config = Config(data=("数据", "b"), out='Läufe/"3"\n\\', beta=0.1, steps=7, sft_steps=0, compile=True)
    save(config, tmp_path / "config.toml")
    assert combine({}, tmp_path / "config.toml") == config
    assert from_mapping(Config, read_values(tmp_path / "config.toml"), "there") == config


def test_options_without_a_value_are_not_saved(tmp_path: Path) -> None:
    save(Config(data=("a", "b"), sft_steps=0), tmp_path / "config.toml")
    values = read_values(tmp_path / "config.toml")
    assert values["data"] == ["a", "b"]
    assert values["sft_steps"] == 0
    assert set(values) == set(OPTIONS) - {"learning_rate", "sft_learning_rate", "compile"}


def test_flags_override_the_file_and_the_file_the_preset(tmp_path: Path) -> None:
    file = toml(tmp_path, 'beta = 0.2\nsteps = 7\nloss = "dpo"\nseed = 3\n')
    config = combine({"beta": 0.1, "loss": None, "keep_checkpoints": None}, file, "smaug")
    assert config == Config(beta=0.1, steps=7, loss="dpo", seed=3, learning_rate=5e-5, dpop_lambda=50.0)
    assert combine({}, file) == Config(beta=0.2, steps=7, loss="dpo", seed=3)
    assert combine({}) == Config()


def test_zero_and_false_override_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, 'steps = 7\ncompile = true\nreference_dir = "there"\n')
    config = combine({"steps": 0, "compile": False, "reference_dir": ""}, file)
    assert (config.steps, config.compile, config.reference_dir) == (0, False, "")


def test_conflicts_are_checked_after_combining(tmp_path: Path) -> None:
    """The file alone would combine LoRA with the default model."""
    file = toml(tmp_path, "lora = 8\n")
    assert combine({"model": "some/model"}, file) == Config(model="some/model", lora=8)
    with pytest.raises(UsageError, match=r"--lora .* --model tiny"):
        combine({}, file)


def test_the_smaug_preset_has_the_hyperparameters_of_the_paper() -> None:
    config = combine({}, preset="smaug")
    assert (config.loss, config.beta, config.dpop_lambda) == ("dpop", 0.3, 50.0)
    assert (config.learning_rate, config.steps) == (5e-5, 1000)


def test_unknown_presets_and_options_list_what_is_available(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--preset smug: unknown preset; available: {', '.join(PRESETS)}"):
        combine({}, preset="smug")
    file = toml(tmp_path, "lamda = 50\n")
    with pytest.raises(UsageError) as caught:
        combine({}, file)
    assert str(caught.value).startswith(f"{file}: unknown option lamda; available: ")
    assert all(name in str(caught.value) for name in OPTIONS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beta": 0.0}, "--beta must be above 0"),
        ({"warmup_ratio": 1.5}, "--warmup-ratio must be from 0 to 1"),
        ({"loss": "nothing"}, f"--loss must be one of {', '.join(LOSSES)}, or MODULE:FUNCTION, got 'nothing'"),
        ({"learning_rate": float("nan")}, "--learning-rate must be a finite number"),
        ({"steps": "word"}, "--steps must be an integer"),
    ],
    ids=str,
)
def test_values_out_of_range_name_the_flag(values: dict[str, Any], message: str) -> None:
    for make in (lambda: combine(values), lambda: Config(**values), lambda: replace(Config(), **values)):
        with pytest.raises(UsageError) as caught:
            make()
        assert str(caught.value).startswith(message)


def test_losses_added_later_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--loss"):
        Config(loss="mine")
    monkeypatch.setitem(LOSSES, "mine", Loss(dpo, "my own"))
    assert combine({"loss": "mine"}).loss == "mine"


def test_help_is_a_sentence_for_every_option() -> None:
    for item in OPTIONS.values():
        text = item.metadata["help"]
        assert text.endswith(".")
        assert "\n" not in text


@pytest.mark.parametrize(
    ("values", "rate", "sft_steps", "sft_rate"),
    [
        ({}, 2e-4, 300, 3e-3),
        ({"loss": "sft"}, 2e-4, 0, 3e-3),
        ({"model": "some/model"}, 5e-6, 0, 5e-6),
        ({"model": "some/model", "lora": 8}, 2e-4, 0, 2e-4),
        ({"learning_rate": 1e-5}, 1e-5, 300, 3e-3),
        ({"model": "some/model", "learning_rate": 1e-5}, 1e-5, 0, 1e-5),
        ({"sft_steps": 0, "sft_learning_rate": 1e-2}, 2e-4, 0, 1e-2),
        ({"loss": "sft", "sft_steps": 5}, 2e-4, 5, 3e-3),
        ({"model": "some/model", "sft_steps": 5, "sft_learning_rate": 1e-2}, 5e-6, 5, 1e-2),
    ],
    ids=str,
)
def test_resolved_fills_in_defaults(values: dict[str, Any], rate: float, sft_steps: int, sft_rate: float) -> None:
    config = Config(**values)
    resolved = config.resolved()
    assert (resolved.learning_rate, resolved.sft_steps, resolved.sft_learning_rate) == (rate, sft_steps, sft_rate)
    assert [name for name, value in asdict(resolved).items() if value is None] == ["compile"], (
        "it depends on the device"
    )
    assert resolved.resolved() == resolved
    assert replace(resolved, learning_rate=None, sft_steps=None, sft_learning_rate=None) == replace(
        config, learning_rate=None, sft_steps=None, sft_learning_rate=None
    )


def test_equal_configs_compare_equal_and_are_frozen() -> None:
    config = Config(data=["a"], beta=1)  # type: ignore[arg-type]
    assert config == Config(data=("a",), beta=1.0)
    with pytest.raises(FrozenInstanceError):
        config.beta = 2.0  # type: ignore[misc]


def test_remote_code_must_be_confirmed_by_the_flag(tmp_path: Path) -> None:
    file = toml(tmp_path, 'model = "theirs"\ntrust_remote_code = true\n')
    with pytest.raises(UsageError, match="confirm it with the flag --trust-remote-code"):
        combine({}, file)
    assert combine({"trust_remote_code": True}, file).trust_remote_code


def test_a_resumed_run_may_change_some_options() -> None:
    fixed = Config(data=("a",)).fixed()
    free = OPTIONS.keys() - fixed.keys()
    assert {"steps", "epochs", "device", "micro_batch_size", "log_every", "save_every", "keep_checkpoints"} <= free
    assert {"data", "model", "loss", "beta", "dpop_lambda", "batch_size", "seed", "lora", "lr_schedule"} <= set(fixed)
    assert Config(steps=5, device="cpu").fixed() == Config(steps=9, keep_checkpoints=4).fixed()
    assert Config().fixed() != Config(seed=1).fixed()


def test_the_config_does_not_import_heavy_packages() -> None:
    code = (
        "import sys; from pairgen.train.config import Config, combine; combine({}, preset='smaug').resolved(); "
        "print([name for name in ('torch', 'transformers', 'numpy', 'pyarrow', 'datasets') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(("former", "now"), [("true", "full"), ("false", "none")])
def test_the_former_name_of_activation_checkpointing_is_read(tmp_path: Path, former: str, now: str) -> None:
    """In a file of one's own, and in the saved config of a run."""
    file = toml(tmp_path, f'data = ["a"]\ngradient_checkpointing = {former}\n')
    assert combine({}, file).activation_checkpointing == now
    assert saved(file, {}).activation_checkpointing == now
