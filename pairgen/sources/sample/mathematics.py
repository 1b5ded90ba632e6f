"""Rows in the shape of MetaMathQA and of GSM8K."""

from itertools import accumulate
from typing import Any

from pairgen.sources.sample import backward, exercise
from pairgen.sources.sample.algebra import ALGEBRA
from pairgen.sources.sample.calculation import CALCULATION
from pairgen.sources.sample.counting import COUNTING
from pairgen.sources.sample.draw import Draw, belongs
from pairgen.sources.sample.exercise import Exercise
from pairgen.sources.sample.geometry import GEOMETRY
from pairgen.sources.sample.problem import asked, draw_problem, fill_slots, reworded
from pairgen.sources.sample.worked import write_marked, write_solution

EXERCISES = (*ALGEBRA, *CALCULATION, *GEOMETRY, *COUNTING)

# MetaMathQA's 395,000 rows by type, in thousands; the GSM types are 240 of them.
SHARES = {
    "GSM": (("AnsAug", 80), ("Rephrased", 80), ("SV", 40), ("FOBAR", 40)),
    # 50, 15, 15 in truth; 45% of the exercises can be turned round, and the others become Rephrased.
    "MATH": (("AnsAug", 75), ("Rephrased", 14), ("SV", 33), ("FOBAR", 33)),
}
KINDS = {source: tuple(kind for kind, _ in shares) for source, shares in SHARES.items()}
LIMITS = {source: tuple(accumulate(share for _, share in shares)) for source, shares in SHARES.items()}

# What may stand before and after the solution of an exercise.
OPENINGS = ("", "", "", "Let us work this out.", "We go step by step.", "Here is one way to do it.")
ENDINGS = ("", "", "", "The final answer is ${}$.", "Therefore, the answer is ${}$.", "So we have found ${}$.")

# So many rows in a run share one original question, as all of MetaMathQA's rows share theirs with others.
SHARING = 2


def metamath_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row of MetaMathQA's shape."""
    d = Draw("metamath", split, seed, "question", index // SHARING)
    r = Draw("metamath", split, seed, "row", index)
    source = "GSM" if d.chance(240 / 395) else "MATH"
    point = r.random() * LIMITS[source][-1]
    kind = next(kind for kind, limit in zip(KINDS[source], LIMITS[source], strict=True) if point < limit)
    return _word_problem(split, kind, d, r) if source == "GSM" else _exercise(split, kind, d, r)


def _word_problem(split: str, kind: str, d: Draw, r: Draw) -> dict[str, Any]:
    problem = draw_problem(split, d)
    slots = fill_slots(problem)
    original = query = asked(problem, slots, problem.wording)
    if kind in ("SV", "FOBAR"):
        hidden = r.pick(tuple(problem.story.hidden))
        query = backward.backward_query(problem, hidden, declared=kind == "SV")
        response = backward.backward_solution(problem, hidden, r)
    else:
        if kind == "Rephrased":
            query = asked(problem, slots, reworded(problem, r))
        response = write_solution(problem, slots, r)
    return {"type": f"GSM_{kind}", "query": query, "original_question": original, "response": response}


def _exercise(split: str, kind: str, d: Draw, r: Draw) -> dict[str, Any]:
    task = _draw_exercise(split, d, r)
    original = query = task.asks[0]
    turned = task.backward
    if kind in ("SV", "FOBAR") and turned is None:
        kind = "Rephrased"
    if kind in ("SV", "FOBAR") and turned is not None:
        query = exercise.backward_query(turned, task.answer, declared=kind == "SV")
        response = exercise.backward_solution(turned, r)
    else:
        if kind == "Rephrased":
            query = r.pick(task.asks[1:])
        ending = r.pick(ENDINGS).format(task.answer)
        lines = [line for line in (r.pick(OPENINGS), *task.solution, ending) if line]
        response = f"{r.pick((' ', ' ', chr(10))).join(lines)}\nThe answer is: {task.answer}"
    return {"type": f"MATH_{kind}", "query": query, "original_question": original, "response": response}


def _draw_exercise(split: str, d: Draw, r: Draw) -> Exercise:
    """Draw exercises until one belongs to the split."""
    while True:
        task = d.pick(EXERCISES)(d, r)
        if belongs(split, task.asks[0]):
            return task


def gsm8k_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row of GSM8K's shape."""
    d = Draw("gsm8k", split, seed, index)
    problem = draw_problem(split, d)
    slots = fill_slots(problem)
    return {"question": asked(problem, slots, problem.wording), "answer": write_marked(problem, slots, d)}
