"""ARC-Challenge: one pair per wrong choice, in AI2's own layout or that of the Hub."""

from collections.abc import Mapping
from typing import Any

from pairgen.builders.choices import choice_example, reject_choices, structured
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
    if isinstance(choices, Mapping):
        texts, labels = choices.get("text"), choices.get("label")
    elif isinstance(choices, list) and all(isinstance(choice, Mapping) for choice in choices):
        texts, labels = [choice.get("text") for choice in choices], [choice.get("label") for choice in choices]
    else:
        raise DropRow("malformed choices")
    if not isinstance(texts, list) or not isinstance(labels, list) or len(texts) != len(labels):
        raise DropRow("malformed choices")
    return question, texts, labels


def read(row: Mapping[str, Any]) -> Example:
    """The choice whose label is ``answerKey`` is the answer."""
    given, texts, labels = _choices(row)
    question = clean_text(given, "question")
    choices = [clean_text(text, "choice") for text in texts]
    if row["answerKey"] is None:
        raise DropRow("answerKey is null")
    key = str(row["answerKey"]).strip()
    matching = [index for index, label in enumerate(labels) if label is not None and str(label).strip() == key]
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
