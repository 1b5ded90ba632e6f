"""What the engine makes of a text, as short lists that tables of tests can hold."""

from pairgen.arithmetic.exact.proof import Proof
from pairgen.arithmetic.solution import Solution


def checked(text: str, answer: tuple[int, int] | None = None) -> list[tuple[str, str]]:
    """Each result as written, and the expression it was recomputed by, or the reason why it was not."""
    solution = Solution(text, len(text), answer)
    found = []
    for step in solution.steps:
        check = solution.check(step)
        found.append((text[step.start : step.stop], check.expression if isinstance(check, Proof) else check))
    return found
