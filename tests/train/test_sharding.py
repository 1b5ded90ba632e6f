"""Models that are never whole on a device: the same log-probs, gradients and files as whole ones."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny_runs as runs
from helpers.families import save_with_tokenizer, small_config, spread_model
from helpers.processes import ENVIRONMENT, command, losses, resume, torchrun
from helpers.small_tokenizers import byte_level

MODELS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "llama": ("llama", {}, {}),
    "own head": ("llama", {"tie_word_embeddings": False}, {}),
    "scaled embedding": ("gemma3_text", {}, {}),
    "experts": ("mixtral", {}, {}),
    "buffers": ("deepseek_v3", {}, {}),
    "positions": ("gpt2", {}, {}),
    "nested layers": ("mamba", {}, {}),
    "shared layers": ("zamba", {}, {}),
    "adapter": ("llama", {}, {"lora": 3}),
    "bfloat16": ("llama", {}, {"precision": "bf16-pure"}),
    "mixed": ("llama", {}, {"precision": "bf16"}),
    "recomputed": ("llama", {}, {"activation_checkpointing": "full"}),
    "partly recomputed": ("llama", {}, {"activation_checkpointing": "selective"}),
}
"""Families, settings of their configs, and options of the run."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("processes", [2, 4])
def test_sharded_models_are_the_whole_ones(tmp_path: Path, processes: int) -> None:
    """With 4 processes, the last has nothing of a weight with 3 rows."""
    options = {}
    for name, (family, settings, chosen) in MODELS.items():
        size = {"vocab_size": len(byte_level())}
        folder = save_with_tokenizer(
            spread_model(small_config(family, **size, **settings)), byte_level(), tmp_path / name
        )
        options[str(folder)] = chosen
    words = command(processes, "-m", "helpers.sharded_models", json.dumps(options))
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ENVIRONMENT.get('PYTHONPATH', '')}:{Path(__file__).parents[1]}"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    results = {Path(folder).name: found for folder, found in json.loads(done.stdout.splitlines()[-1]).items()}
    assert results.keys() == MODELS.keys()
    for name, found in results.items():
        assert found["devices"] == ["meta"], name
        assert found["own weights"] == pytest.approx(1 / processes, rel=0.3), name
        assert found["log-probs"] == found["exact"] == 0, (name, found)
        assert found["weights with gradient"][0] == found["weights with gradient"][1] > 0, name
        assert found["gradients"] < 1e-6, (name, found)
        assert found["saved"], name
        assert found["kept"][0] in (0, found["kept"][1]), (name, "copies for checks are freed", found["kept"])
        assert found["kept"][0] == 0 or name != "bfloat16", found["kept"]
        assert found["kept"][1] > 0, name


CHANGES: dict[str, Any] = {"sft_steps": 0, "steps": 4, "batch_size": 5, "learning_rate": 1e-4, "loss": "dpo"}


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"reference": "online"}, {"lora": 2}, {"lora": 2, "reference": "online"}], ids=str)
def test_sharded_runs_match_those_of_one_process(tmp_path: Path, options: dict[str, Any]) -> None:
    """A second model as the reference is sharded, too, and an adapter is saved whole."""
    from pairgen.train.run import train

    data = runs.dataset(tmp_path / "pairs")
    changes = {**CHANGES, **options, "model": str(runs.start_model(data, tmp_path / "model")), "best": "none"}
    changes |= {"lr_schedule": "constant", "warmup_ratio": 0.0}
    train(runs.config(data, tmp_path / "one", **changes, reference_dir=str(tmp_path / "r1")))
    changes |= {"steps": 2}
    done = torchrun(runs.config(data, tmp_path / "two", **changes, reference_dir=str(tmp_path / "r2")), tmp_path / "c")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "r2", ignore_errors=True)  # the starting model is loaded and sharded again
    again = resume(tmp_path / "two", "--steps", "4")
    assert again.returncode == 0, again.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
    assert losses(tmp_path / "two")[-1] < 0.6931


@pytest.mark.slow
def test_an_error_of_the_main_process_ends_all(tmp_path: Path) -> None:
    """It alone reads the weights, and says what is wrong with them; the others do not wait for it."""
    data = runs.dataset(tmp_path / "pairs")
    model = runs.start_model(data, tmp_path / "model")
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = torchrun(runs.config(data, tmp_path / "run", **CHANGES, model=str(model)), tmp_path / "run.toml")
    assert done.returncode
    assert done.stderr.count(f"pairgen: --model {model}: the model cannot be loaded") == 1
    assert "Traceback" not in done.stderr.split("ChildFailedError")[0].split("elastic")[0]
