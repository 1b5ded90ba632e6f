"""The weights of a model in the Hugging Face layout, written by all processes at once.

Every weight belongs to one process, which has it whole in memory while it writes it: those of a layer to the same one,
since transformers may merge or split some of them in its files. Then the main process gives the files their names.
"""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from safetensors import safe_open
from torch import Tensor
from torch.distributed.tensor import DTensor

from pairgen.train.distributed import World
from pairgen.train.model import loading as models
from pairgen.train.output.checkpoint import Policy

PART = ".part-{rank}"
INDEX = "model.safetensors.index.json"


def snapshot(policy: Policy, world: World, copy: bool) -> dict[str, Tensor]:
    """The weights that this process writes, on the CPU. Every process must call it.

    Args:
        copy: whether they must not change with those of the model.
    """
    weights = policy.weights()
    owner = owners(((name, weight.numel()) for name, weight in weights.items()), world.size)
    if hasattr(policy.scorer.model, "peft_config"):  # the file of an adapter cannot be divided
        owner = dict.fromkeys(weights, 0)
    own: dict[int, Tensor | None] = {}  # tied weights once, under the id of the tensor
    for name, weight in weights.items():
        if id(weight) not in own:
            sharded = isinstance(weight, DTensor)
            whole = weight.detach().full_tensor() if sharded else weight.detach()
            own[id(weight)] = whole.to("cpu", copy=copy and not sharded) if owner[name] == world.rank else None
    return {name: value for name, weight in weights.items() if (value := own[id(weight)]) is not None}


def owners(sizes: Iterable[tuple[str, int]], processes: int) -> dict[str, int]:
    """The process of each weight: all of a layer have the same, and the processes about as much to write.

    >>> owners([("embed", 9), ("layers.0.a", 4), ("layers.0.b", 4), ("layers.1.a", 4), ("layers.1.b", 4)], 2)
    {'embed': 0, 'layers.0.a': 1, 'layers.0.b': 1, 'layers.1.a': 1, 'layers.1.b': 1}
    """
    parts: dict[str, list[str]] = defaultdict(list)
    weight: dict[str, int] = defaultdict(int)
    for name, size in sizes:
        part = layer.group() if (layer := re.match(r".*?\.\d+\.", name)) else ""
        parts[part].append(name)
        weight[part] += size
    given = [0] * processes
    found: dict[str, int] = {}
    for part in sorted(parts, key=lambda name: -weight[name]):
        process = given.index(min(given))
        given[process] += weight[part]
        found |= dict.fromkeys(parts[part], process)
    return found


def write_part(folder: Path, policy: Policy, weights: dict[str, Tensor], world: World) -> None:
    """Write this process's weights; the main process also writes config, tokenizer and other files."""
    part = folder / PART.format(rank=world.rank)
    if world.is_main:
        models.save(policy.blueprint, policy.tokenizer, part, weights)
    elif weights:
        models.save_weights(policy.blueprint, part, weights)
    if weights and not list(part.glob("*.safetensors")):
        raise RuntimeError(f"transformers {version('transformers')} wrote no weights in process {world.rank}")


def merge_parts(folder: Path) -> None:
    """Move what all processes wrote to the model's folder. Only the main process must call it."""
    main = folder / PART.format(rank=0)
    parts = sorted(folder.glob(PART.format(rank="*")), key=lambda part: int(part.name.rpartition("-")[2]))
    files = [file for part in parts for file in sorted(part.glob("model*.safetensors"))]
    if len(files) > 1:
        names = {file: f"model-{number:05}-of-{len(files):05}.safetensors" for number, file in enumerate(files, 1)}
        index: dict[str, str] = {}
        for file, name in names.items():
            with safe_open(file, "pt") as content:
                index |= dict.fromkeys(content.keys(), name)
            file.rename(folder / name)
        (main / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=2))
    for file in main.iterdir():
        file.rename(folder / file.name)
    for part in parts:
        shutil.rmtree(part)
