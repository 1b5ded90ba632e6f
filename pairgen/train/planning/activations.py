"""Bytes per token that a layer keeps for its backward pass, as the layers of transformers and attention compute them.

The tests compare with the tensors that autograd keeps. H is the hidden size, Q the width of queries (heads times head
size), K that of keys, I the intermediate size. For a Llama in float32 they are, without compilation::

    norms       the input x and x / rms(x), of two norms       4 H
    inputs      of q, k, v; of gate, up                        2 H
    attention   query, key, value, output                      2 Q + 2 K
    MLP         gate, silu(gate), up, their product            4 I

In bfloat16 with autocast, x is float32 and every product keeps its own cast of its input. Compiled layers keep the
inputs and results of products, and compute the rest again.
"""

from pairgen.train.planning.setting import Setting
from pairgen.train.planning.shape import Shape


def per_token(shape: Shape, setting: Setting) -> float:
    """Bytes per token of a layer that keeps everything for its backward pass."""
    return _compiled(shape, setting) if setting.compiled else _norms(shape, setting) + _products(shape, setting)


def layer_input(shape: Shape, setting: Setting) -> int:
    """Bytes per token of the input of a layer: all that full activation checkpointing keeps of it."""
    return shape.hidden * setting.weight_bytes


def products(shape: Shape, setting: Setting) -> int:
    """Bytes per token of the results of attention and matrix products, which selective checkpointing keeps besides."""
    gates = 2 if shape.gated else 1
    results = shape.query_width + 2 * shape.key_width + 2 * shape.hidden
    results += shape.active_experts * gates * shape.intermediate
    attention = shape.query_width * (4 if _in_float32(setting) else setting.layer_bytes)
    adapters = setting.lora * 7 * 4  # of each matrix, the product with the first one
    return results * setting.layer_bytes + attention + adapters


def kept(shape: Shape, setting: Setting) -> float:
    """Bytes per token of a layer between its forward and its backward pass."""
    if setting.checkpointing == "none":
        return per_token(shape, setting)
    return layer_input(shape, setting) + (products(shape, setting) if setting.checkpointing == "selective" else 0)


def _in_float32(setting: Setting) -> bool:
    """Whether attention is computed in float32: ``cpu_attention.split_attention``, which also repeats heads."""
    return setting.trees and not setting.on_gpu


def final_norm(shape: Shape, setting: Setting) -> int:
    """Bytes per token of the norm behind the layers, which is not compiled."""
    return shape.hidden * _norm(setting)


def _norm(setting: Setting) -> int:
    """Bytes per value of a norm: its input, in float32, and the normalized input if its weight is trained."""
    return 4 + (0 if setting.lora else setting.weight_bytes)


def _norms(shape: Shape, setting: Setting) -> int:
    heads = shape.query_width + shape.key_width if shape.head_norms else 0
    return shape.norms * shape.hidden * _norm(setting) + heads * (4 + (0 if setting.lora else setting.bytes))


def _products(shape: Shape, setting: Setting) -> int:
    size, hidden, query = setting.layer_bytes, shape.hidden, shape.query_width
    adapted = setting.precision == "bf16-pure" and setting.lora > 0  # peft keeps adapters in float32, and casts to it
    per_input = 4 if adapted else setting.bytes
    gates = 2 if shape.gated else 1
    casts = 3 + gates if setting.autocast or adapted else 2
    inputs = casts * hidden * per_input
    float32 = _in_float32(setting)
    attention = 4 * query * 4 if float32 else 2 * (query + shape.key_width) * size
    if adapted or (float32 and setting.bytes < 4):
        attention += query * per_input  # the output, cast for the next product
    active = shape.active_experts * shape.intermediate
    return inputs + attention + active * ((2 * gates - 1) * size + per_input)


def _compiled(shape: Shape, setting: Setting) -> int:
    size, hidden = setting.bytes, shape.hidden
    gates = 2 if shape.gated else 1
    active = shape.active_experts * shape.intermediate
    heads = (shape.query_width + shape.key_width) * size if shape.head_norms else 0  # before they are normalized
    residual = hidden * setting.weight_bytes + shape.norms // 2 * 3 * hidden * size
    return residual + 2 * (shape.query_width + shape.key_width) * size + heads + (1 + gates) * active * size
