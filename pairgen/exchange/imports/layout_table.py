"""The layouts of preference data and of data for supervised fine-tuning that ``import`` reads.

A new layout is one entry of ``LAYOUTS``: the columns by which it is recognized, and how a row is read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pairgen.builders.choices import structured
from pairgen.exchange.imports.conversations import is_chat, is_message, transcript
from pairgen.exchange.imports.preferences import (
    Preference,
    Row,
    demonstration,
    implicit,
    preference,
    ranked,
    ranked_objects,
    speakers,
    step,
)
from pairgen.pairs.record import DropRow

# ---------------------------------------------------------------- what a column holds


def is_text(value: Any) -> bool:
    return type(value) is str and not is_chat(value)


def is_transcript(value: Any) -> bool:
    """Whether a text begins with a speaker, as Anthropic's data do."""
    return is_text(value) and value.lstrip().startswith("Human:") and "\n\nAssistant:" in value


def is_text_or_null(value: Any) -> bool:
    return value is None or is_text(value)


def is_prompt(value: Any) -> bool:
    return is_text(value) or is_chat(value)


def is_label(value: Any) -> bool:
    return type(value) is bool or value in (0, 1, "True", "False", "true", "false")


def is_list(value: Any) -> bool:
    return isinstance(structured(value), list) and bool(structured(value))


def has_messages(value: Any) -> bool:
    found = structured(value)
    return isinstance(found, Mapping) and is_chat(found.get("messages"))


def has_objects(*names: str) -> Callable[[Any], bool]:
    """Whether a value is a list of objects with these keys."""
    return lambda value: (
        is_list(value) and all(isinstance(one, Mapping) and one.keys() >= set(names) for one in structured(value))
    )


# ---------------------------------------------------------------- the table


@dataclass(frozen=True)
class Layout:
    """A layout: its columns, and how a row becomes a ``Preference``."""

    summary: str
    columns: Mapping[str, Callable[[Any], bool]]
    """The columns that every row has, and what they hold."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What ``read`` calls a column, if it differs."""
    read: Callable[[Row], Preference] = preference
    """From a row with these names. Raises DropRow."""
    expand: Callable[[Row], Iterable[Row]] | None = None
    """The rows that one row stands for."""
    joins: bool = False
    """Whether rows hold one completion each, so that those with the same prompt belong together."""
    sft: bool = False
    """Whether rows have no rejected completion."""

    def fits(self, row: Row) -> bool:
        """Whether a row has these columns and values."""
        return all(name in row and holds(row[name]) for name, holds in self.columns.items())

    def renamed(self, row: Row) -> Row:
        """The row with the names that ``read`` uses."""
        return {**row, **{ours: row.get(theirs) for ours, theirs in self.names.items()}} if self.names else row


def _azure(row: Row) -> Iterator[Row]:
    found = structured(row["input"])
    yield {**row, "messages": found.get("messages") if isinstance(found, Mapping) else None}


def _with_messages(row: Row) -> Iterator[Row]:
    """A prompt that is a transcript, ``\n\nHuman: ...\n\nAssistant:``, as messages."""
    prompt = row["prompt"]
    if is_transcript(prompt):
        with suppress(DropRow):  # then it is plain text
            turns = transcript(prompt.rstrip().removesuffix("Assistant:"))
            prompt = [message._asdict() for message in turns]
    yield {**row, "prompt": prompt}


def _with_input(row: Row) -> Iterator[Row]:
    """Alpaca's instruction and input as one prompt."""
    parts = [part for part in (row.get("instruction"), row.get("input")) if type(part) is str and part.strip()]
    yield {**row, "prompt": "\n".join(parts) or None}


def _turns(row: Row) -> Iterator[Row]:
    """A row for each assistant message of a conversation, with the messages before it."""
    messages = structured(row["messages"])
    if not isinstance(messages, list) or not all(map(is_message, messages)):
        yield {**row, "completion": None}
        return
    answers = [
        at for at, one in enumerate(messages) if at and one.get("role", one.get("from")) in ("assistant", "gpt", "bot")
    ]
    for at in answers:
        yield {**row, "completion": messages[: at + 1]}
    if not answers:
        yield {**row, "completion": None}


def _exchanges(row: Row) -> Iterator[Row]:
    """A row for each turn of input and output, with the turns before it and the instruction as system message."""
    turns = structured(row["conversation"])
    messages = [{"role": "system", "content": row.get("instruction")}]
    for turn in turns if isinstance(turns, list) else ():
        if not isinstance(turn, Mapping):
            break
        messages += [
            {"role": "user", "content": turn.get("input")},
            {"role": "assistant", "content": turn.get("output")},
        ]
        yield {**row, "completion": [*messages]}
    if len(messages) == 1:
        yield {**row, "completion": None}


_BOTH_TEXT = {"chosen": is_text, "rejected": is_text}
_BOTH_CHAT = {"chosen": is_chat, "rejected": is_chat}
_BOTH_MESSAGE = {"chosen": is_message, "rejected": is_message}

