"""FSDP2: a model that is never whole on any device.

The main process loads it on the CPU; the others build its structure only, on the meta device. Each weight is then cut
along its first dimension, and every process receives its part (``spread``). ``Parts.module`` puts the parts into a copy
of the structure, as often as needed: in float32 for the checks, then as it is trained. While a layer is computed, its
weights are gathered, in mixed precision as bfloat16; gradients are then summed in float32.
"""

import copy
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Shard

from pairgen.errors import UnsupportedModel
from pairgen.train.distributed import World
from pairgen.train.model.scorer import Scorer, layers_of

META = torch.device("meta")


def is_sharded(module: nn.Module) -> bool:
    """Whether FSDP shards a module: every pass then needs all processes."""
    return isinstance(module, FSDPModule)


def own_weights(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a module that are trained; of a sharded one, the parts of this process."""
    if isinstance(module, FSDPModule):
        module.reshard()  # after a pass without a backward pass, some are still gathered
    return [weight for weight in module.parameters() if weight.requires_grad]


@dataclass(frozen=True)
class Parts:
    """What this process has of a model: its part of each weight, and all other tensors."""

    outline: Scorer
    """The model without data, on the meta device."""
    tensors: dict[tuple[str, ...], Tensor]
    """Weights, buffers and other tensors, by the names that they have in the model; tied weights have several."""
    mesh: DeviceMesh

    def module(self, mixed: bool = False, dtype: torch.dtype | None = None) -> Any:
        """A ``Scorer`` that FSDP shards, with these parts as its weights.

        Args:
            mixed: compute in bfloat16; weights and optimizer keep their type.
            dtype: of copies of the weights; None: the weights themselves, for an optimizer to change.
        """
        scorer = copy.deepcopy(self.outline)
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if mixed else None,
            reduce_dtype=torch.float32 if mixed else None,
            cast_forward_inputs=False,
        )
        layers = layers_of(scorer.causal)
        owners = Counter(weight for layer in layers for weight in set(layer.parameters()))
        for layer in layers:
            if all(owners[weight] == 1 for weight in layer.parameters()):
                fully_shard(layer, mesh=self.mesh, mp_policy=policy)
        fully_shard(scorer, mesh=self.mesh, mp_policy=policy)  # with the layers that share weights, such as Zamba's
        places = _tensors(scorer)
        for names, part in self.tensors.items():
            value = _weight(part, dtype) if isinstance(part, DTensor) else part.clone()
            for name in names:
                setattr(*places[name], value)
        return scorer


def spread(scorer: Scorer, world: World, device: torch.device) -> Parts:
    """Cut a model among all processes. Every process must call it.

    Args:
        scorer: in the main process the model, on the CPU; it loses its data. In the others, its structure.

    Raises:
        UnsupportedModel: a model that cannot be sharded.
    """
    described = world.agree(lambda: _described(scorer) if world.is_main else [])
    described = json.loads(world.text_of_main(json.dumps(described)))
    places = _tensors(scorer)
    world.agree(lambda: _check(scorer, places.keys(), described))
    mesh = init_device_mesh(device.type, (world.size,))
    tensors: dict[tuple[str, ...], Tensor] = {}
    for names, shape, dtype, is_weight, is_trained in described:
        outline = torch.empty(shape, dtype=getattr(torch, dtype), device=META)
        if is_weight:
            outline = nn.Parameter(outline, is_trained)
        whole = _value(*places[names[0]]).detach() if world.is_main else None
        for name in names:
            setattr(*places[name], outline)
        move = _own_part if is_weight else _copied
        tensors[tuple(names)] = move(whole, outline, mesh)
    return Parts(scorer, tensors, mesh)


def _weight(part: Tensor, dtype: torch.dtype | None) -> nn.Parameter:
    return nn.Parameter(part if dtype is None else part.to(dtype), part.requires_grad)


# ---------------------------------------------------------------- structure

Place = tuple[nn.Module, str]
"""A module, and the name of its weight, buffer or other tensor."""


def _tensors(scorer: Scorer) -> dict[str, Place]:
    """All tensors of a model by name."""
    return {
        f"{prefix}.{key}".removeprefix("."): (module, key)
        for prefix, module in scorer.named_modules()
        for key, value in {**module._parameters, **module._buffers, **vars(module)}.items()
        if isinstance(value, Tensor)
    }


def _value(module: nn.Module, key: str) -> Tensor:
    value: Tensor = getattr(module, key)
    return value


def _described(scorer: Scorer) -> list[Any]:
    """For each tensor: its names, shape, type, and whether it is a weight, and one that is trained.

    Raises UnsupportedModel if FSDP does not shard it.
    """
    names: dict[int, list[str]] = {}
    found: dict[int, Tensor] = {}
    for name, place in _tensors(scorer).items():
        value = _value(*place)
        names.setdefault(id(value), []).append(name)
        found[id(value)] = value
        if isinstance(value, nn.Parameter) and not (value.ndim and value.is_floating_point()):
            raise UnsupportedModel(
                f"{type(scorer.causal).__name__}: FSDP cannot shard {name} ({value.dtype}, shape {list(value.shape)}); "
                "use --parallel ddp"
            )
    return [
        [
            names[at],
            list(value.shape),
            str(value.dtype).removeprefix("torch."),
            isinstance(value, nn.Parameter),
            value.requires_grad,
        ]
        for at, value in found.items()
    ]


def _check(scorer: Scorer, names: Collection[str], described: list[Any]) -> None:
    """Raise UnsupportedModel if the structure of a model has other tensors than those of the main process."""
    others = {name for entry in described for name in entry[0]} ^ set(names)
    if others:
        raise UnsupportedModel(
            f"{type(scorer.causal).__name__}: FSDP cannot shard it, since its structure depends on its weights "
            f"({min(others)}); use --parallel ddp"
        )


# ---------------------------------------------------------------- messages


def _own_part(whole: Tensor | None, outline: Tensor, mesh: DeviceMesh) -> Tensor:
    """This process's part of a weight, whole in the main process: as many rows as in each other, the last ones fewer.

    Worked example, 5 rows in 4 processes: 2, 2, 1 and none.
    """
    rows = -(-len(outline) // mesh.size())
    row = prod(outline.shape[1:]) * outline.itemsize
    part = torch.empty(rows * row, dtype=torch.uint8, device=mesh.device_type)
    if whole is None:
        dist.scatter(part, None, 0)
    else:
        content = part.new_zeros(mesh.size() * len(part))
        content[: whole.nbytes] = _bytes(whole).to(content.device)
        dist.scatter(part, list(content.chunk(mesh.size())), 0)
    own = max(0, min(rows, len(outline) - mesh.get_rank() * rows))
    local = part[: own * row].view(outline.dtype).view(own, *outline.shape[1:])
    found = DTensor.from_local(local, mesh, [Shard(0)], run_check=False, shape=outline.shape, stride=outline.stride())
    return found.requires_grad_(outline.requires_grad)


def _copied(whole: Tensor | None, outline: Tensor, mesh: DeviceMesh) -> Tensor:
    """A tensor of the main process, in all of them."""
    shape = outline.shape
    content = torch.empty(outline.nbytes, dtype=torch.uint8, device=mesh.device_type)
    if whole is not None:
        content.copy_(_bytes(whole))
    if content.numel():
        dist.broadcast(content, 0)
    return content.view(outline.dtype).view(shape)


def _bytes(value: Tensor) -> Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)
