"""Backward questions: a number of the story is x, the answer is known, and an equation gives x back."""

from collections.abc import Mapping

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.equations import Linear, combine, side, solve
from pairgen.sources.sample.numbers import bare, plain
from pairgen.sources.sample.problem import Problem, asked, fill_slots, sentence, told
from pairgen.sources.sample.story import Node, Step
from pairgen.sources.sample.worked import Style, write_expression

STARTS = (
    "Let x stand for {}.",
    "We are looking for x, {}.",
    "Here x is {}.",
    "The unknown x is {}, so let us write an equation for it.",
    "We write x for {} and follow the story from the start.",
    "Call the unknown x: it is {}.",
)
KNOWN = ("We are told that {}, so {}.", "But {}, so {}.", "Since {}, we can write {}.", "We know that {}: {}")
ASK = "hat is the value of unknown variable x?"
PLAIN = Style("*", "/", " ", False, False, False, "decimal")


def backward_query(problem: Problem, hidden: str, declared: bool) -> str:
    """The question with x for the hidden number; the answer comes after it, or is told in the story (``declared``)."""
    slots = fill_slots(problem, hidden)
    if declared:
        return f"{told(problem, slots, problem.wording)} {sentence(problem.story.state.format_map(slots))}. W{ASK}"
    known = f"If we know the answer of the above question is {problem.final}, w{ASK}"
    return f"{asked(problem, slots, problem.wording)}\n{known}"


def backward_solution(problem: Problem, hidden: str, r: Draw) -> str:
    """The steps with x in them, the equation, and its solution."""
    story = problem.story
    slots = fill_slots(problem, hidden)
    forms = {key: Linear(0, value) for key, value in problem.values.items()}
    forms[hidden] = Linear(1, 0)
    lines = [r.pick(STARTS).format(story.hidden[hidden].format_map(slots))]
    for step in story.steps:
        if any(token in forms and forms[token].slope for token in step.expression.tokens):
            forms[step.key] = evaluate_linear(step.expression.tree, forms)
        lines.append(_write_step(problem, step, forms, slots, r))
    final = forms[story.steps[-1].key]
    lines.append(r.pick(KNOWN).format(story.state.format_map(slots), f"{side(final, 'x')} = {plain(problem.answer)}"))
    lines += solve(final, problem.answer, "x", r)
    found = bare(problem.values[hidden], story.units[hidden])
    if r.chance(0.7):
        lines.append(f"The value of x is {found}.")
    return "\n".join(lines) + f"\n#### {found}\nThe answer is: {found}"


def evaluate_linear(node: Node, forms: Mapping[str, Linear]) -> Linear:
    """What an expression comes to where one of its numbers is unknown."""
    if isinstance(node, str):
        return forms[node]
    if not isinstance(node, tuple):
        return Linear(0, node)
    op, left, right = node
    return combine(op, evaluate_linear(left, forms), evaluate_linear(right, forms))


def _write_step(problem: Problem, step: Step, forms: Mapping[str, Linear], slots: Mapping[str, str], r: Draw) -> str:
    """One step, with x in it where its numbers depend on x."""
    form = forms[step.key]
    noun = "" if step.unit == "$" else " " + step.unit.format_map(slots)
    tail = " " + step.tail.format_map(slots) if step.tail else ""
    lead = sentence(r.pick(step.leads).format_map(slots))
    if form.slope:
        shown, result = _with_unknown(step.expression.tokens, forms), side(form, "x")
    else:
        shown = write_expression(problem, step.expression, PLAIN, slots)
        result = ("$" if step.unit == "$" else "") + bare(form.constant, step.unit)
    return f"{lead} {shown if shown == result else f'{shown} = {result}'}{noun}{tail}."


def _with_unknown(tokens: tuple[str, ...], forms: Mapping[str, Linear]) -> str:
    """An expression with what its members come to; sums and quotients are bracketed."""
    written = []
    for token in tokens:
        text = side(forms[token], "x") if token in forms else f" {token} " if token in "+-*/" else token
        written.append(f"({text})" if token in forms and (" " in text or "/" in text) else text)
    return "".join(written)
