"""Rows for every builder: those of the built-in sample, also with other columns for the builders of one's own rows."""

from typing import Any

from pairgen.builders.gsm8k import strip_annotations
from pairgen.sources import sample


def row(name: str, index: int) -> dict[str, Any]:
    """Row ``index`` for a builder."""
    if name == "solutions":
        of_gsm8k = sample.row("gsm8k", "train", index)
        solution, _, answer = strip_annotations(of_gsm8k["answer"])[0].partition("\n#### ")
        return {"question": of_gsm8k["question"], "solution": solution, "answer": answer}
    if name == "choices":
        of_arc = sample.row("arc", "train", index)
        texts, labels = of_arc["choices"]["text"], of_arc["choices"]["label"]
        answer = labels.index(of_arc["answerKey"])
        return {"question": of_arc["question"], "choices": texts, "answer": "ABCDEFGH"[answer]}
    return sample.row(name, "train", index)
