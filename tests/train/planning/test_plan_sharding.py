"""What a plan says of models that FSDP shards: nothing is ever whole on a GPU."""

from dataclasses import replace

import pytest

from pairgen.train.planning.architectures import find_shape
from pairgen.train.planning.memory import peak
from pairgen.train.planning.setting import Setting


@pytest.mark.parametrize("reference", ["precomputed", "online"])
@pytest.mark.parametrize("precision", ["float32", "bf16", "bf16-pure"])
def test_the_reference_is_sharded_and_no_copies_are_kept(reference: str, precision: str) -> None:
    shape, one = find_shape("qwen-72b"), Setting(precision=precision, reference=reference)
    parts = peak(shape, replace(one, gpus=8), 1000, 500).parts
    whole = one.weight_bytes * shape.weights
    assert parts["weights"] == whole / 8
    assert parts.get("reference model") == (whole / 8 if reference == "online" else None)
    assert "bfloat16 copies" not in parts
    gathered = (4 if precision == "float32" else 2) * (shape.tables + 2 * shape.layer_weights)
    assert parts["gathered layers"] == gathered
    assert sum(parts.values()) < whole


def test_an_adapter_of_72_billion_weights_fits_8_gpus_of_80_gb() -> None:
    """Their float32 weights alone are 289 GB."""
    setting = Setting(lora=16, gpus=8)
    assert peak(find_shape("qwen-72b"), setting, 1024, 512).total < 80e9
    assert peak(find_shape("qwen-72b"), replace(setting, sharded=False), 1024, 512).total > 289e9
