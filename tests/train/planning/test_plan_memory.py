"""Planned memory against what torch allocates, and what autograd keeps, on a CPU."""

import tempfile
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
import transformers
from helpers.token_groups import random_groups
from helpers.torch_memory import allocated_peak, kept_bytes

from pairgen.train.config import Config
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.memory_savers.quantization import keep_layout, loading_options
from pairgen.train.memory_savers.recomputation import checkpoint_activations
from pairgen.train.model import logprobs
from pairgen.train.model.scorer import Scorer
from pairgen.train.planning import activations, memory
from pairgen.train.planning.architectures import shape_of
from pairgen.train.planning.memory import peak
from pairgen.train.planning.setting import Setting
from pairgen.train.planning.shape import Shape

SIZES: dict[str, dict[str, int]] = {
    "wide vocabulary": {"vocab_size": 20_000, "hidden_size": 128, "intermediate_size": 300, "num_hidden_layers": 2},
    "medium": {"vocab_size": 2000, "hidden_size": 256, "intermediate_size": 700, "num_hidden_layers": 4},
    "deep": {"vocab_size": 512, "hidden_size": 192, "intermediate_size": 500, "num_hidden_layers": 8},
}


class Trained(NamedTuple):
    """A model that is ready to train, and what is planned for it."""

    scorer: Scorer
    batch: Batch
    shape: Shape
    setting: Setting

    def forward(self) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.setting.autocast):
            result: torch.Tensor = self.scorer(self.batch)
        return result


def trained(size: str = "medium", kind: str = "llama", groups: int = 12, **options: Any) -> Trained:
    setting = Setting(**{"precision": "float32", "compiled": False, "on_gpu": False, **options})
    dimensions = {**SIZES[size], "num_attention_heads": 8, "num_key_value_heads": 4}
    head = {} if kind == "llama" else {"head_dim": dimensions["hidden_size"] // 8}
    config = transformers.AutoConfig.for_model(kind, **dimensions, **head)
    dtype = torch.bfloat16 if setting.precision == "bf16-pure" else torch.float32
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).train()
    if setting.quantize != "none":
        model = in_4_bits(model, setting.precision)
    model.config.use_cache = False
    checkpoint_activations(model, setting.checkpointing)
    if setting.lora:
        peft = pytest.importorskip("peft")
        model = peft.get_peft_model(
            model, peft.LoraConfig(r=setting.lora, target_modules="all-linear", task_type="CAUSAL_LM")
        )
    batch = tree_batch(random_groups(0, groups, length=40), 4096, "group" if setting.trees else "none")
    return Trained(Scorer(model), batch, shape_of(config.to_dict(), kind), setting)


def in_4_bits(model: Any, precision: str) -> Any:
    pytest.importorskip("bitsandbytes")
    config = Config(model="some/model", lora=4, quantize="4bit")
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        options = loading_options(config, precision, torch.device("cpu"))
        found = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=model.dtype, **options)
    keep_layout(found)
    return found.train()


def measured_peak(run: Trained) -> int:
    """Bytes at the peak of a step, weights and optimizer states included."""
    weights = [weight for weight in run.scorer.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, fused=True)

    def step() -> None:
        for _ in range(2 if run.setting.accumulates else 1):
            run.batch.completions(run.forward()).sum().backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    step()  # which creates the optimizer states
    states = [values for state in optimizer.state.values() for values in state.values()]
    constant = sum(values.numel() * values.element_size() for values in [*run.scorer.parameters(), *states])
    return constant + allocated_peak(step)


def planned_peak(run: Trained) -> float:
    found = peak(run.shape, run.setting, run.batch.tokens.numel(), len(run.batch.targets))
    return found.total - memory.LIBRARIES


CASES: list[dict[str, Any]] = [
    *({"size": size} for size in SIZES),
    *({"size": size, "groups": 1} for size in SIZES),
    {"trees": False},
    {"accumulates": True},
    {"checkpointing": "full", "groups": 24},
    {"checkpointing": "selective", "groups": 24},
    {"checkpointing": "selective", "groups": 24, "trees": False, "size": "deep"},
    {"checkpointing": "selective", "groups": 24, "precision": "bf16"},
    {"checkpointing": "selective", "groups": 24, "lora": 4},
    {"precision": "bf16"},
    {"precision": "bf16", "checkpointing": "full", "groups": 24},
    {"precision": "bf16-pure"},
    {"lora": 4},
    {"lora": 4, "precision": "bf16"},
    {"lora": 4, "precision": "bf16-pure"},
    {"lora": 4, "quantize": "4bit"},
    {"lora": 4, "quantize": "4bit", "precision": "bf16"},
    {"lora": 4, "quantize": "4bit", "precision": "bf16-pure", "checkpointing": "selective", "groups": 24},
    {"kind": "gemma3_text"},
    {"kind": "gemma3_text", "groups": 1},
    {"kind": "qwen3", "precision": "bf16", "trees": False},
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: ", ".join(map(str, case.values())))
def test_plan_is_within_15_percent_of_what_torch_allocates(case: dict[str, Any]) -> None:
    run = trained(**case)
    assert planned_peak(run) == pytest.approx(measured_peak(run), rel=0.15)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"trees": False},
        {"precision": "bf16"},
        {"precision": "bf16-pure"},
        {"lora": 4},
        {"lora": 4, "precision": "bf16-pure"},
        {"lora": 4, "quantize": "4bit"},
        {"lora": 4, "quantize": "4bit", "precision": "bf16"},
        {"lora": 4, "quantize": "4bit", "precision": "bf16-pure"},
        {"kind": "gemma3_text"},
        {"kind": "qwen3", "precision": "bf16", "trees": False},
    ],
    ids=lambda case: ", ".join(map(str, case.values())),
)
def test_activations_of_a_layer_are_the_tensors_that_autograd_keeps(case: dict[str, Any]) -> None:
    """Bytes per token of one more layer, from models of two depths; rotary tables and the like are per position."""
    kept = []
    for layers in (1, 3):
        run = trained(**case, groups=6)
        config = run.scorer.causal.config
        run.scorer.causal.model.layers = run.scorer.causal.model.layers[:layers]
        config.num_hidden_layers = layers
        kept.append(kept_bytes(run.scorer, run.forward))
    copies = 2 * run.shape.layer_matrices if run.setting.autocast and run.setting.quantize == "none" else 0
    adapters = 2 * run.shape.adapter(run.setting.lora) / run.shape.layers if run.setting.autocast else 0
    per_layer = (kept[1] - kept[0]) / 2 - copies - adapters
    planned = activations.per_token(run.shape, run.setting) * run.batch.tokens.numel()
    assert planned == pytest.approx(per_layer, rel=0.04)


def test_blocks_of_logits_are_those_of_the_trainer() -> None:
    assert memory.HEAD_BLOCKS == {**logprobs.BLOCKS, "cuda": logprobs.OTHER_BLOCK}
    assert memory.MAX_KEPT == logprobs.MAX_KEPT


def test_more_tokens_take_more_and_more_gpus_less() -> None:
    shape = trained().shape
    for setting in (
        Setting(),
        Setting(checkpointing="full"),
        Setting(checkpointing="selective"),
        Setting(lora=4),
        Setting(precision="bf16-pure"),
    ):
        totals = [peak(shape, setting, tokens, tokens / 2).total for tokens in (0, 100, 1000, 10_000)]
        assert totals == sorted(totals)
        sharded = [peak(shape, replace(setting, gpus=gpus), 1000, 500).total for gpus in (2, 4, 8)]
        assert sharded == sorted(sharded, reverse=True)
