"""GSM8K accuracy of a pretrained model before and after DPO and DPOP on MetaMath pairs, with paired tests.

    python tests/bench/bench_gsm8k.py --data FOLDER --model MODEL --out STUDIES [--questions 1000] [--workers 4]

FOLDER holds ``metamath/GSM_AnsAug.json`` and ``gsm8k/train.jsonl``. Pairs are built from the former; 40 are held out.
Questions and few-shot examples are different rows of the latter, whose questions no pair asks. Each loss is trained for
one epoch at each learning rate; lm-evaluation-harness then asks the questions, with greedy decoding. The report goes to
``STUDIES/gsm8k-real``; finished runs and evaluations are kept beside it and reused.
"""

import argparse
import json
import random
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pairgen import run_folder
from pairgen.evaluate.outcome import Evaluation, differences
from pairgen.evaluate.paired import Paired
from pairgen.evaluate.results_folder import is_results, load
from pairgen.report.documents.content import Bars, Cell, Column, Report, Table
from pairgen.report.documents.number_format import COUNT, NATS, SHARE, NumberFormat, Spread
from pairgen.report.documents.report_folder import write_report
from pairgen.run_folder.described import about_model
from pairgen.studies.running.about import this_machine

BASE = "base"
LOSSES = ("dpo", "dpop")
BETA, BATCH_SIZE, HELD_OUT, SHOTS = 0.3, 8, 40, 50
FILTERS = {"strict-match": "after ####", "flexible-extract": "last number"}
POINTS = NumberFormat(1, signed=True, percent=True)
RATE, P_VALUE = NumberFormat(0, scientific=True), NumberFormat(4)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--model", required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--questions", type=int, default=1000)
    options.add_argument("--rate", type=float, action="append", help="learning rate; repeat it for more")
    options.add_argument("--device", default="auto")
    options.add_argument("--workers", type=int, default=1, help="runs at the same time")
    chosen = options.parse_args()
    rates = sorted(chosen.rate or (1e-6, 3e-6, 1e-5))
    work = chosen.out / "gsm8k"
    work.mkdir(parents=True, exist_ok=True)
    questions = write_questions(chosen.data, work, chosen.questions)
    if not (work / "pairs").is_dir():
        source = str(chosen.data / "metamath" / "GSM_AnsAug.json")
        pairgen(["build", "metamath", "--source", source, "--eval-size", str(HELD_OUT), "--out", str(work / "pairs")])
    runs = {BASE: (BASE, 0.0), **{f"{loss}-{rate:g}": (loss, rate) for loss in LOSSES for rate in rates}}

    def run(name: str) -> None:
        loss, rate = runs[name]
        model = chosen.model if name == BASE else str(train(work, chosen, loss, rate))
        evaluate(work, chosen, name, model)

    with ThreadPoolExecutor(chosen.workers) as pool:
        list(pool.map(run, runs))
    found = {name: load(work / "results" / name) for name in runs}
    report = make_report(chosen, work, {runs[name]: one for name, one in found.items()}, questions)
    for file in write_report(report, chosen.out / "gsm8k-real"):
        print(file)


# ---------------------------------------------------------------- work


