"""What the engine makes of a text, as short lists that tables of tests can hold."""

from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution


def checked(text: str, answer: tuple[int, int] | None = None) -> list[tuple[str, str]]:
    """Each result as written, and the expression it was recomputed by, or the reason why it was not."""
    solution = Solution(text, len(text), answer)
    return [(text[step.start : step.stop], _expression_or_reason(solution, step)) for step in solution.steps]


def _expression_or_reason(solution: Solution, step: Step) -> str:
    try:
        return solution.check(step).expression
    except Unverified as error:
        return error.reason
