"""Worked solutions of word problems: in MetaMath's style, with GSM8K's calculator annotations, and backward."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from pairgen.sources.sample.equations import UNKNOWN, Linear, as_linear, side, solve
from pairgen.sources.sample.rng import SampleRng
from pairgen.sources.sample.stories import Problem, Step, reworded, with_unknown, write_amount, write_number
from pairgen.sources.sample.templates import Value, capitalized, fill, phrases, plain

# A lead that begins like this gets no opening: "In the end, in the end she has" would be the result.
OPENING_LEADS = (
    "in the end",
    "then ",
    "now ",
    "at first",
    "after ",
    "since ",
    "together ",
    "with ",
    "over ",
    "in all",
    "that ",
)


class Style(NamedTuple):
    """How one solution writes its calculations."""

    operators: dict[str, str]
    units: bool = False  # "8 boxes x 6 pencils/box"
    dollars: bool = False  # "$" on operands, not only on results
    commas: bool = False
    percent: str = "decimal"  # "%", "decimal" or "fraction"


@cache
def _operators(times: str = "*", over: str = "/", space: str = " ") -> dict[str, str]:
    symbols = {"+": "+", "-": "-", "*": times, "/": over}
    return {operator: f"{space}{symbol}{space}" for operator, symbol in symbols.items()}


def _sample_style(rng: SampleRng) -> Style:
    times, over, units = rng.choice("****xx×"), "÷" if rng.chance(0.08) else "/", rng.chance(0.15)
    space = "" if times == "*" and rng.chance(0.12) and not units else " "
    dollars, commas, percent = units or rng.chance(0.55), rng.chance(0.5), rng.choice(("%", "decimal", "fraction"))
    return Style(_operators(times, over, space), units, dollars, commas, percent)


# ---------------------------------------------------------------- calculations


def _write_operand(value: Value, unit: str, style: Style) -> str:
    if unit == "%":
        percent = plain(value * 100)
        return {"%": f"{percent}%", "fraction": f"{percent}/100"}.get(style.percent) or f"{float(value):.2f}"
    if unit == "fraction":
        return f"{value.numerator}/{value.denominator}"
    if unit[:1] != "$":
        return plain(value, style.commas) + (f" {unit}" if style.units and unit else "")
    written = plain(value, style.commas, cents=True)
    return f"{'$' if style.dollars else ''}{written}{unit[1:] if style.units else ''}"


def _write_expression(problem: Problem, step: Step, style: Style) -> str:
    """The calculation of a step; without units where an operand has none."""
    tokens, units = step.expression.tokens, problem.story.units
    if style.units and not all(units.get(token) not in (None, "", "%", "fraction") for token in tokens[::2]):
        style = style._replace(units=False)
    written = []
    for token in tokens:
        if token in units:
            unit = problem.fill(units[token]) if style.units else units[token]
            written.append(_write_operand(problem.values[token], unit, style))
        else:
            written.append(style.operators.get(token, token))
    return "".join(written)


def _write_terms(problem: Problem, step: Step, style: Style) -> str:
    """A calculation with the values of its terms: ``12 + 5`` for ``4 * 3 + 5``."""
    terms = step.expression.terms
    money = "$" if step.unit == "$" and not any(operator in ("*", "/") for operator, _ in terms) else ""
    style, values = style._replace(units=False), problem.values
    return "".join(
        style.operators.get(operator, "") + _write_operand(evaluate(values), money, style)
        for operator, evaluate in terms
    )


def _write_lead(problem: Problem, step: Step, rng: SampleRng) -> str:
    return problem.fill(rng.choice(step.leads))


def _write_rest(problem: Problem, step: Step) -> str:
    """What follows a result: its noun, and the rest of the sentence."""
    noun = "" if step.unit in ("$", "") else " " + problem.fill(step.unit)
    return f"{noun} {problem.fill(step.tail)}" if step.tail else noun


# ---------------------------------------------------------------- solutions


def with_final_answer(lines: Sequence[str], answer: str) -> str:
    """The lines of a solution, then the answer as MetaMathQA repeats it."""
    return "\n".join(lines) + f"\n#### {answer}\nThe answer is: {answer}"


def write_solution(problem: Problem, rng: SampleRng) -> str:
    """A response in MetaMath's style: one line for each step, then the answer twice."""
    style, count = _sample_style(rng), len(problem.story.steps)
    positions = ["first", *["middle"] * (count - 2), "last"]
    lines = [
        _write_step(problem, step, style, phrases("solution").choice(position, rng), rng)
        for step, position in zip(problem.story.steps, positions, strict=True)
    ]
    if rng.chance(0.2):
        lines.insert(0, reworded(problem, rng).sentences()[0])
    if rng.chance(0.45):
        lines.append(problem.answer_sentence(phrases("solution").choice("closing", rng)))
    return with_final_answer(lines, problem.answer)


