"""The question of a pair: its prompt without few-shot examples, template and system prompt, where these are known."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from pairgen.builders import BUILDERS
from pairgen.builders.prompts import BETWEEN_SHOTS, STYLES

COLUMNS = ["prompt", "messages"]
"""The columns that a question is read from."""


def question_reader(manifest: Mapping[str, Any]) -> Callable[[pa.RecordBatch], pa.Array]:
    """A function from a batch with ``COLUMNS`` to the question of each row, for a dataset with this manifest.

    The prompt styles of pairgen are recognised; with any other, the question is the whole prompt. Of chat messages, it
    is all but the system prompt, which many conversations share.
    """
    options = manifest.get("options") or {}
    builder = BUILDERS.get(str(manifest.get("dataset")))
    style = (builder.styles if builder else STYLES).get(str(options.get("prompt_style")))
    head, _, tail = style.template.partition("{question}") if style else ("", "", "")
    tail = tail.rstrip()
    shots = style is not None and bool(options.get("shots"))

    def question(prompt: str, messages: list[dict[str, str]] | None) -> str:
        if messages:
            return "\n".join(message["content"] for message in messages if message["role"] != "system")
        _, mark, last = prompt.rpartition(BETWEEN_SHOTS + head) if shots else ("", "", prompt)
        return (last if mark else last.removeprefix(head)).removesuffix(tail)

    def questions(batch: pa.RecordBatch) -> pa.Array:
        prompts, messages = batch["prompt"], batch["messages"]
        if messages.null_count == len(messages) and not (shots or head or tail):
            return prompts
        rows = zip(prompts.to_pylist(), messages.to_pylist(), strict=True)
        return pa.array([question(*row) for row in rows], pa.string())

    return questions
