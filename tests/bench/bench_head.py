"""Time and memory of the LM head's log-probs, forward and backward, against one ``log_softmax`` over all logits.

    python tests/bench/bench_head.py [--positions 4096] [--vocabulary 151936] [--hidden 512] [--repeats 3]

Each measurement runs in its own process: it creates hidden states and a head in float32 on the CPU, takes log-probs of
all positions, and their gradients. Memory is the increase of the process's peak (``ru_maxrss``) during the step; it
includes the head's own gradient for both. Prints the median of several rounds; in each round both are measured once, in
the same order.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

METHODS = ("plain", "ours")


def peak() -> int:
    """Peak memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def step(method: str, positions: int, vocabulary: int, width: int) -> tuple[float, int]:
    """Seconds of one step in this process, and the increase of peak memory in bytes."""
    import torch
    from torch import Tensor

    from pairgen.train.model.logprobs import logprobs

    def plain(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        return torch.nn.functional.linear(hidden, weight).log_softmax(-1).gather(1, targets[:, None])[:, 0]

    function = {"plain": plain, "ours": logprobs}[method]

    def run(positions: int, vocabulary: int) -> tuple[float, int]:
        hidden = torch.randn(positions, width, requires_grad=True)
        weight = torch.randn(vocabulary, width).div_(width**0.5).requires_grad_()
        targets = torch.randint(vocabulary, (positions,))
        before, start = peak(), time.perf_counter()
        function(hidden, weight, targets).sum().backward()
        return time.perf_counter() - start, peak() - before

    torch.manual_seed(0)
    run(8, 64)  # lazy loading at the first use must not count as part of the step
    return run(positions, vocabulary)


def in_its_own_process(method: str, *sizes: int) -> tuple[float, int]:
    """The same in a new process. The parent stays small, because a child's peak starts at its parent's memory."""
    command = [sys.executable, __file__, "--step", method, *map(str, sizes)]
    seconds, lifted = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), int(lifted)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--positions", type=int, default=4096)
    options.add_argument("--vocabulary", type=int, default=151_936)
    options.add_argument("--hidden", type=int, default=512)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.step:
        method, *sizes = asked.step
        print(*step(method, *map(int, sizes)))
        return
    sizes = (asked.positions, asked.vocabulary, asked.hidden)
    rounds = []
    for _ in range(asked.repeats):
        rounds.append([in_its_own_process(method, *sizes) for method in METHODS])
        measured = (
            f"{method} {seconds:.1f} s {lifted / 1e6:.0f} MB"
            for method, (seconds, lifted) in zip(METHODS, rounds[-1], strict=True)
        )
        print("  ".join(measured), file=sys.stderr)
    (plain_seconds, plain_bytes), (our_seconds, our_bytes) = (
        tuple(statistics.median(column) for column in zip(*runs, strict=True)) for runs in zip(*rounds, strict=True)
    )
    print(
        f"{sizes[0]:,} positions, vocabulary {sizes[1]:,}, hidden {sizes[2]}, float32, median of {asked.repeats} rounds"
    )
    print(f"peak memory of the step: ours {our_bytes / 1e6:.0f} MB / plain {plain_bytes / 1e6:.0f} MB", end=" ")
    print(f"= {our_bytes / plain_bytes:.0%}   (target: <= 40%)")
    print(
        f"time of the step: ours {our_seconds:.2f} s / plain {plain_seconds:.2f} s = {our_seconds / plain_seconds:.2f}"
    )


if __name__ == "__main__":
    main()
