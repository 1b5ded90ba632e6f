"""Models that FSDP shards, compared with whole ones. Run under torchrun; the main process prints a JSON object."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from helpers.token_groups import random_groups
from pairgen.progress import ignore
from pairgen.train.config import Config
from pairgen.train.context import RunContext
from pairgen.train.devices.placement import Placement
from pairgen.train.devices.sharding import own_weights
from pairgen.train.distributed import World, join_world
from pairgen.train.layout.padded import padded_batch
from pairgen.train.model import loading
from pairgen.train.model.scorer import Scorer
from pairgen.train.output import weights
from pairgen.train.output.checkpoint import Policy

CPU = torch.device("cpu")


def compare(folder: Path, world: World, **options: Any) -> dict[str, Any]:
    """How far the log-probs and gradients of a sharded model are from those of the whole one, and what it saves."""
    config = Config(model=str(folder), device="cpu", **{"precision": "float32", **options})
    computes = "float32" if config.precision == "float32" else "bf16-pure"
    whole = Scorer(loading.load(replace(config, precision=computes), [], CPU)[0])
    in_float32 = Scorer(loading.load(config, [], CPU)[0]).float()
    placement = Placement(config, RunContext(folder, folder, world, ignore, ignore), CPU)
    loaded, tokenizer = placement.load([])
    placed = placement.place(loaded)
    batch = padded_batch(random_groups(0, 3, vocabulary=64))
    trained: Any = placed.trained()
    expected, found = whole(batch), trained(batch)
    expected.sum().backward()
    found.sum().backward()
    gradients = {
        name: weight.grad.full_tensor() for name, weight in trained.named_parameters() if weight.grad is not None
    }
    of_whole = {name: weight.grad for name, weight in whole.named_parameters() if weight.grad is not None}
    with placed.exact() as exact:
        off = float((exact(batch) - in_float32(batch)).detach().abs().max())
    kept = [
        sum(weight.to_local().untyped_storage().nbytes() for weight in module.parameters())
        for module in (exact, trained)
    ]
    own = own_weights(trained)
    policy = Policy(trained, torch.optim.AdamW(own), tokenizer, placed.blueprint)
    saved = folder / f"saved-{world.size}"
    if world.is_main:
        saved.mkdir()
    world.barrier()
    weights.write_part(saved, policy, weights.snapshot(policy, world, copy=True), world)
    world.barrier()
    if world.is_main:
        weights.merge_parts(saved)
    world.barrier()
    return {
        "devices": sorted({value.device.type for value in [*loaded.parameters(), *loaded.buffers()]}),
        "own weights": sum(weight.to_local().numel() for weight in own) / sum(weight.numel() for weight in own),
        "log-probs": float((found - expected).detach().abs().max()),
        "exact": off,
        "kept": kept,
        "weights with gradient": [len(gradients), len(of_whole)],
        "gradients": max(
            float((gradients[name] - value).norm() / (1e-3 + value.norm())) for name, value in of_whole.items()
        ),
        "saved": _equal(saved, in_float32.model, config),
    }


def _equal(saved: Path, model: Any, config: Config) -> bool:
    """Whether the saved model is this one."""
    if config.lora:
        return (saved / "adapter_model.safetensors").is_file()
    found, wanted = loading.load_model(str(saved), torch.float32).state_dict(), model.state_dict()
    return found.keys() == wanted.keys() and all(torch.equal(found[name], value) for name, value in wanted.items())


def main() -> None:
    """Arguments: a JSON object of options for each folder."""
    with join_world("cpu") as world:
        found = {folder: compare(Path(folder), world, **options) for folder, options in json.loads(sys.argv[1]).items()}
        if world.is_main:
            print(json.dumps(found))


if __name__ == "__main__":
    main()
