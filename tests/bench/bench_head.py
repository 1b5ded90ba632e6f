"""Time and memory of log-probs, forward and backward, compared with a ``log_softmax`` over all logits.

    python tests/bench/bench_head.py [--positions 4096] [--vocabulary 151936] [--hidden 512] [--repeats 3]

Each measurement runs in a new process: it creates hidden states and an LM head in float32 on the CPU and computes the
log-probs of all positions and their gradients. Memory is the increase of the process's peak (``ru_maxrss``) during the
step, including the gradient of the head. Prints the median of several rounds; each round measures both once, in the
same order.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

METHODS = ("plain", "pairgen")


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

    function = {"plain": plain, "pairgen": logprobs}[method]

    def run(positions: int, vocabulary: int) -> tuple[float, int]:
        hidden = torch.randn(positions, width, requires_grad=True)
        weight = torch.randn(vocabulary, width).div_(width**0.5).requires_grad_()
        targets = torch.randint(vocabulary, (positions,))
        before, start = peak(), time.perf_counter()
        function(hidden, weight, targets).sum().backward()
        return time.perf_counter() - start, peak() - before

    torch.manual_seed(0)
    run(8, 64)  # exclude lazy loading at the first use from the step
    return run(positions, vocabulary)


def step_in_new_process(method: str, *sizes: int) -> tuple[float, int]:
    """``step`` in a new process. Its peak starts at the memory of this process, which therefore stays small."""
    command = [sys.executable, __file__, "--step", method, *map(str, sizes)]
    seconds, increase = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), int(increase)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--positions", type=int, default=4096)
    options.add_argument("--vocabulary", type=int, default=151_936)
    options.add_argument("--hidden", type=int, default=512)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.step:
        method, *sizes = arguments.step
        print(*step(method, *map(int, sizes)))
        return
    sizes = (arguments.positions, arguments.vocabulary, arguments.hidden)
    rounds = []
    for _ in range(arguments.repeats):
        rounds.append([step_in_new_process(method, *sizes) for method in METHODS])
        measured = (
            f"{method} {seconds:.1f} s {increase / 1e6:.0f} MB"
            for method, (seconds, increase) in zip(METHODS, rounds[-1], strict=True)
        )
        print("  ".join(measured), file=sys.stderr)
    (plain_seconds, plain_bytes), (our_seconds, our_bytes) = (
        tuple(statistics.median(column) for column in zip(*runs, strict=True)) for runs in zip(*rounds, strict=True)
    )
    print(
        f"{sizes[0]:,} positions, vocabulary {sizes[1]:,}, hidden {sizes[2]}, float32, "
        f"median of {arguments.repeats} rounds"
    )
    print(f"peak memory of the step: pairgen {our_bytes / 1e6:.0f} MB / plain {plain_bytes / 1e6:.0f} MB", end=" ")
    print(f"= {our_bytes / plain_bytes:.0%}   (target: <= 40%)")
    ratio = our_seconds / plain_seconds
    print(f"time of the step: pairgen {our_seconds:.2f} s / plain {plain_seconds:.2f} s = {ratio:.2f}")


if __name__ == "__main__":
    main()
