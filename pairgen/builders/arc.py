"""ARC-Challenge: one pair per wrong choice, from AI2's own layout or the hub's."""

from collections.abc import Mapping
from typing import Any

from pairgen.builders.interface import Builder, Example, clean_text, reject_choices
from pairgen.pairs.record import Drop
from pairgen.sources.locate import Hub


def _choices(row: Mapping[str, Any]) -> tuple[Any, list[Any], list[Any]] | None:
    """Question, texts and labels: ``question: {stem, choices: [{text, label}]}`` or ``choices: {text[], label[]}``."""
    question: Any = row["question"]
    choices: Any = row.get("choices")
    if isinstance(question, Mapping):
        choices = question.get("choices")
        question = question.get("stem")
    if isinstance(choices, Mapping):
        texts, labels = choices.get("text"), choices.get("label")
    elif isinstance(choices, list) and all(isinstance(choice, Mapping) for choice in choices):
        texts, labels = [choice.get("text") for choice in choices], [choice.get("label") for choice in choices]
    else:
        return None
    if not isinstance(texts, list) or not isinstance(labels, list) or len(texts) != len(labels):
        return None
    return question, texts, labels


def read(row: Mapping[str, Any]) -> Example | Drop:
    """The choice whose label is ``answerKey`` is the answer, all others are wrong."""
    taken = _choices(row)
    if taken is None:
        return Drop("no list of choices")
    question = clean_text(taken[0], "question")
    if isinstance(question, Drop):
        return question
    texts = []
    for given in taken[1]:
        text = clean_text(given, "choice")
        if isinstance(text, Drop):
            return text
        texts.append(text)
    key = str(row["answerKey"]).strip()
    right = [index for index, label in enumerate(taken[2]) if str(label).strip() == key]
    if len(right) != 1:
        return Drop("two choices have the key" if right else "no choice has the key")
    if len(texts) < 2:
        return Drop("no wrong choice")
    answer = texts.pop(right[0])
    return Example(question, answer, "arc", "\0".join((question, answer, *texts)), question, row, texts)


BUILDER = Builder(
    name="arc",
    summary="ARC-Challenge science questions; one pair per wrong choice",
    hub=Hub("allenai/ai2_arc", "ARC-Challenge", {"train": "train", "eval": "validation"}),
    license="cc-by-sa-4.0",
    columns=frozenset({"question", "answerKey"}),
    optional=frozenset({"choices"}),
    read=read,
    reject=reject_choices,
)
