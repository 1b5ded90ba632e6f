"""Memory and time of a step on one pair of up to 32k tokens, on a CPU, for each kind of activation checkpointing.

    python tests/bench/bench_long.py [--tokens 4096 32768] [--kinds none full] [--families llama gemma2]

A pair has a prompt of a quarter of the tokens and two completions that share half of theirs. Each step runs in a new
process, in which freed tensors are given back to the system; measured is the increase of the resident memory's peak.
Attention takes the larger part of the time at 32k tokens, and a model of this size.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the helpers of the tests are

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gemma3_text": {"sliding_window": 1024, "head_dim": 32},
    "gemma2": {"sliding_window": 1024, "head_dim": 32},
}
"""Full attention; layers with a window; every other layer with a window, and soft caps on scores."""
SIZES = {
    "vocab_size": 8192,
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1 << 15,
}


def peak() -> int:
    """Peak memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(family: str, kind: str, tokens: int) -> tuple[int, float]:
    """Bytes and seconds of a step."""
    import torch
    import transformers
    from helpers.token_groups import group

    from pairgen.train.layout.tree import tree_batch
    from pairgen.train.memory_savers.cpu_memory import return_freed_memory
    from pairgen.train.memory_savers.recomputation import checkpoint_activations
    from pairgen.train.model.scorer import Scorer

    return_freed_memory()
    config = transformers.AutoConfig.for_model(family, **SIZES | FAMILIES[family])
    model = transformers.AutoModelForCausalLM.from_config(config).train()
    model.config.use_cache = False
    checkpoint_activations(model, kind)
    scorer = Scorer(model)

    def step(count: int) -> None:
        ids = torch.randint(0, 8192, (count,), generator=torch.Generator().manual_seed(0)).tolist()
        prompt, start, chosen, rejected = (ids[at * count // 4 : (at + 1) * count // 4] for at in range(4))
        batch = tree_batch([group(prompt, start + chosen, start + rejected)], 1 << 15, "group")
        assert batch.tokens.numel() == count
        batch.completions(scorer(batch)).sum().backward()

    step(64)
    before, start = peak(), time.perf_counter()
    step(tokens)
    return peak() - before, time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--tokens", type=int, nargs="+", default=[4096, 8192, 32768])
    options.add_argument("--kinds", nargs="+", default=["none", "selective", "full"])
    options.add_argument("--families", nargs="+", default=list(FAMILIES))
    options.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.one:
        family, kind, tokens = arguments.one
        print(*measure(family, kind, int(tokens)))
        return
    print("| model | activation checkpointing | tokens | memory | kB per token | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for family in arguments.families:
        for kind in arguments.kinds:
            for tokens in arguments.tokens:
                words = [sys.executable, __file__, "--one", family, kind, str(tokens)]
                output = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
                size, seconds = map(float, output)
                each = f"{size / tokens / 1e3:.0f} | {seconds:.1f}"
                print(f"| {family} | {kind} | {tokens:,} | {size / 1e6:,.0f} MB | {each} |", flush=True)


if __name__ == "__main__":
    main()
