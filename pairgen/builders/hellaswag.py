"""HellaSwag: one pair per wrong ending, with text cleaned as in lm-evaluation-harness 0.4.13."""

import re
from collections.abc import Mapping
from typing import Any

from pairgen.builders.choices import choice_example, label_text, reject_choices, structured
from pairgen.builders.interface import Builder, Example, clean_text
from pairgen.builders.prompts import STYLES, Style
from pairgen.pairs.record import DropRow
from pairgen.sources.locate import Hub

_TAG = re.compile(r"\[.*?\]")


def clean(text: str) -> str:
    """Strip, replace `` [title]`` by a full stop, remove other ``[...]`` tags, then replace double spaces, once."""
    text = text.strip()
    if "[" in text:
        text = _TAG.sub("", text.replace(" [title]", ". "))
    return text.replace("  ", " ")


def read(row: Mapping[str, Any]) -> Example:
    """Activity and context are the question; the labeled ending is the answer."""
    parts = [row["activity_label"], row["ctx_a"], row.get("ctx_b") or ""]
    if not all(type(part) is str for part in parts):
        raise DropRow("context is not a string")
    activity, first, second = parts
    question = clean_text(clean(f"{activity}: {first} {second.capitalize()}"), "context")
    if not first.strip():
        raise DropRow("context is empty")
    texts = structured(row["endings"])
    if not isinstance(texts, list):
        raise DropRow("malformed endings")
    endings = [clean_text(clean(text) if type(text) is str else text, "ending") for text in texts]
    label = label_text(row["label"])
    if label is None:
        raise DropRow("no label")
    if not (label.isascii() and label.isdecimal() and int(label) < len(endings)):
        raise DropRow("label out of range")
    return choice_example("hellaswag", question, endings, int(label), row)


BUILDER = Builder(
    name="hellaswag",
    title="HellaSwag preference pairs",
    description="Each context gives one pair per wrong ending: the correct ending is chosen, the wrong one rejected.",
    summary="commonsense sentence completion; one pair per wrong ending",
    hub=Hub("Rowan/hellaswag", None, {"train": "train", "eval": "validation"}),
    license="mit",
    columns=frozenset({"activity_label", "ctx_a", "endings", "label"}),
    optional=frozenset({"ctx_b", "ctx"}),
    read=read,
    reject=reject_choices,
    multiple_choice=True,
    styles={**STYLES, "lm-eval": Style("{question}", " "), "raw": Style("{question}", " ")},
)
