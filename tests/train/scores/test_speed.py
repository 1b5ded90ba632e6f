"""The work of batches and the FLOPs of models, against counts of what is really computed."""

import torch
import transformers
from helpers.slow_trees import groups_sharing_prefixes
from helpers.token_groups import SMALL, random_groups, tiny_llama
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from pairgen.train.data.groups import TokenGroup
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Work
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.kernels.tree_mask import TreeMask
from pairgen.train.scores.speed import Interval, ModelFlops, peak_memory, product_rate


@given(groups=groups_sharing_prefixes(), share=st.sampled_from(["none", "prompt", "group", "shots"]))
@settings(deadline=None)
def test_work_of_a_batch(groups: list[TokenGroup], share: str) -> None:
    """Attended keys are those of the mask, without padding, which attends to itself."""
    batch = tree_batch(groups, 30, share)
    assert batch.work.labels == len(batch.targets)
    if batch.subtree_end is not None and batch.positions is not None:
        mask = TreeMask(batch.subtree_end, batch.positions).dense()
        assert batch.work.attended == int(mask.sum()) - (batch.tokens.numel() - batch.work.tokens)
    else:
        lengths = [len(group.prompt) + len(ids) for group in groups for ids in group.completions]
        lengths += [len(group.prompt) + len(group.completions[0]) for group in groups for _ in group.completions[2:]]
        assert batch.work.attended == sum(length * (length + 1) // 2 for length in lengths)
    chosen, rejected = (part.flatten().tolist() for part in batch.completion_index.chunk(2))
    differing = [label for label in range(batch.work.labels) if chosen.count(label) != rejected.count(label)]
    assert batch.work.differing == len(differing)


def test_flops_are_those_of_matrix_products() -> None:
    """A pass of the model without its head, with attention computed for all keys."""
    model = tiny_llama(dtype=torch.float32)
    model.set_attn_implementation("eager")
    tokens = torch.arange(3 * 14).reshape(3, 14) % 23
    with FlopCounterMode(display=False) as counter:
        model.base_model(tokens).last_hidden_state.sum().backward()
    assert ModelFlops(model).of(Work(3 * 14, 3 * 14 * 14, 0, 0)) == counter.get_total_flops()


def test_flops_of_the_head_are_those_of_its_labels() -> None:
    model = tiny_llama()
    size = model.lm_head.weight.numel()
    count = ModelFlops(model).of
    assert count(Work(0, 0, 10, 4)) == size * (2 * 10 + 4 * 4)
    assert count(Work(0, 0, 10, 0)) == size * 6 * 10, "without rejected completions, every label is trained"


def test_frozen_weights_have_no_gradients_to_compute() -> None:
    model = tiny_llama()
    trained = ModelFlops(model).of(Work(12, 0, 0, 0))
    model.requires_grad_(False)
    assert ModelFlops(model).of(Work(12, 0, 0, 0)) == trained * 4 / 6


def test_flops_count_the_experts_in_use() -> None:
    config = transformers.MixtralConfig(**SMALL, num_local_experts=8, num_experts_per_tok=2)
    model = transformers.AutoModelForCausalLM.from_config(config)
    inner = {name: weight for name, weight in model.named_parameters() if "layers" in name and weight.ndim > 1}
    experts = sum(weight.numel() for name, weight in inner.items() if ".experts." in name)
    assert experts
    weights = sum(weight.numel() for weight in inner.values()) - experts * 6 / 8
    assert ModelFlops(model).of(Work(5, 0, 0, 0)) == 6 * 5 * weights


def test_throughput_of_an_interval() -> None:
    model = tiny_llama()
    flops = ModelFlops(model)
    batches = [tree_batch(random_groups(seed, 3), 200, "group") for seed in (0, 1)]
    interval = Interval(flops, peak=1e9)
    interval.started -= 10
    interval.add({}, batches, 6, {})
    found = interval.throughput(World(), torch.device("cpu"))
    done = sum(flops.of(batch.work) for batch in batches)
    assert 0.9 < found["tflops"] * 1e12 * 10 / done <= 1
    assert found["mfu"] == found["tflops"] * 1e12 / 1e9
    assert 0.9 < found["tokens_per_second"] * 10 / sum(batch.work.tokens for batch in batches) <= 1
    assert interval.restarted().flops == 0


def test_peak_of_the_device_and_memory_of_the_process() -> None:
    device, state = torch.device("cpu"), torch.get_rng_state()
    assert product_rate.__wrapped__(device, torch.float32) > 1e8
    assert torch.equal(torch.get_rng_state(), state), "a run's random state stays as it is"
    used = torch.ones(30_000_000).sum()
    assert used
    assert peak_memory(device) > 200e6
