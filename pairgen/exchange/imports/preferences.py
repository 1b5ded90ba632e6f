"""From a row of somebody else's preference data to a prompt, the chosen completion and the rejected ones."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairgen.builders.choices import structured
from pairgen.exchange.imports.conversations import is_chat, is_message, messages_of, text_of, transcript
from pairgen.pairs.edits import shared_prefix
from pairgen.pairs.messages import Message, is_conversation, plain_prompt, separator
from pairgen.pairs.record import DropRow

Row = Mapping[str, Any]


class Preference(NamedTuple):
    """What a row says, as pairs say it: the prompt has no trailing whitespace, and completions begin with some.

    ``messages`` is the prompt as a chat, unless one user message says the same. Without ``rejected`` the row is for
    supervised fine-tuning.
    """

    prompt: str
    chosen: str
    rejected: list[str]
    messages: tuple[Message, ...] | None = None


# ---------------------------------------------------------------- prompt and completions


def from_text(prompt: str, completions: Sequence[str]) -> Preference:
    """A prompt that completions continue: whitespace at its end goes to them, or a new line if there is none."""
    start = prompt.rstrip()
    texts = [prompt[len(start) :] + completion for completion in completions]
    if not all(text.startswith((" ", "\n")) for text in texts):
        texts = ["\n" + text for text in texts]
    return Preference(start, texts[0], texts[1:])


def from_chat(messages: Sequence[Message], completions: Sequence[str], gap: str | None = None) -> Preference:
    """Messages that completions answer.

    Args:
        gap: what stands between them in plain text; None for the default of ``separator``.

    Raises:
        DropRow: the messages do not end with one of the user.
    """
    if not is_conversation(messages):
        raise DropRow("the prompt is not a conversation that ends with a user message")
    prompt = plain_prompt(messages)
    kept = None if [Message("user", prompt)] == list(messages) else tuple(messages)
    texts = [(separator(messages) if gap is None else gap) + completion.lstrip() for completion in completions]
    return Preference(prompt, texts[0], texts[1:], kept)


def answer_of(value: Any, what: str) -> tuple[list[Message], str]:
    """A completion, and the messages before it: of a text none, of a list all but the last.

    Raises:
        DropRow: it is neither, or its last message is not the assistant's.
    """
    if is_message(structured(value)) or is_chat(value):
        *before, last = messages_of(value, what)
        if last.role != "assistant":
            raise DropRow(f"{what} does not end with an assistant message")
        return before, last.content
    return [], text_of(value, what)


def preference(row: Row) -> Preference:
    """Columns ``chosen`` and ``rejected``, after ``prompt`` (text or messages), ``messages`` or ``system``.

    If completions are lists that repeat the prompt's messages, these count. A text prompt with completions that are
    messages, or with a system message, is a user message.

    Raises:
        DropRow: a value is missing or of the wrong kind, or the completions answer different prompts.
    """
    (before, chosen), (others, rejected) = answer_of(row["chosen"], "chosen"), answer_of(row["rejected"], "rejected")
    if before != others:
        raise DropRow("chosen and rejected differ in more than their last message")
    return _with_prompt(row, before, [chosen, rejected], is_text=type(structured(row["chosen"])) is str)


def _with_prompt(row: Row, before: list[Message], completions: list[str], is_text: bool) -> Preference:
    prompt, gap = row.get("prompt"), row.get("separator")
    if not before and is_chat(row.get("messages")):
        messages = messages_of(row["messages"], "messages")
        if is_conversation(messages) or prompt is None:  # in some datasets they include an answer
            before = messages
    gap = gap if type(gap) is str and gap.startswith((" ", "\n")) and not gap.strip() else None
    system = [Message("system", text)] if (text := str(row.get("system") or "")).strip() else []
    if not before and (is_chat(prompt) or is_message(prompt)):
        before = messages_of(prompt, "prompt")
    elif not before and (system or not is_text):
        before = [Message("user", text_of(prompt, "prompt"))]
    if not before:
        return from_text(text_of(prompt, "prompt"), completions)
    return from_chat(before if before[0].role == "system" else [*system, *before], completions, gap)


# ---------------------------------------------------------------- other shapes of rows


def implicit(row: Row) -> Preference:
    """Two texts without a prompt: what they share, up to a space, is the prompt (TRL's implicit prompt)."""
    chosen, rejected = text_of(row["chosen"], "chosen"), text_of(row["rejected"], "rejected")
    end = shared_prefix(chosen, rejected)
    end = next((at for at in range(min(end, len(chosen) - 1, len(rejected) - 1), 0, -1) if chosen[at].isspace()), 0)
    if not chosen[:end].strip():
        raise DropRow("chosen and rejected share no prompt")
    return from_text(chosen[:end], [chosen[end:], rejected[end:]])


def speakers(row: Row) -> Preference:
    """Two transcripts, ``\\n\\nHuman: ...\\n\\nAssistant: ...``, that differ in the last message (Anthropic HH)."""
    chats = [[message._asdict() for message in transcript(text_of(row[name], name))] for name in ("chosen", "rejected")]
    return preference(dict(zip(("chosen", "rejected"), chats, strict=True)))


def ranked(row: Row) -> Preference:
    """Several completions with ``scores`` (higher is better) or ``ranks`` (lower is better).

    The best one is chosen, and all that are worse are rejected; of equally good ones the first counts.
    """
    scores, ranks = structured(row.get("scores")), structured(row.get("ranks"))
    values = structured(row["completions"])
    order = scores if isinstance(scores, list) else ranks
    if not isinstance(values, list) or not isinstance(order, list) or len(values) != len(order) or not values:
        raise DropRow("completions and their ranks are not lists of one length")
    if not all(isinstance(value, (int, float)) and value == value for value in order):
        raise DropRow("a rank is not a number")
    key = [-value for value in order] if order is scores else order
    best = min(key)
    first = key.index(best)
    worse = [value for value, rank in zip(values, key, strict=True) if rank > best]
    if not worse:
        raise DropRow("no completion is worse than another")
    answers = [answer_of(value, "a completion") for value in (values[first], *worse)]
    if any(before for before, _ in answers):
        raise DropRow("a completion has several messages")
    return _with_prompt(row, [], [text for _, text in answers], is_text=type(values[first]) is str)


def ranked_objects(*names: str) -> Any:
    """A reader of rows whose completions are objects that hold text and rank: their names, the rank's first."""
    rank, text = names
    return lambda row: ranked(_unzipped(row, rank, text))


def _unzipped(row: Row, rank: str, text: str) -> Row:
    found = structured(row["completions"])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise DropRow("completions is not a list of objects")
    order = "ranks" if rank == "rank" else "scores"
    return {**row, "completions": [one.get(text) for one in found], order: [one.get(rank) for one in found]}


def step(row: Row) -> Preference:
    """One right and one wrong step after the steps before them (Step-DPO), which end the prompt."""
    prompt, steps = text_of(row["prompt"], "prompt"), row.get("initial_reason_steps") or ""
    if type(steps) is not str:
        raise DropRow("initial_reason_steps is not a string")
    touches = steps and not (prompt[-1].isspace() or steps[:1].isspace())
    start = f"{prompt}{chr(10) if touches else ''}{steps}"
    return from_text(start, [text_of(row["chosen"], "chosen"), text_of(row["rejected"], "rejected")])


# ---------------------------------------------------------------- supervised fine-tuning


def demonstration(row: Row) -> Preference:
    """A completion to imitate, after ``prompt`` (text or messages), ``messages`` or ``system``."""
    before, completion = answer_of(row["completion"], "completion")
    return _with_prompt(row, before, [completion], is_text=type(structured(row["completion"])) is str)
