"""Solutions as steps, and the step that a corruption makes wrong."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

_LINES = re.compile(r"\n\s*(?=\S)")
_SENTENCES = re.compile(r"(?<=[.!?])(?<![A-Z][a-z]\.)(?<![A-Z][a-z][a-z]\.)\s+(?=[A-Z0-9$\\(])|\n\s*(?=\S)")
"""Not after a title or an abbreviation (Mr., Mrs., No.), nor where no new sentence begins (3 p.m. today)."""
MIN_LINES = 3
_ANSWER = re.compile(r"(?:####|[Tt]he (?:final )?answer is:?)\s*(\S.*?)\.?\s*\Z")


def boundaries(text: str) -> list[int]:
    """Where the steps of a solution begin, and its length: each line is a step, or each sentence if there are fewer
    than ``MIN_LINES`` lines.

    Steps own the whitespace before them, so that together they are the text.

    >>> boundaries(" So 2 + 2 = 4. Then 4 + 1 = 5.")
    [0, 14, 30]
    """
    first = len(text) - len(text.lstrip())
    begins = [match.start() for match in _LINES.finditer(text, first)]
    if len(begins) + 1 < MIN_LINES:
        begins = [match.start() for match in _SENTENCES.finditer(text, first)]
    return [0, *begins, len(text)]


def split_steps(text: str) -> list[str]:
    """The steps of a solution; together they are the text."""
    return [text[start:stop] for start, stop in pairwise(boundaries(text))]


class WrongStep(NamedTuple):
    """The first wrong step of a rejected completion.

    ``before`` are the steps before it, ``right`` and ``wrong`` the step in chosen and in rejected, ``after`` the right
    steps behind it, and ``rest`` what follows in rejected.
    """

    before: list[str]
    right: str
    wrong: str
    after: list[str]
    rest: str


def wrong_step(pair: Mapping[str, Any]) -> WrongStep:
    """Where chosen and rejected first differ, as steps. A change that reaches into several steps makes them one.

    Args:
        pair: a row of a dataset, by column: the texts, the edit span and ``edits``.
    """
    changes = [tuple(change.values())[:4] for change in pair["edits"] or ()]
    start, stop = pair["edit_start"], pair["chosen_edit_stop"]
    changes = changes or [(start, stop, start, pair["rejected_edit_stop"])]
    start, stop, *_ = changes[0]
    chosen, rejected = pair["chosen"], pair["rejected"]
    ends = boundaries(chosen)
    first = max(at for at in range(len(ends) - 1) if ends[at] <= start)
    last = next(at for at in range(first + 1, len(ends)) if ends[at] >= stop)
    end = ends[last]  # in rejected: moved by what the changes up to there add
    end += sum((other - begin) - (to - at) for at, to, begin, other in changes if at < ends[last])
    steps = split_steps(chosen)
    return WrongStep(
        steps[:first], chosen[ends[first] : ends[last]], rejected[ends[first] : end], steps[last:], rejected[end:]
    )


def answer_of(solution: str) -> str | None:
    """The final answer that a solution states after ``####`` or "The answer is"; None if it does not."""
    found = _ANSWER.search(solution.rstrip().splitlines()[-1])
    return found[1] if found else None
