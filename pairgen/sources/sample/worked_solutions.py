"""Worked solutions of word problems: in MetaMath's style, with GSM8K's calculator annotations, and backward."""

import re
from collections.abc import Sequence

from pairgen.sources.sample.equations import TEXT, Linear, solve, write_linear
from pairgen.sources.sample.rng import SampleRng
from pairgen.sources.sample.stories import PLAIN, Problem, Step, Style, reworded, with_unknown
from pairgen.sources.sample.templates import capitalized, fill, phrases, plain

# A lead that begins like this gets no opening: "In the end, in the end she has" would be the result.
_BEGINS_LIKE_AN_OPENING = re.compile("in the end|at first|in all|(then|now|after|since|together|with|over|that) ").match


def _sample_style(rng: SampleRng) -> Style:
    times, over, units = rng.choice("****xx×"), "÷" if rng.chance(0.08) else "/", rng.chance(0.15)
    space = "" if times == "*" and rng.chance(0.12) and not units else " "
    dollars, commas, percent = units or rng.chance(0.55), rng.chance(0.5), rng.choice(("%", "decimal", "fraction"))
    return Style(times, over, space, units, dollars, commas, percent)


def _write_expression(problem: Problem, step: Step, style: Style) -> str:
    """The calculation of a step; without units where an operand has none."""
    tokens, units = step.expression.tokens, problem.story.units
    if style.units and not all(units.get(token) not in (None, "", "%", "fraction") for token in tokens[::2]):
        style = style._replace(units=False)
    written = []
    for token in tokens:
        if token in units:
            unit = problem.fill(units[token]) if style.units else units[token]
            written.append(style.write_number(problem.values[token], unit))
        else:
            written.append(style.write_symbol(token))
    return "".join(written)


def _write_terms(problem: Problem, step: Step, style: Style) -> str:
    """A calculation with the values of its terms: ``12 + 5`` for ``4 * 3 + 5``."""
    terms = step.expression.terms
    money = "$" if step.unit == "$" and not any(operator in ("*", "/") for operator, _ in terms) else ""
    style = style._replace(units=False)
    values = [style.write_number(evaluate(problem.values), money) for _, evaluate in terms]
    return "".join(style.write_symbol(operator) + value for (operator, _), value in zip(terms, values, strict=True))


def _write_rest(problem: Problem, step: Step) -> str:
    """What follows a result: its noun, and the rest of the sentence."""
    noun = "" if step.unit in ("$", "") else " " + problem.fill(step.unit)
    return f"{noun} {problem.fill(step.tail)}" if step.tail else noun


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
    equation += f" = {style._replace(units=False, dollars=True).write_number(problem.values[step.key], step.unit)}"
    lead = problem.fill(rng.choice(step.leads))
    if opening and not _BEGINS_LIKE_AN_OPENING(lead):
        lead = f"{opening} {lead}"
    form, rest = phrases("solution").choice("step", rng), _write_rest(problem, step)
    meaning = problem.fill(step.meaning) if "<meaning>" in form else ""
    return capitalized(fill(form, {"lead": lead, "equation": equation, "rest": rest, "meaning": meaning}))


def write_annotated_solution(problem: Problem, rng: SampleRng) -> str:
    """An answer in GSM8K's style: each calculation with its annotation, ``48/2 = <<48/2=24>>24 clips``."""
    space, percent = rng.choice((" ", " ", "")), rng.choice(("decimal", "fraction"))
    style = Style(rng.choice("**x"), space=space, dollars=rng.chance(0.5), percent=percent)
    annotation = Style(space="", percent=percent)
    equals = "=" if space == "" and rng.chance(0.5) else " = "
    lines = []
    for step in problem.story.steps:
        shown = _write_expression(problem, step, style) + equals + ("$" if step.unit == "$" else "")
        result = annotation.write_number(problem.values[step.key], step.unit)
        annotated = f"{shown}<<{_write_expression(problem, step, annotation)}={result}>>{result}"
        rest = _write_rest(problem, step) + ("." if rng.chance(0.7) else "")
        lines.append(f"{capitalized(problem.fill(rng.choice(step.leads)))} {annotated}{rest}")
    return "\n".join(lines) + f"\n#### {problem.answer}"


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
    story, at_0, at_1 = problem.story, problem.values | {unknown: 0}, problem.values | {unknown: 1}
    forms = {name: Linear(0, problem.values[name]) for name in story.stated} | {unknown: Linear(1, 0)}
    lines = [fill(texts.choice("start", rng), {"meaning": problem.fill(story.meanings[unknown])})]
    for step in story.steps:
        for values in (at_0, at_1):
            values[step.key] = step.expression.evaluate(values)
        forms[step.key] = Linear(at_1[step.key] - at_0[step.key], at_0[step.key])
        lead = capitalized(problem.fill(rng.choice(step.leads)))
        lines.append(f"{lead} {_write_linear_step(problem, step, forms)}{_write_rest(problem, step)}.")
    form, answer = forms[story.steps[-1].key], problem.values[story.steps[-1].key]
    known = {"answer": problem.fill(story.answer), "equation": f"{write_linear(form, TEXT)} = {plain(answer)}"}
    lines.append(fill(texts.choice("known", rng), known))
    lines += solve(form, answer, TEXT, rng)
    solution = PLAIN.write_number(problem.values[unknown], story.units[unknown])
    if rng.chance(0.7):
        lines.append(f"The value of x is {solution}.")
    return with_final_answer(lines, solution)


def _write_linear_step(problem: Problem, step: Step, forms: dict[str, Linear]) -> str:
    """The calculation of a step and its result, both linear in x where they depend on it."""
    if not forms[step.key].slope:
        result = Style(dollars=True).write_number(problem.values[step.key], step.unit)
        return f"{_write_expression(problem, step, PLAIN)} = {result}"
    written = []
    for token in step.expression.tokens:
        text = write_linear(forms[token], TEXT) if token in forms else PLAIN.write_symbol(token)
        written.append(f"({text})" if token in forms and (" " in text or "/" in text) else text)
    shown, result = "".join(written), write_linear(forms[step.key], TEXT)
    return shown if shown == result else f"{shown} = {result}"