def write_questions(data: Path, work: Path, wanted: int) -> int:
    """Write the questions and the few-shot examples. Returns the number of questions that no pair asks."""
    asked = {plain(row["original_question"]) for row in json.loads((data / "metamath/GSM_AnsAug.json").read_text())}
    rows = [json.loads(line) for line in (data / "gsm8k/train.jsonl").read_text().splitlines()]
    unseen = [row for row in rows if plain(row["question"]) not in asked]
    random.Random(0).shuffle(unseen)
    for name, part in (("shots", unseen[:SHOTS]), ("questions", unseen[SHOTS:][:wanted])):
        (work / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return len(unseen)


def plain(text: str) -> str:
    """A question without what spacing and letter case change."""
    return " ".join(text.lower().split())


def train(work: Path, chosen: Any, loss: str, rate: float) -> Path:
    """The model of a run, trained unless it is there."""
    folder = work / f"{loss}-{rate:g}"
    if not (folder / run_folder.FINAL).is_dir():
        pairgen([
            "train", str(work / "pairs"), "--model", chosen.model, "--loss", loss, "--beta", str(BETA),
            "--batch-size", str(BATCH_SIZE), "--epochs", "1", "--learning-rate", f"{rate:g}", "--precision", "bf16",
            "--eval-pairs", "0", "--best", "none", "--save-every", "0", "--device", chosen.device, "--reference-dir",
            str(work / "reference" / (folder.name if chosen.workers > 1 else "all")),
            "--out", str(folder), "--overwrite",
        ])  # fmt: skip
    return folder / run_folder.FINAL


def evaluate(work: Path, chosen: Any, name: str, model: str) -> None:
    """Have a model answer the questions, unless its results are there."""
    folder = work / "results" / name
    if not is_results(folder):
        pairgen([
            "eval", model, "--tasks", "gsm8k", "--source", str(work / "questions.jsonl"),
            "--source", f"train={work / 'shots.jsonl'}", "--precision", "bf16-pure",
            "--batch-size", "128" if chosen.device == "cuda" else "20", "--device", chosen.device, "--out", str(folder),
        ])  # fmt: skip


def pairgen(arguments: list[str]) -> None:
    """Run a command of pairgen; its output goes to this one's."""
    print(shlex.join(["pairgen", *arguments]), flush=True)
    subprocess.run([sys.executable, "-m", "pairgen", *arguments], check=True)


# ---------------------------------------------------------------- report


def make_report(chosen: Any, work: Path, found: dict[tuple[str, float], Evaluation], unseen: int) -> Report:
    """Accuracies with their intervals, paired differences, and what they say."""
    asked = next(iter(found.values())).scores[0].questions
    comparisons = compared(found)
    by_chance = 0.05 * len(comparisons)
    pairs = json.loads((work / "pairs" / "pairgen.json").read_text())["splits"]
    return Report(
        title="GSM8K before and after training on MetaMath pairs",
        question="Does a model that is trained on pairs with one wrong result answer more questions correctly?",
        setting={
            "command": f"python tests/bench/bench_gsm8k.py --model {Path(chosen.model).name} --questions {asked}",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine_of_runs(work, chosen.device),
            "model": about_model(chosen.model),
            "data": f"{pairs['train']['pairs']:,} training pairs of GSM_AnsAug, {pairs['eval']['pairs']} held out",
            "training": f"one epoch in batches of {BATCH_SIZE} pairs, beta {BETA}, bf16, AdamW, cosine schedule",
            "questions": f"{asked:,} of the {unseen:,} questions of GSM8K's train split that no pair asks; "
            "5 shots of others, greedy decoding, lm-evaluation-harness",
        },
        tables=[accuracy_table(work, found), difference_table(comparisons)],
        figures=[bars(found)],
        findings=findings(comparisons),
        not_shown=[
            "What another seed of training would give: each run is one seed. The intervals are over questions.",
            f"Which difference is real: {by_chance:.1f} of {len(comparisons)} intervals exclude 0 by chance.",
            "GSM8K's test split, longer training, larger models.",
        ],
    )


def machine_of_runs(work: Path, device: str) -> str:
    """The machine that the answers were generated on, noted beside them."""
    file = work / "machine.txt"
    if not file.is_file():
        file.write_text(this_machine(device) + "\n")
    return file.read_text().strip()


def accuracies(evaluation: Evaluation) -> dict[str, Spread]:
    """By filter: accuracy with its 95% interval, normal approximation by the harness's standard error."""
    return {
        score.filter: Spread(
            score.value,
            max(0.0, score.value - 1.96 * (score.stderr or 0)),
            min(1.0, score.value + 1.96 * (score.stderr or 0)),
        )
        for score in evaluation.scores
        if score.metric == "exact_match"
    }


def accuracy_table(work: Path, found: dict[tuple[str, float], Evaluation]) -> Table:
    """A row per model: what became of held-out chosen completions, and how many answers are correct."""
    columns = [
        Column("model"),
        Column("learning rate", RATE),
        Column("chosen log-ratio, held out", NATS),
        Column("below reference, held out", SHARE),
        *(Column(f"correct, {about}", SHARE) for about in FILTERS.values()),
    ]
    rows: list[list[Cell]] = []
    for (loss, rate), evaluation in found.items():
        cells: list[Cell] = [loss, None, 0.0, None]
        if loss != BASE:
            last = run_folder.open_run(work / f"{loss}-{rate:g}").values(run_folder.EVAL, last=True)
            cells = [loss, rate, last["logratios/chosen"], last["chosen_below_reference"]]
        rows.append([*cells, *(accuracies(evaluation)[name] for name in FILTERS)])
    notes = [
        "Correct: share of questions, with 95% intervals over questions.",
        "after ####: the number that follows ####; last number: the last one of the answer.",
        "Chosen log-ratio: mean over held-out pairs.",
    ]
    return Table("Models", columns, rows, notes)


@dataclass(frozen=True)
class Comparison:
    """One model against another on the same questions, with one way of reading the answer."""

    name: str
    other: str
    rate: float
    about: str
    """How the answer is read."""
    paired: Paired

    @property
    def difference(self) -> Spread:
        """The difference with its interval, widened to include the difference itself."""
        value, (low, high) = self.paired.difference, self.paired.interval
        return Spread(value, min(low, value), max(high, value))


def compared(found: dict[tuple[str, float], Evaluation]) -> list[Comparison]:
    """Every model against the base, and DPOP against DPO at each learning rate."""
    base = found[BASE, 0.0]
    pairs = [(loss, BASE, rate, base, one) for (loss, rate), one in found.items() if loss != BASE]
    rates = dict.fromkeys(rate for loss, rate in found if loss != BASE)
    pairs += [("dpop", "dpo", rate, found["dpo", rate], found["dpop", rate]) for rate in rates]
    return [
        Comparison(name, other, rate, FILTERS[one.filter], one.paired)
        for name, other, rate, a, b in pairs
        for one in differences(a, b, warn=print)
        if one.filter in FILTERS
    ]


def difference_table(comparisons: list[Comparison]) -> Table:
    """A row per comparison."""
    columns = [
        Column("model"),
        Column("against"),
        Column("learning rate", RATE),
        Column("answer"),
        Column("difference", POINTS),
        Column("only the first is correct", COUNT),
        Column("only the second is correct", COUNT),
        Column("p (McNemar)", P_VALUE),
    ]
    rows: list[list[Cell]] = [
        [one.name, one.other, one.rate, one.about, one.difference, one.paired.only_b, one.paired.only_a,
         one.paired.p_value]
        for one in comparisons
    ]  # fmt: skip
    return Table("Differences on the same questions", columns, rows, ["With 95% bootstrap intervals over questions."])


def bars(found: dict[tuple[str, float], Evaluation]) -> Bars:
    """Accuracy by model."""
    names = [loss if loss == BASE else f"{loss}, {rate:g}" for loss, rate in found]
    values = [accuracies(one) for one in found.values()]
    return Bars(
        name="accuracy",
        title="GSM8K accuracy by loss and learning rate",
        x_label="model",
        y_label="correct answers",
        categories=names,
        series={about: [one[name] for one in values] for name, about in FILTERS.items()},
        number=SHARE,
        note="95% intervals over questions.",
    )


def findings(comparisons: list[Comparison]) -> list[str]:
    """A sentence per difference whose paired interval excludes 0, and one that counts the other comparisons."""
    texts = []
    for one in comparisons:
        paired = one.paired
        low, high = paired.interval
        if not low <= 0 <= high:
            texts.append(
                f"At a learning rate of {one.rate:g}, {one.name} answers {'more' if low > 0 else 'fewer'} questions "
                f"correctly ({one.about}) than {one.other}: {SHARE.show(paired.mean_b)} against "
                f"{SHARE.show(paired.mean_a)}, a difference of {POINTS.show(one.difference)}; McNemar's p = "
                f"{P_VALUE.show(paired.p_value)}."
            )
    if alike := len(comparisons) - len(texts):
        texts.append(f"In {alike} of {len(comparisons)} comparisons, the difference cannot be told from chance.")
    return texts


if __name__ == "__main__":
    main()
