"""MetaMath: solutions with one intermediate result corrupted and the final answer kept.

Rows are those of ``meta-math/MetaMathQA``. A response ends ``#### 32\\nThe answer is: 32``, or without the first line.
Calculator annotations (``<<48/2=24>>``), which a few responses carry over from GSM8K, are removed: they would state the
right value before the wrong one.
"""

from collections.abc import Mapping
from typing import Any

from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import Builder, Example, clean_text
from pairgen.builders.worked_solutions import reject_corrupted
from pairgen.sources.locate import Hub


def read(row: Mapping[str, Any]) -> Example:
    """``query`` is the question; rows with the same ``original_question`` belong to one question group."""
    question = clean_text(row["query"], "query")
    response = clean_text(row["response"], "response")
    answer = strip_annotations(response)[0] if "<<" in response else response
    kind, original = row.get("type"), row.get("original_question")
    source = f"metamath/{kind}" if type(kind) is str and kind else "metamath"
    group = original if type(original) is str and original else question
    return Example(question, answer, source, f"{source}\0{question}\0{response}", group, row)


BUILDER = Builder(
    name="metamath",
    title="MetaMath preference pairs",
    description="One intermediate result of each worked solution is replaced by a wrong value in the same format. "
    "The rest of the solution, including the final answer, is unchanged.",
    summary="math solutions with one intermediate result corrupted",
    hub=Hub("meta-math/MetaMathQA", None, {"train": "train"}),
    license="mit",
    columns=frozenset({"query", "response"}),
    optional=frozenset({"type", "original_question"}),
    read=read,
    reject=reject_corrupted,
    corrupts=True,
    style="raw",
    eval_size=1000,
)
