"""Rows in the layout of MetaMathQA (word problems, and exercises in the style of MATH) and of GSM8K."""

import re
from typing import Any

from pairgen.sources.sample import stories, worked_solutions
from pairgen.sources.sample.equations import LATEX, Linear, solve, write_linear
from pairgen.sources.sample.rng import SampleRng, in_split
from pairgen.sources.sample.templates import Block, divide, fill, latex, parse, phrases, read_blocks

# MetaMathQA's types in their proportions: 80, 80, 40 and 40 thousand rows of GSM; 75, 50, 15 and 15 of MATH. Half of
# the exercises have no backward question, and become Rephrased where they would be SV or FOBAR.
KINDS = {
    "GSM": ("AnsAug",) * 2 + ("Rephrased",) * 2 + ("SV", "FOBAR"),
    "MATH": ("AnsAug",) * 15 + ("Rephrased",) * 4 + ("SV", "FOBAR") * 6,
}
GSM_SHARE = 240 / 395

# This many consecutive rows share one original question, as several rows of MetaMathQA do.
ROWS_PER_QUESTION = 2

# "= \frac{2}{3} = \frac{2}{3}", where a fraction was in lowest terms already.
_REPEATED = re.compile(r"(?:(?<=\$)|(?<== ))(\S+) = \1(?= =|\$|\.)")


def metamath_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in MetaMathQA's layout."""
    question_rng = SampleRng("metamath", split, seed, "question", index // ROWS_PER_QUESTION)
    rng = SampleRng("metamath", split, seed, "row", index)
    source, write = ("GSM", _word_problem_row) if question_rng.chance(GSM_SHARE) else ("MATH", _exercise_row)
    return write(split, rng.choice(KINDS[source]), question_rng, rng)


def gsm8k_row(split: str, index: int, seed: int) -> dict[str, Any]:
    """One row in GSM8K's layout."""
    rng = SampleRng("gsm8k", split, seed, index)
    problem = stories.sample_problem(split, rng)
    return {"question": problem.question, "answer": worked_solutions.write_annotated_solution(problem, rng)}


def _word_problem_row(split: str, kind: str, question_rng: SampleRng, rng: SampleRng) -> dict[str, Any]:
    problem = stories.sample_problem(split, question_rng)
    original = query = problem.question
    if kind in ("SV", "FOBAR"):
        unknown = rng.choice(tuple(problem.story.meanings))
        query = worked_solutions.write_backward_question(problem, unknown, declared=kind == "SV")
        response = worked_solutions.write_backward_solution(problem, unknown, rng)
    else:
        if kind == "Rephrased":
            query = stories.reworded(problem, rng).question
        response = worked_solutions.write_solution(problem, rng)
    return {"type": f"GSM_{kind}", "query": query, "original_question": original, "response": response}


def _exercise_row(split: str, kind: str, question_rng: SampleRng, rng: SampleRng) -> dict[str, Any]:
    while True:
        exercise = question_rng.choice(read_blocks("exercises.txt"))
        slots = exercise.sample(question_rng)
        original = query = fill(exercise.wordings["ask"][0][0], slots)
        if in_split(split, original):
            break
    slots["answer"] = fill(exercise.lines["answer"][0], slots)
    if kind in ("SV", "FOBAR") and "equation" in exercise.lines:
        query = _backward_question(exercise, slots, declared=kind == "SV")
        response = _backward_solution(exercise, slots, rng)
    else:
        if kind != "AnsAug":
            kind, query = "Rephrased", fill(rng.choice(exercise.wordings["ask"][0][1:]), slots)
        response = _solution(exercise, slots, rng)
    return {"type": f"MATH_{kind}", "query": query, "original_question": original, "response": response}


def _solution(exercise: Block, slots: dict[str, Any], rng: SampleRng) -> str:
    texts = [phrases("exercise").choice("opening", rng)]
    texts += [rng.choice(texts) for texts in exercise.wordings["line"]]
    texts.append(phrases("exercise").choice("ending", rng))
    solution = rng.choice((" ", " ", "\n")).join([fill(text, slots) for text in texts if text])
    return _REPEATED.sub(r"\1", solution) + f"\nThe answer is: {slots['answer']}"


def _backward_question(exercise: Block, slots: dict[str, Any], declared: bool) -> str:
    ask = "hat is the value of unknown variable X?"
    if declared:
        return f"{fill(exercise.lines['known'][0], slots)} W{ask}"
    known = f"If we know the answer to the above question is ${slots['answer']}$, w{ask}"
    return f"{fill(exercise.lines['unknown'][0], slots)} {known}"


def _backward_solution(exercise: Block, slots: dict[str, Any], rng: SampleRng) -> str:
    """The equation and its solution."""
    text, left, right = exercise.lines["equation"][0].split("; ")
    text, result = fill(text, slots), parse(right).evaluate(slots)
    at_0, at_1 = (parse(left).evaluate({**slots, "X": x}) for x in (0, 1))
    form = Linear(at_1 - at_0, at_0)
    lines = [f"{phrases('exercise').choice('equation', rng)} ${text}$."]
    simple = f"{write_linear(form, LATEX)} = {latex(result)}"
    if simple != text.replace(r" \cdot X", "X"):
        lines.append(f"{phrases('exercise').choice('simpler', rng)} ${simple}$.")
    lines += solve(form, result, LATEX, rng)
    solution = latex(divide(result - form.constant, form.slope))
    if rng.chance(0.7):
        lines.append(f"The value of $X$ is ${solution}$.")
    return worked_solutions.with_final_answer(lines, solution)
