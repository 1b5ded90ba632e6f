"""Worked solutions of word problems: in MetaMath's style, with GSM8K's calculator annotations, and backward."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pairgen.sources.sample.equations import UNKNOWN, Linear, as_linear, side, solve
from pairgen.sources.sample.rng import SampleRng
from pairgen.sources.sample.stories import (
    Problem,
    Step,
    sample_rewording,
    slots_of,
    write_answer,
    write_number,
    write_question,
)
from pairgen.sources.sample.templates import Value, capitalized, fill, phrases, plain

# A lead that begins like this gets no opening: "In the end, in the end she has" would be the result.
OPENING_LEADS = ("in the end", "then ", "now ", "at first", "after ", "since ", "together ", "with ", "over ", "in all")
ACTIONS = {"+": "add {} and {}", "-": "take {} and subtract {}", "*": "multiply {} by {}", "/": "divide {} by {}"}


class Style(NamedTuple):
    """How one solution writes its calculations."""

    operators: dict[str, str]
    units: bool = False  # "8 boxes x 6 pencils/box"
    dollars: bool = False  # "$" on operands, not only on results
    commas: bool = False
    percent: str = "decimal"  # "%", "decimal" or "fraction"


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
    written = write_number(value, unit, style.commas)
    if unit[:1] == "$":
        return f"{'$' if style.dollars else ''}{written}{unit[1:] if style.units else ''}"
    if unit == "%":
        percent = plain(value * 100)
        return {"%": f"{percent}%", "fraction": f"{percent}/100"}.get(style.percent) or f"{float(value):.2f}"
    if unit == "fraction":
        return f"{value.numerator}/{value.denominator}"
    return f"{written} {unit}" if style.units and unit else written


def _write_expression(problem: Problem, step: Step, style: Style, slots: dict[str, Any]) -> str:
    """The calculation of a step; without units where an operand has none."""
    tokens, units = step.expression.tokens, problem.story.units
    if style.units and not all(units.get(token) not in (None, "", "%", "fraction") for token in tokens[::2]):
        style = style._replace(units=False)
    written = []
    for token in tokens:
        if token in units:
            unit = fill(units[token], slots) if style.units else units[token]
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


def _write_action(problem: Problem, step: Step, style: Style) -> str:
    """ "multiply 4 by 3"; "" where the calculation has more than two operands."""
    tokens, units = step.expression.tokens, problem.story.units
    if len(tokens) != 3:
        return ""
    style = style._replace(units=False, percent="%")
    operands = (_write_operand(problem.values[t], units[t], style) if t in units else t for t in tokens[::2])
    return ACTIONS[tokens[1]].format(*operands)


def _after(step: Step, slots: dict[str, Any]) -> tuple[str, str]:
    """What follows a result: its noun, and the rest of the sentence."""
    noun = "" if step.unit in ("$", "") else " " + fill(step.unit, slots)
    return noun, " " + fill(step.tail, slots) if step.tail else ""


# ---------------------------------------------------------------- solutions


def with_final_answer(lines: Sequence[str], answer: str) -> str:
    """The lines of a solution, then the answer as MetaMathQA repeats it."""
    return "\n".join(lines) + f"\n#### {answer}\nThe answer is: {answer}"


def write_solution(problem: Problem, slots: dict[str, Any], rng: SampleRng) -> str:
    """A response in MetaMath's style: one line for each step, then the answer twice."""
    style, count = _sample_style(rng), len(problem.story.steps)
    positions = ["first", *["middle"] * (count - 2), "last"]
    lines = []
    for step, position in zip(problem.story.steps, positions, strict=True):
        opening = phrases("solution").choice(position, rng)
        lines.append(_write_step(problem, step, style, slots, opening, rng))
    if rng.chance(0.2):
        lines.insert(0, write_question(problem, slots, sample_rewording(problem, rng)[:1]))
    if rng.chance(0.45):
        lines.append(write_answer(problem, slots, phrases("solution").choice("closing", rng)))
    return with_final_answer(lines, problem.final_answer)


