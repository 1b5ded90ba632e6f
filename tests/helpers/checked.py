"""The results that the corruption engine finds in a text, in a short form for tables of test cases."""

from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution


def checked(text: str, answer: tuple[int, int] | None = None) -> list[tuple[str, str]]:
    """Each result as written, with the expression that verifies it or the reason why it is unverified."""
    solution = Solution(text, len(text), answer)
    return [(text[step.start : step.stop], _expression_or_reason(solution, step)) for step in solution.steps]


def _expression_or_reason(solution: Solution, step: Step) -> str:
    try:
        return solution.check(step).expression
    except Unverified as error:
        return error.reason
