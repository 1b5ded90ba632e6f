"""Multiple choice through token trees, compared with lm-evaluation-harness's own code: predictions, scores and time.

    python tests/bench/bench_eval.py --data FOLDER --model runs/dpop [--task arc:299:0 --task hellaswag:200:0:64 ...]

FOLDER holds ``arc/ARC-Challenge-{Train,Dev}.jsonl`` and ``hellaswag/hub_layout_validation``. A task is its name or the
folder of a pair dataset, the number of questions, of shots, and of choices per batch of the harness (0: as many as have
at most 1 GB of logits). Both ways run in this process, one after the other, in float32, on the requests of the tasks of
the harness. Times include all of an evaluation but loading the model and the rows. A prediction is that of ``acc`` or
that of ``acc_norm``.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS = {
    "arc": ("arc/ARC-Challenge-Dev.jsonl", "arc/ARC-Challenge-Train.jsonl"),
    "hellaswag": ("hellaswag/hub_layout_validation", None),
}
DEFAULT = ["arc:299:0", "hellaswag:300:0", "arc:40:5"]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--model", required=True)
    options.add_argument("--task", action="append", help="NAME:QUESTIONS:SHOTS[:BATCH_SIZE]")
    chosen = options.parse_args()

    import torch

    from pairgen.evaluate import language_model
    from pairgen.evaluate.options import EvaluationOptions

    loaded = language_model.load(chosen.model, EvaluationOptions(precision="float32", device="cpu", chat="off"))
    weights = sum(weight.numel() for weight in loaded.model.parameters())
    print(f"{chosen.model}: {weights / 1e6:.1f}M parameters, float32, {torch.get_num_threads()} threads\n")
    print(
        "task       questions  shots  other predictions  largest difference  acc (trees, harness)  "
        "acc_norm (trees, harness)  CPU seconds     ratio  wall seconds    ratio  scored again"
    )
    for task in chosen.task or DEFAULT:
        name, questions, shots, *batch_size = task.split(":")
        print(line(loaded, chosen.data, name, int(questions), int(shots), *map(int, batch_size)), flush=True)


def line(loaded: Any, data: Path, name: str, questions: int, shots: int, batch_size: int = 0) -> str:
    """Evaluate both ways and compare."""
    from pairgen.evaluate.choices.likelihoods import Likelihoods
    from pairgen.evaluate.harness import evaluate, loaded_tasks
    from pairgen.evaluate.options import EvaluationOptions
    from pairgen.evaluate.tasks import local_rows

    splits = zip((f"{name}=", f"{name}:train="), ROWS.get(name, ()), strict=False)
    sources = [f"{split}{data / file}" for split, file in splits if file]
    again = 0
    plain = Likelihoods.plain

    def counted(self: Any, pair: Any) -> Any:
        nonlocal again
        again += 1
        return plain(self, pair)

    found, cpu, wall = {}, {}, {}
    for harness in (False, True):
        options = EvaluationOptions(
            tasks=(name,), source=tuple(sources), shots=shots, limit=questions, harness=harness, batch_size=batch_size
        )
        with loaded_tasks(options, local_rows(options.source, options.tasks), print) as tasks:
            Likelihoods.plain = counted  # type: ignore[method-assign]
            wall[harness], cpu[harness] = time.perf_counter(), time.process_time()
            evaluation = evaluate(loaded, tasks, options, warn=print)
            wall[harness], cpu[harness] = time.perf_counter() - wall[harness], time.process_time() - cpu[harness]
            Likelihoods.plain = plain  # type: ignore[method-assign]
        (found[harness],) = evaluation.samples.values()
    ours, theirs = found[False], found[True]
    assert len(ours) == len(theirs) == questions
    other = sum(predictions(mine) != predictions(one) for mine, one in zip(ours, theirs, strict=True))
    off = max(np.abs(np.subtract(logps(mine), logps(one))).max() for mine, one in zip(ours, theirs, strict=True))
    acc, norm = (
        " ".join(f"{np.mean([sample[metric] for sample in of]):.4f}" for of in (ours, theirs))
        for metric in ("acc", "acc_norm")
    )
    return (
        f"{Path(name).name:10} {questions:9,}  {shots:5}  {other:17}  {off:13.1e} nats  {acc:>20}  {norm:>25}  "
        f"{cpu[False]:6.1f} {cpu[True]:7.1f}  {cpu[True] / cpu[False]:5.2f}x  {wall[False]:6.1f} {wall[True]:7.1f}  "
        f"{wall[True] / wall[False]:5.2f}x  {again:12} choices"
    )


def logps(sample: dict[str, Any]) -> list[float]:
    """The log-probs of the choices of a question."""
    return [logp for logp, _ in sample["filtered_resps"]]


def predictions(sample: dict[str, Any]) -> tuple[int, int]:
    """The predictions of ``acc`` and ``acc_norm``, as the harness finds them."""
    lengths = np.array([float(len(continuation) - 1) for _, continuation in sample["arguments"]])
    values = np.array(logps(sample))
    return int(values.argmax()), int((values / lengths).argmax())


if __name__ == "__main__":
    main()
