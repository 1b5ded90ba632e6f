"""Memory of training as `pairgen plan` computes it, against what a process takes; the paper's hours against its.

    python tests/bench/bench_plan.py [--precision float32] [--steps 3] [--checkpointing selective] [--keep-freed]
    python tests/bench/bench_plan.py --paper

Each size is trained for some steps in a new process, on a CPU, on random pairs in token trees, with AdamW. Measured
is the increase of the resident memory's peak (``ru_maxrss``) over that before the model is made, after a step of a
tiny model: weights, gradients, optimizer states, activations and logits, without Python, torch and its code, which are
printed in a column of their own. Freed tensors are given back to the system, as in a ``pairgen train`` that needs much
of the memory, except with ``--keep-freed``; CPU time per step, in torch and in the system, shows what that costs.

``--paper`` prints, for each model of the Smaug paper, the memory of a GPU and the hours of its steps, with batches of
64 pairs, and the pairs per step with which the plan would take the hours that the paper states.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the helpers of the tests are

SIZES: dict[str, dict[str, int]] = {
    "12M": {"hidden": 320, "layers": 6, "intermediate": 864, "vocabulary": 8192, "groups": 24},
    "60M": {"hidden": 640, "layers": 8, "intermediate": 1728, "vocabulary": 16_384, "groups": 16},
    "200M": {"hidden": 1024, "layers": 12, "intermediate": 2752, "vocabulary": 32_768, "groups": 12},
}
LENGTH = 120
"""Most tokens of a completion."""
PAPER = (
    ("llama2-7b", {"gpu": "GH200", "steps": 2000}, None),
    ("yi-34b", {"gpus": 8, "steps": 6000}, 108.0),
    ("qwen-72b", {"gpus": 8, "steps": 5000}, 144.0),
)
"""Base models, machines and steps of the paper, and the hours that it states; for 34B, with its SFT."""
PAPER_BATCH = 64


def peak() -> int:
    """Peak memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def trained(size: dict[str, int], setting: Any, steps: int) -> tuple[Any, Any, list[os.times_result]]:
    """Train a Llama of some size; returns its shape, the batch, and the CPU times after each step."""
    import torch
    from helpers.token_groups import random_groups
    from transformers import LlamaConfig, LlamaForCausalLM

    from pairgen.train.layout.tree import tree_batch
    from pairgen.train.memory_savers.recomputation import checkpoint_activations
    from pairgen.train.model.scorer import Scorer
    from pairgen.train.planning.architectures import shape_of

    config = LlamaConfig(
        vocab_size=size["vocabulary"],
        hidden_size=size["hidden"],
        intermediate_size=size["intermediate"],
        num_hidden_layers=size["layers"],
        num_attention_heads=8,
        num_key_value_heads=4,
        use_cache=False,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16 if setting.precision == "bf16-pure" else torch.float32).train()
    checkpoint_activations(model, setting.checkpointing)
    scorer = Scorer(model)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    batch = tree_batch(random_groups(0, size["groups"], length=LENGTH, vocabulary=size["vocabulary"]), 8192, "group")
    times = []
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=setting.autocast):
            logps = scorer(batch)
        batch.completions(logps).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(os.times())
    return shape_of(config.to_dict(), "llama"), batch, times


def measure(name: str, precision: str, checkpointing: str, steps: int, keep_freed: bool) -> tuple[float, ...]:
    """Weights, tokens, bytes planned, measured and of libraries, and seconds per step (user, system), of one size."""
    from pairgen.train.memory_savers.cpu_memory import return_freed_memory
    from pairgen.train.planning.memory import LIBRARIES
    from pairgen.train.planning.memory import peak as planned
    from pairgen.train.planning.setting import Setting

    if not keep_freed:
        return_freed_memory()
    setting = Setting(precision=precision, checkpointing=checkpointing, compiled=False, on_gpu=False)
    trained({"hidden": 64, "layers": 1, "intermediate": 64, "vocabulary": 512, "groups": 2}, setting, 1)
    before = peak()
    shape, batch, times = trained(SIZES[name], setting, steps)
    found = planned(shape, setting, batch.tokens.numel(), len(batch.targets))
    spent = [(times[-1][kind] - times[0][kind]) / max(1, steps - 1) for kind in range(2)]
    return shape.weights, batch.tokens.numel(), found.total - LIBRARIES, peak() - before, before, *spent


def compare(options: argparse.Namespace) -> None:
    """Print a row for each size."""
    print(
        "| weights | tokens | plan | measured | plan / measured | Python, libraries | seconds per step, user + system |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in SIZES if not options.only else [options.only]:
        words = [sys.executable, __file__, "--size", name, "--precision", options.precision]
        words += ["--steps", str(options.steps), "--checkpointing", options.checkpointing]
        words += ["--keep-freed"] * options.keep_freed
        output = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        weights, tokens, plan, measured, libraries, user, system = map(float, output)
        sizes = f"{weights / 1e6:,.1f}M | {tokens:,.0f} | {plan / 1e6:,.0f} MB | {measured / 1e6:,.0f} MB"
        print(
            f"| {sizes} | {plan / measured:.2f} | {libraries / 1e6:,.0f} MB | {user:.2f} + {system:.2f} |", flush=True
        )


def paper() -> None:
    """Print a row for each model and way to train."""
    from pairgen.train.planning.plan import plan
    from pairgen.train.planning.request import PlanOptions

    print("| model | trained | GB of a GPU | smallest machine | hours | in the paper | pairs per step for that |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, machine, hours in PAPER:
        for trained, ways in (
            ("all weights, bf16", {}),
            ("all weights, bf16-pure", {"precision": "bf16-pure"}),
            ("LoRA 16, bf16-pure", {"precision": "bf16-pure", "lora": 16}),
        ):
            options: dict[str, Any] = {"model": name, "activation_checkpointing": "full", "batch_size": PAPER_BATCH}
            found = plan(PlanOptions(**options | machine | ways))
            memory = f"{found.total_gb:.0f} of {found.gpu_memory_gb:g}{'' if found.fits else ', too much'}"
            theirs = f"{hours:g}" if hours else "not stated"
            pairs = f"{PAPER_BATCH * hours / found.hours:,.0f}" if hours else "-"
            smallest = found.smallest_machine or "none known"
            print(f"| {name} | {trained} | {memory} | {smallest} | {found.hours:.1f} | {theirs} | {pairs} |")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--precision", default="float32", choices=["float32", "bf16", "bf16-pure"])
    options.add_argument("--steps", type=int, default=3, choices=range(2, 1000), metavar="N")
    options.add_argument("--checkpointing", default="none", choices=["none", "selective", "full"])
    options.add_argument("--keep-freed", action="store_true", help="let the C library keep the memory of freed tensors")
    options.add_argument("--only", choices=SIZES, help="one size")
    options.add_argument("--paper", action="store_true")
    options.add_argument("--size", choices=SIZES, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.paper:
        paper()
    elif arguments.size:
        given = arguments.precision, arguments.checkpointing, arguments.steps, arguments.keep_freed
        print(*measure(arguments.size, *given))
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
