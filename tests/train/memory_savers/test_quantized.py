"""Adapters on weights in 4 bits."""

import builtins
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs

from pairgen import run_folder
from pairgen.errors import UsageError
from pairgen.train.config import Config
from pairgen.train.memory_savers.quantization import check_parallel, computing_in_float32
from pairgen.train.model import loading
from pairgen.train.model.fingerprint import fingerprint
from pairgen.train.run import resume, train
from pairgen.train.scores import speed

pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("quantized") / "pairs")


@pytest.fixture(scope="module")
def model(pairs: Path) -> Path:
    return runs.start_model(pairs, pairs.parent / "model")


def lines(run: Path) -> list[dict[str, Any]]:
    return run_folder.read_metrics(run / run_folder.METRICS)


def loaded(model: Path, **changes: Any) -> Any:
    values = {"data": ("pairs",), "model": str(model), "lora": 4, "quantize": "4bit", "out": "run"}
    return loading.load(Config(**{**values, **changes}), [], torch.device("cpu"))[0]


@pytest.mark.slow
def test_training_lowers_the_loss_and_resumes(pairs: Path, model: Path, tmp_path: Path) -> None:
    changes = {"model": str(model), "lora": 8, "quantize": "4bit", "sft_steps": 0, "learning_rate": 1e-2, "loss": "sft"}
    train(runs.config(pairs, tmp_path / "whole", **changes, steps=8))
    losses = [line["loss"] for line in lines(tmp_path / "whole")]
    assert losses[-1] < losses[0] - 0.2
    train(runs.config(pairs, tmp_path / "parts", **changes, steps=4, lr_schedule="constant", warmup_ratio=0.0))
    resume(tmp_path / "parts", {"steps": 8})
    train(runs.config(pairs, tmp_path / "again", **changes, steps=8, lr_schedule="constant", warmup_ratio=0.0))
    parts, again = (lines(tmp_path / name) for name in ("parts", "again"))
    assert {line["step"]: line["loss"] for line in parts if line["step"] == 8} == {8: again[-1]["loss"]}
    final = tmp_path / "whole" / "final"
    assert (final / "adapter_model.safetensors").is_file()
    assert json.loads((final / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"] == str(model)
    assert not list(final.glob("model*.safetensors"))
    merged = loading.load_model(str(final), torch.float32)
    assert all(weight.dtype == torch.float32 for weight in merged.parameters())


@pytest.mark.parametrize(
    ("reference", "precision"), [pytest.param("precomputed", "bf16", marks=pytest.mark.slow), ("online", "float32")]
)
def test_the_reference_is_the_quantized_model(
    pairs: Path, model: Path, tmp_path: Path, reference: str, precision: str
) -> None:
    """The adapter starts at zero, so the first loss is ln 2: the reference has the same weights."""
    changes = {"model": str(model), "lora": 4, "quantize": "4bit", "loss": "dpo", "sft_steps": 0, "steps": 2}
    other = {"activation_checkpointing": "selective" if reference == "online" else "none", "precision": precision}
    train(runs.config(pairs, tmp_path / "run", **changes, reference=reference, **other))
    found = {line["step"]: line["loss"] for line in lines(tmp_path / "run")}
    assert found[1] == pytest.approx(0.693147, abs=1e-5 if precision == "float32" else 2e-3)
    assert found[2] != found[1]


def test_weights_take_half_a_byte_and_evaluations_leave_them_alone(model: Path) -> None:
    plain = loading.load_model(str(model), torch.float32)
    quantized = loaded(model)
    matrix = plain.model.layers[0].mlp.up_proj.weight
    frozen = quantized.get_base_model().model.layers[0].mlp.up_proj.base_layer.weight
    assert frozen.nbytes * 8 == matrix.nbytes
    assert speed._elements(frozen) == matrix.numel(), "FLOPs are those of the weights, not of their bytes"
    before = frozen.data.clone()
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        logits = quantized.eval()(ids).logits
    assert torch.equal(frozen.data.view(-1), before.view(-1))
    assert torch.equal(quantized.train()(ids).logits, logits)
    expected = plain(ids).logits.detach()
    off = float((logits - expected).std() / expected.std())
    assert 0.001 < off < 0.5


def test_the_fingerprint_depends_on_the_scales_of_blocks(model: Path) -> None:
    """A matrix with doubled values has the same indices of 4 bits, and other scales."""
    quantized = loaded(model)
    before = fingerprint(quantized)
    frozen = quantized.get_base_model().model.layers[0].mlp.up_proj.base_layer.weight
    frozen.quant_state.state2.absmax *= 2
    assert fingerprint(quantized) != before


def test_checks_compute_in_float32(model: Path) -> None:
    """Otherwise the rounding of a product in bfloat16 would be taken for a fault of the model."""
    quantized = loaded(model, precision="bf16-pure")
    layer = quantized.get_base_model().model.layers[0].mlp.up_proj.base_layer
    assert layer.compute_dtype == torch.bfloat16
    with computing_in_float32(quantized):
        assert layer.compute_dtype == torch.float32
    assert layer.compute_dtype == torch.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["none", "4bit"])
def test_loading_is_quiet(model: Path, quantize: str) -> None:
    """In a new process, since bitsandbytes has its say when it is imported, and peft imports it for any adapter."""
    code = (
        "import torch; from pairgen.train.config import Config; from pairgen.train.model.loading import load; "
        f"config = Config(data=('pairs',), model={str(model)!r}, lora=4, quantize={quantize!r}, out='run'); "
        "load(config, [], torch.device('cpu'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_bitsandbytes_is_missing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = builtins.__import__

    def without(name: str, *others: Any, **more: Any) -> Any:
        if name == "bitsandbytes":
            raise ImportError(name)
        return before(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"needs bitsandbytes, which is not installed; .*'\.\[quantized\]'"):
        loaded(model)


def test_what_cannot_be_quantized(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--quantize 4bit needs --lora"):
        Config(quantize="4bit", model="some/model")
    config = Config(quantize="4bit", model="some/model", lora=4)
    with pytest.raises(UsageError, match="use --parallel ddp"):
        check_parallel(config, 2)
    check_parallel(config, 1)
    with pytest.raises(UsageError, match="is already quantized"):
        loading.load_model(str(tmp_path / "model.gguf"), torch.float32, quantized={"any": 1})