def _write_step(problem: Problem, step: Step, style: Style, opening: str, rng: SampleRng) -> str:
    equation = _write_expression(problem, step, style)
    if step.expression.terms and rng.chance(0.7):
        equation += f" = {_write_terms(problem, step, style)}"
    equation += f" = {write_amount(problem.values[step.key], step.unit, style.commas)}"
    lead = _write_lead(problem, step, rng)
    if opening and not lead.startswith(OPENING_LEADS):
        lead = f"{opening} {lead}"
    form, rest = phrases("solution").choice("step", rng), _write_rest(problem, step)
    meaning = problem.fill(step.meaning) if "<meaning>" in form else ""
    return capitalized(fill(form, {"lead": lead, "equation": equation, "rest": rest, "meaning": meaning}))


def write_annotated_solution(problem: Problem, rng: SampleRng) -> str:
    """An answer in GSM8K's style: each calculation with its annotation, ``48/2 = <<48/2=24>>24 clips``."""
    space, percent = rng.choice((" ", " ", "")), rng.choice(("decimal", "fraction"))
    style = Style(_operators(rng.choice("**x"), space=space), dollars=rng.chance(0.5), percent=percent)
    annotation = Style(_operators(space=""), percent=percent)
    equals = "=" if space == "" and rng.chance(0.5) else " = "
    lines = []
    for step in problem.story.steps:
        shown = _write_expression(problem, step, style) + equals + ("$" if step.unit == "$" else "")
        result = write_number(problem.values[step.key], step.unit)
        annotated = f"{shown}<<{_write_expression(problem, step, annotation)}={result}>>{result}"
        rest = _write_rest(problem, step) + ("." if rng.chance(0.7) else "")
        lines.append(f"{capitalized(_write_lead(problem, step, rng))} {annotated}{rest}")
    return "\n".join(lines) + f"\n#### {problem.answer}"


# ---------------------------------------------------------------- backward questions


def write_backward_question(problem: Problem, unknown: str, declared: bool) -> str:
    """The question with x for a number; the answer is stated in it (``declared``, SV) or after it (FOBAR)."""
    problem = with_unknown(problem, unknown)
    ask = "hat is the value of unknown variable x?"
    if declared:
        return " ".join([*problem.sentences()[:-1], problem.answer_sentence(), f"W{ask}"])
    return f"{problem.question}\nIf we know the answer of the above question is {problem.answer}, w{ask}"


def write_backward_solution(problem: Problem, unknown: str, rng: SampleRng) -> str:
    """The steps as linear expressions in x, the equation with the known answer, and its solution."""
    texts, problem = phrases("backward"), with_unknown(problem, unknown)
    story, values = problem.story, problem.values | {unknown: UNKNOWN}
    lines = [fill(texts.choice("start", rng), {"meaning": problem.fill(story.meanings[unknown])})]
    for step in story.steps:
        values[step.key] = step.expression.evaluate(values)
        calculation = _write_linear_step(problem, step, values)
        lead = capitalized(_write_lead(problem, step, rng))
        lines.append(f"{lead} {calculation}{_write_rest(problem, step)}.")
    form, answer = as_linear(values[story.steps[-1].key]), problem.values[story.steps[-1].key]
    known = {"answer": problem.fill(story.answer), "equation": f"{side(form, 'x')} = {plain(answer)}"}
    lines.append(fill(texts.choice("known", rng), known))
    lines += solve(form, answer, "x", rng)
    solution = write_number(problem.values[unknown], story.units[unknown])
    if rng.chance(0.7):
        lines.append(f"The value of x is {solution}.")
    return with_final_answer(lines, solution)


def _write_linear_step(problem: Problem, step: Step, values: dict[str, Any]) -> str:
    """The calculation of a step and its result, both linear in x where they depend on it."""
    value = values[step.key]
    if not isinstance(value, Linear):
        return f"{_write_expression(problem, step, Style(_operators()))} = {write_amount(value, step.unit)}"
    written = []
    for token in step.expression.tokens:
        text = side(as_linear(values[token]), "x") if token in values else f" {token} " if token in "+-*/" else token
        written.append(f"({text})" if token in values and (" " in text or "/" in text) else text)
    shown, result = "".join(written), side(value, "x")
    return shown if shown == result else f"{shown} = {result}"