LAYOUTS: dict[str, Layout] = {
    "trl": Layout("prompt, chosen and rejected as text", {"prompt": is_text, **_BOTH_TEXT}),
    "trl-implicit": Layout("chosen and rejected as text that includes the prompt", _BOTH_TEXT, read=implicit),
    "trl-chat": Layout("prompt, chosen and rejected as lists of messages", {"prompt": is_chat, **_BOTH_CHAT}),
    "chat": Layout("chosen and rejected as whole conversations (UltraFeedback binarized)", _BOTH_CHAT),
    "hh": Layout(
        "chosen and rejected as transcripts with Human: and Assistant: (Anthropic HH)",
        {"chosen": is_transcript, "rejected": is_transcript},
        read=speakers,
    ),
    "orca": Layout(
        "system, question, chosen, rejected (Intel/orca_dpo_pairs)",
        {"system": is_text_or_null, "question": is_text, **_BOTH_TEXT},
        names={"prompt": "question"},
    ),
    "system": Layout(
        "system, prompt, chosen, rejected (Truthy-DPO)", {"system": is_text_or_null, "prompt": is_text, **_BOTH_TEXT}
    ),
    "azure": Layout(
        "input.messages, preferred_output, non_preferred_output (preference fine-tuning of OpenAI and Azure)",
        {"input": has_messages, "preferred_output": is_chat, "non_preferred_output": is_chat},
        names={"chosen": "preferred_output", "rejected": "non_preferred_output"},
        expand=_azure,
    ),
    "kto": Layout(
        "prompt, completion, label: unpaired rows, which are joined by prompt",
        {"prompt": is_prompt, "completion": is_prompt, "label": is_label},
        read=ranked,
        joins=True,
    ),
    "ranked": Layout(
        "prompt, completions, scores (higher is better)",
        {"prompt": is_prompt, "completions": is_list, "scores": is_list},
        read=ranked,
    ),
    "nectar": Layout(
        "prompt, answers with rank (Nectar)",
        {"prompt": is_prompt, "answers": has_objects("answer", "rank")},
        names={"completions": "answers"},
        read=ranked_objects("rank", "answer"),
        expand=_with_messages,
    ),
    "ultrafeedback": Layout(
        "instruction, completions with overall_score (UltraFeedback)",
        {"instruction": is_text, "completions": has_objects("response", "overall_score")},
        names={"prompt": "instruction"},
        read=ranked_objects("overall_score", "response"),
    ),
    "nemo-rl": Layout(
        "context, completions with rank (NeMo RL)",
        {"context": is_chat, "completions": has_objects("completion", "rank")},
        names={"prompt": "context"},
        read=ranked_objects("rank", "completion"),
    ),
    "step-dpo": Layout(
        "prompt, initial_reason_steps, chosen, rejected (Step-DPO)",
        {"prompt": is_text, "initial_reason_steps": is_text_or_null, **_BOTH_TEXT},
        read=step,
    ),
    "llama-factory": Layout(
        "conversations, and chosen and rejected as one message (LLaMA-Factory)",
        {"conversations": is_chat, **_BOTH_MESSAGE},
        names={"messages": "conversations"},
    ),
    "axolotl": Layout(
        "messages, and chosen and rejected as one message (Axolotl)", {"messages": is_chat, **_BOTH_MESSAGE}
    ),
    "alpaca": Layout(
        "instruction, input, chosen, rejected (LLaMA-Factory)",
        {"instruction": is_text, "input": is_text_or_null, **_BOTH_TEXT},
        expand=_with_input,
    ),
    "sft": Layout(
        "prompt and completion", {"prompt": is_prompt, "completion": is_prompt}, read=demonstration, sft=True
    ),
    "sft-messages": Layout(
        "messages: one row per assistant message", {"messages": is_chat}, read=demonstration, expand=_turns, sft=True
    ),
    "sharegpt": Layout(
        "conversations: one row per assistant message (ShareGPT)",
        {"conversations": is_chat},
        names={"messages": "conversations"},
        read=demonstration,
        expand=_turns,
        sft=True,
    ),
    "orca-chat": Layout(
        "instruction, conversation with input and output: one row per output (orca-chat)",
        {"instruction": is_text_or_null, "conversation": has_objects("input", "output")},
        read=demonstration,
        expand=_exchanges,
        sft=True,
    ),
    "sft-alpaca": Layout(
        "instruction, input, output (Alpaca)",
        {"instruction": is_text, "input": is_text_or_null, "output": is_text},
        names={"completion": "output"},
        read=demonstration,
        expand=_with_input,
        sft=True,
    ),
    "metamath": Layout(
        "query and response (MetaMathQA)",
        {"query": is_text, "response": is_text},
        names={"prompt": "query", "completion": "response"},
        read=demonstration,
        sft=True,
    ),
    "question-answer": Layout(
        "question and answer (GSM8K)",
        {"question": is_text, "answer": is_text},
        names={"prompt": "question", "completion": "answer"},
        read=demonstration,
        sft=True,
    ),
}
