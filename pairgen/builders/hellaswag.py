"""HellaSwag: one pair per wrong ending, text cleaned as lm-evaluation-harness 0.4.13 cleans it."""

import re
from collections.abc import Mapping
from typing import Any

from pairgen.builders.interface import Builder, Example, clean_text, reject_choices
from pairgen.builders.prompts import STYLES, Style
from pairgen.pairs.record import Drop
from pairgen.sources.locate import Hub

_TAG = re.compile(r"\[.*?\]")


def clean(text: str) -> str:
    """Strip, turn `` [title]`` into a full stop, drop every other ``[...]`` tag, then make two spaces one, once."""
    text = text.strip()
    if "[" in text:
        text = _TAG.sub("", text.replace(" [title]", ". "))
    return text.replace("  ", " ")


def read(row: Mapping[str, Any]) -> Example | Drop:
    """Activity and context are the question; the labelled ending is the answer, all others are wrong."""
    parts = [row["activity_label"], row["ctx_a"], row.get("ctx_b") or ""]
    if not all(type(part) is str for part in parts):
        return Drop("context is no text")
    activity, first, second = parts
    question = clean_text(clean(f"{activity}: {first} {second.capitalize()}"), "context")
    if isinstance(question, Drop):
        return question
    if not first.strip():
        return Drop("context is empty")
    if not isinstance(row["endings"], list):
        return Drop("no list of endings")
    endings = []
    for given in row["endings"]:
        ending = clean_text(clean(given) if type(given) is str else given, "ending")
        if isinstance(ending, Drop):
            return ending
        endings.append(ending)
    label = str(row["label"]).strip()
    if not label:
        return Drop("no label")
    if not (label.isascii() and label.isdecimal() and int(label) < len(endings)):
        return Drop("no ending has the label")
    if len(endings) < 2:
        return Drop("no wrong ending")
    answer = endings.pop(int(label))
    return Example(question, answer, "hellaswag", "\0".join((question, answer, *endings)), question, row, endings)


BUILDER = Builder(
    name="hellaswag",
    summary="everyday scenes to be finished; one pair per wrong ending",
    hub=Hub("Rowan/hellaswag", None, {"train": "train", "eval": "validation"}),
    license="mit",
    columns=frozenset({"activity_label", "ctx_a", "endings", "label"}),
    optional=frozenset({"ctx_b", "ctx"}),
    read=read,
    reject=reject_choices,
    styles={**STYLES, "lm-eval": Style("{question}", " "), "raw": Style("{question}", " ")},
)
