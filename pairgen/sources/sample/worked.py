"""Worked solutions of word problems, in the manner of MetaMath and, with its marks, of GSM8K."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.numbers import Value, bare, cents, percent, plain
from pairgen.sources.sample.problem import Problem, reworded, sentence, told
from pairgen.sources.sample.story import Expression, Step, evaluate, spread

FIRST = ("", "", "", "", "First, ", "To begin with, ", "We see that ", "We know that ")
LATER = ("", "", "", "", "So ", "Then ", "We see that ", "Next, ", "Now ", "Hence ")
LAST = ("", "", "", "So ", "Therefore, ", "Finally, ", "In the end, ", "Thus ")
# Leads that begin like this take no opening: "In the end, in the end she has".
OPENED = ("in the end", "then ", "now ", "at first", "after ", "since ", "together ", "with ", "over ", "in all")
CLOSINGS = ("So ", "Therefore, ", "In the end, ", "This means that ", "Thus ", "We conclude that ", "")
VERBS = {"+": "add {} and {}", "-": "take {} and subtract {}", "*": "multiply {} by {}", "/": "divide {} by {}"}
HOWS = ("To find {}, we {}: ", "We {} to get {}: ", "For {}, {}: ", "Let us {}, which gives {}: ")


class Style(NamedTuple):
    """How one solution writes its calculations."""

    times: str
    over: str
    gap: str  # around an operator of a calculation without units
    units: bool  # "8 boxes x 6 pencils/box"
    signs: bool  # "$" on every amount, not on results alone
    commas: bool
    percent: str  # "%", "decimal" or "fraction"


def draw_style(r: Draw) -> Style:
    """A style for one solution."""
    times = r.pick("****xx×")
    with_units = r.chance(0.15)
    return Style(
        times,
        "÷" if r.chance(0.08) else "/",
        "" if times == "*" and r.chance(0.12) else " ",
        with_units,
        with_units or r.chance(0.55),
        r.chance(0.5),
        r.pick(("%", "decimal", "fraction")),
    )


def write_operand(value: Value, unit: str, style: Style) -> str:
    """A number inside a calculation."""
    if unit[:1] == "$":
        return ("$" if style.signs else "") + cents(value, style.commas) + (unit[1:] if style.units else "")
    if unit == "%":
        if style.percent == "fraction":
            return f"{percent(value)}/100"
        return percent(value) + "%" if style.percent == "%" else f"{float(value):.2f}"
    if unit == "fraction":
        return f"{value.numerator}/{value.denominator}"
    written = plain(value, style.commas)
    return f"{written} {unit}" if style.units and unit else written


def write_result(value: Value, unit: str, commas: bool) -> str:
    """A result without its noun."""
    return "$" + cents(value, commas) if unit == "$" else plain(value, commas)


def write_expression(problem: Problem, expression: Expression, style: Style, slots: Mapping[str, str]) -> str:
    """A calculation as the style writes it; units are left out where a member has none."""
    units = problem.story.units
    keys = [token for token in expression.tokens if token in units]
    if style.units and (
        "(" in expression.tokens or len(keys) * 2 <= len(expression.tokens) or not _all_nouns(keys, units)
    ):
        style = style._replace(units=False)
    symbols = _symbols(style.times, style.over, " " if style.units else style.gap)
    written = []
    for token in expression.tokens:
        if token in units:
            unit = units[token]
            written.append(write_operand(problem.values[token], unit.format_map(slots) if style.units else unit, style))
        else:
            written.append(symbols.get(token, token))
    return "".join(written)


@cache
def _symbols(times: str, over: str, gap: str) -> dict[str, str]:
    """How the operators are written."""
    return {"*": f"{gap}{times}{gap}", "/": f"{gap}{over}{gap}", "+": f"{gap}+{gap}", "-": f"{gap}-{gap}"}


def _all_nouns(keys: list[str], units: Mapping[str, str]) -> bool:
    return all(units[key] not in ("", "%", "fraction") for key in keys)


def middle(problem: Problem, step: Step, style: Style) -> str:
    """What stands between a nested calculation and its result, as in ``4 * 3 + 5 = 12 + 5 = 17``; else ""."""
    members = spread(step.expression.tree)
    if not any(isinstance(node, tuple) for _, node in members):
        return ""
    money = step.unit == "$" and style.signs and all(op in ("", "+", "-") for op, _ in members)
    symbols = {"*": style.times, "/": style.over}
    written = []
    for op, node in members:
        value = evaluate(node, problem.values)
        written.append(f" {symbols.get(op, op)} " if op else "")
        written.append("$" + cents(value, style.commas) if money else plain(value, style.commas))
    return "".join(written)


def _how(problem: Problem, step: Step, goal: str, style: Style, r: Draw) -> str:
    """ "To find the cost, we multiply 4 by 3: "; "" where the calculation has more than two members."""
    tokens = step.expression.tokens
    if len(tokens) != 3:
        return ""
    bare = style._replace(units=False, percent="%")
    a, b = (
        write_operand(problem.values[key], problem.story.units[key], bare) if key in problem.values else key
        for key in (tokens[0], tokens[2])
    )
    verb = VERBS[tokens[1]].format(a, b)
    how = r.pick(HOWS)
    return how.format(verb, goal) if how[:2] in ("We", "Le") else how.format(goal, verb)


def write_equation(problem: Problem, step: Step, style: Style, slots: Mapping[str, str], r: Draw) -> str:
    """``4 * 3 + 5 = 12 + 5 = 17``, with the line in the middle or without."""
    equation = write_expression(problem, step.expression, style, slots)
    between = middle(problem, step, style) if r.chance(0.7) else ""
    result = write_result(problem.values[step.key], step.unit, style.commas)
    return f"{equation} = {between} = {result}" if between else f"{equation} = {result}"


def write_step(problem: Problem, number: int, style: Style, slots: Mapping[str, str], r: Draw) -> str:
    """The calculation of step ``number``, in one or two sentences."""
    steps = problem.story.steps
    step = steps[number]
    equation = write_equation(problem, step, style, slots, r)
    noun = "" if step.unit == "$" else " " + step.unit.format_map(slots)
    tail = " " + step.tail.format_map(slots) if step.tail else ""
    frame = r.random()
    if frame < 0.6:
        opening = r.pick(LATER if 0 < number < len(steps) - 1 else LAST if number else FIRST)
        lead = r.pick(step.leads).format_map(slots)
        return sentence(f"{'' if lead.startswith(OPENED) else opening}{lead} {equation}{noun}{tail}.")
    goal = step.goal.format_map(slots)
    if frame < 0.76 and (how := _how(problem, step, goal, style, r)):
        return f"{how}{equation}{noun}."
    if frame < 0.84:
        return f"Now we need {goal}. {sentence(r.pick(step.leads).format_map(slots))} {equation}{noun}{tail}."
    if frame < 0.88:
        return f"{r.pick(('Next comes', 'Let us find', 'We work out'))} {goal}.\n{equation}{noun}"
    if frame < 0.94:
        return f"{sentence(goal)}: {equation}{noun}"
    return f"{sentence(goal)} is {equation}{'' if style.units else noun}."


def write_solution(problem: Problem, slots: Mapping[str, str], r: Draw) -> str:
    """A MetaMath response: a step a line, then the answer twice."""
    style = draw_style(r)
    lines = [write_step(problem, number, style, slots, r) for number in range(len(problem.story.steps))]
    if r.chance(0.2):
        lines.insert(0, told(problem, slots, reworded(problem, r)).split(". ")[0].rstrip(".") + ".")
    if r.chance(0.45):
        lines.append(closing(problem, slots, r))
    return "\n".join(lines) + f"\n#### {problem.final}\nThe answer is: {problem.final}"


def write_marked(problem: Problem, slots: Mapping[str, str], r: Draw) -> str:
    """A GSM8K answer: each calculation with its mark, ``48/2 = <<48/2=24>>24 clips``."""
    gap = r.pick((" ", " ", ""))
    style = Style(r.pick("**x"), "/", gap, False, r.chance(0.5), False, r.pick(("decimal", "fraction")))
    marked = style._replace(times="*", gap="", signs=False)
    equals = "=" if gap == "" and r.chance(0.5) else " = "
    lines = []
    for step in problem.story.steps:
        lead = sentence(r.pick(step.leads).format_map(slots))
        shown = write_expression(problem, step.expression, style, slots)
        inside = write_expression(problem, step.expression, marked, slots)
        money = step.unit == "$"
        result = bare(problem.values[step.key], step.unit)
        noun = "" if money else " " + step.unit.format_map(slots)
        tail = " " + step.tail.format_map(slots) if step.tail else ""
        stop = "." if r.chance(0.7) else ""
        lines.append(f"{lead} {shown}{equals}{'$' if money else ''}<<{inside}={result}>>{result}{noun}{tail}{stop}")
    return "\n".join(lines) + f"\n#### {problem.final}"


def closing(problem: Problem, slots: Mapping[str, str], r: Draw) -> str:
    """The answer as a sentence."""
    return sentence(f"{r.pick(CLOSINGS)}{problem.story.state.format_map(slots)}.")
