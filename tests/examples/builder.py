"""A dataset added from outside the package: questions with the best answer and others.

python tests/examples/builder.py build quiz --source rows.jsonl --out pairs
"""

from collections.abc import Mapping
from typing import Any

from pairgen.builders import BUILDERS, Builder
from pairgen.builders.choices import choice_example, reject_choices
from pairgen.builders.interface import Example, clean_text


def read(row: Mapping[str, Any]) -> Example:
    """A row as ``{"question": str, "best": str, "others": [str, ...]}``."""
    question = clean_text(row["question"], "question")
    answers = [clean_text(text, "answer") for text in (row["best"], *row["others"])]
    return choice_example("quiz", question, answers, 0, row)


BUILDERS["quiz"] = Builder(
    name="quiz",
    title="Quiz preference pairs",
    description="Each question gives one pair per other answer.",
    summary="quiz questions; one pair per other answer",
    columns=frozenset({"question", "best", "others"}),
    read=read,
    reject=reject_choices,
    multiple_choice=True,
)

if __name__ == "__main__":
    from pairgen.cli import main

    main()