def _write_step(problem: Problem, step: Step, style: Style, slots: dict[str, Any], opening: str, rng: SampleRng) -> str:
    equation = _write_expression(problem, step, style, slots)
    if step.expression.terms and rng.chance(0.7):
        equation += f" = {_write_terms(problem, step, style)}"
    result = write_number(problem.values[step.key], step.unit, style.commas)
    equation += f" = ${result}" if step.unit == "$" else f" = {result}"
    lead = fill(rng.choice(step.leads), slots)
    if opening and not lead.startswith(OPENING_LEADS):
        lead = f"{opening} {lead}"
    noun, tail = _after(step, slots)
    parts = {"lead": lead, "equation": equation, "noun": noun, "tail": tail, "meaning": fill(step.meaning, slots)}
    form = phrases("solution").choice("step", rng)
    if "<action>" in form:
        parts["action"] = _write_action(problem, step, style)
        form = form if parts["action"] else "<lead> <equation><noun><tail>."
    return capitalized(fill(form, parts))


def write_annotated_solution(problem: Problem, slots: dict[str, Any], rng: SampleRng) -> str:
    """An answer in GSM8K's style: each calculation with its annotation, ``48/2 = <<48/2=24>>24 clips``."""
    space, percent = rng.choice((" ", " ", "")), rng.choice(("decimal", "fraction"))
    style = Style(_operators(rng.choice("**x"), space=space), dollars=rng.chance(0.5), percent=percent)
    annotation = Style(_operators(space=""), percent=percent)
    equals = "=" if space == "" and rng.chance(0.5) else " = "
    lines = []
    for step in problem.story.steps:
        lead = capitalized(fill(rng.choice(step.leads), slots))
        shown = _write_expression(problem, step, style, slots)
        inside = _write_expression(problem, step, annotation, slots)
        result = write_number(problem.values[step.key], step.unit)
        dollar, stop = "$" if step.unit == "$" else "", "." if rng.chance(0.7) else ""
        after = "".join(_after(step, slots))
        lines.append(f"{lead} {shown}{equals}{dollar}<<{inside}={result}>>{result}{after}{stop}")
    return "\n".join(lines) + f"\n#### {problem.final_answer}"


# ---------------------------------------------------------------- backward questions


def write_backward_question(problem: Problem, hidden: str, declared: bool) -> str:
    """The question with x for the hidden number; the answer is stated in it (``declared``, SV) or after it (FOBAR)."""
    slots, wording = slots_of(problem, hidden), problem.wording
    ask = "hat is the value of unknown variable x?"
    if declared:
        return f"{write_question(problem, slots, wording[:-1])} {write_answer(problem, slots)} W{ask}"
    known = f"If we know the answer of the above question is {problem.final_answer}, w{ask}"
    return f"{write_question(problem, slots, wording)}\n{known}"


def write_backward_solution(problem: Problem, hidden: str, rng: SampleRng) -> str:
    """The steps as linear expressions in x, the equation with the known answer, and its solution."""
    story, texts, slots = problem.story, phrases("backward"), slots_of(problem, hidden)
    forms: dict[str, Any] = {**problem.values, hidden: UNKNOWN}
    lines = [fill(texts.choice("start", rng), {"meaning": fill(story.meanings[hidden], slots)})]
    for step in story.steps:
        forms[step.key] = step.expression.evaluate(forms)
        lead = capitalized(fill(rng.choice(step.leads), slots))
        equation = _write_backward_step(problem, step, forms, slots)
        lines.append(f"{lead} {equation}{''.join(_after(step, slots))}.")
    form = as_linear(forms[story.steps[-1].key])
    answer = fill(story.block.lines["answer"][0], slots)
    equation = f"{side(form, 'x')} = {plain(problem.answer)}"
    lines.append(fill(texts.choice("known", rng), {"answer": answer, "equation": equation}))
    lines += solve(form, problem.answer, "x", rng)
    solution = write_number(problem.values[hidden], story.units[hidden])
    if rng.chance(0.7):
        lines.append(f"The value of x is {solution}.")
    return with_final_answer(lines, solution)


def _write_backward_step(problem: Problem, step: Step, forms: dict[str, Any], slots: dict[str, Any]) -> str:
    form = forms[step.key]
    if isinstance(form, Linear):
        shown, result = "".join(_write_linear_token(token, forms) for token in step.expression.tokens), side(form, "x")
    else:
        shown = _write_expression(problem, step, Style(_operators()), slots)
        result = ("$" if step.unit == "$" else "") + write_number(form, step.unit)
    return shown if shown == result else f"{shown} = {result}"


def _write_linear_token(token: str, forms: dict[str, Any]) -> str:
    """A token of an expression in x: an operator, a number, or a linear expression, in parentheses where needed."""
    if token not in forms:
        return f" {token} " if token in "+-*/" else token
    text = side(as_linear(forms[token]), "x")
    return f"({text})" if " " in text or "/" in text else text
