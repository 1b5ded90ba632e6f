"""ARC-Challenge: one pair per wrong choice, in AI2's own layout or that of the Hub."""

from collections.abc import Mapping
from typing import Any

from pairgen.builders.choices import choice_example, label_text, labelled, reject_choices, structured
from pairgen.builders.interface import Builder, Example, clean_text
from pairgen.pairs.record import DropRow
from pairgen.sources.locate import Hub


def _choices(row: Mapping[str, Any]) -> tuple[Any, list[Any], list[Any]]:
    """Question, texts and labels: ``question: {stem, choices: [{text, label}]}`` or ``choices: {text[], label[]}``."""
    question: Any = structured(row["question"])
    choices: Any = structured(row.get("choices"))
    if not isinstance(question, Mapping):
        question = row["question"]
    else:
        choices = question.get("choices")
        question = question.get("stem")
    return question, *labelled(choices)


def read(row: Mapping[str, Any]) -> Example:
    """The choice whose label is ``answerKey`` is the answer."""
    given, texts, labels = _choices(row)
    question = clean_text(given, "question")
    choices = [clean_text(text, "choice") for text in texts]
    key = label_text(row["answerKey"])
    if key is None and type(row["answerKey"]) is not str:
        raise DropRow("answerKey is null")
    matching = [index for index, label in enumerate(labels) if key is not None and label_text(label) == key]
    if len(matching) != 1:
        raise DropRow("answerKey matches several choices" if matching else "answerKey matches no choice")
    return choice_example("arc", question, choices, matching[0], row)


BUILDER = Builder(
    name="arc",
    title="ARC-Challenge preference pairs",
    description="Each question gives one pair per wrong choice: the correct choice is chosen, the wrong one rejected.",
    summary="ARC-Challenge science questions; one pair per wrong choice",
    hub=Hub("allenai/ai2_arc", "ARC-Challenge", {"train": "train", "eval": "validation"}),
    license="cc-by-sa-4.0",
    columns=frozenset({"question", "answerKey"}),
    optional=frozenset({"choices"}),
    read=read,
    reject=reject_choices,
    multiple_choice=True,
)
