"""The question of a pair: its prompt without few-shot examples and template, as far as the manifest names them."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from pairgen.builders import BUILDERS
from pairgen.builders.prompts import BETWEEN_SHOTS, STYLES


def question_reader(manifest: Mapping[str, Any]) -> Callable[[pa.Array], pa.Array]:
    """A function from prompts to their questions, for a dataset with this manifest.

    The prompt styles of pairgen are recognised. With any other style or origin, the question is the whole prompt.
    """
    options = manifest.get("options") or {}
    builder = BUILDERS.get(str(manifest.get("dataset")))
    style = (builder.styles if builder else STYLES).get(str(options.get("prompt_style")))
    if style is None:
        return lambda prompts: prompts
    head, _, tail = style.template.partition("{question}")
    tail = tail.rstrip()
    shots = bool(options.get("shots"))

    def question(prompt: str) -> str:
        _, mark, last = prompt.rpartition(BETWEEN_SHOTS + head) if shots else ("", "", prompt)
        return (last if mark else last.removeprefix(head)).removesuffix(tail)

    if not (shots or head or tail):
        return lambda prompts: prompts
    return lambda prompts: pa.array([question(prompt) for prompt in prompts.to_pylist()], pa.string())
