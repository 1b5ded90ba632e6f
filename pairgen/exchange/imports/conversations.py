"""Chat messages as datasets store them, in the one form that pairs use."""

from collections.abc import Mapping
from typing import Any

from pairgen.builders.choices import structured
from pairgen.builders.interface import MAX_LENGTH
from pairgen.pairs.messages import ROLES, Message
from pairgen.pairs.record import DropRow

OTHER_ROLES = {"human": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
"""Roles as ShareGPT and others write them."""

_SPEAKERS = {"Human": "user", "Assistant": "assistant"}


def text_of(value: Any, what: str) -> str:
    """A text as it is.

    Raises:
        DropRow: it is not a string, is blank, or is longer than ``MAX_LENGTH``; the reason begins with ``what``.
    """
    if type(value) is not str:
        raise DropRow(f"{what} is null" if value is None else f"{what} is not a string")
    if not value.strip():
        raise DropRow(f"{what} is empty")
    if len(value) > MAX_LENGTH:
        raise DropRow(f"{what} is over {MAX_LENGTH:,} characters")
    return value


def is_message(value: Any) -> bool:
    """Whether a value is a message: ``{"role": ..., "content": ...}``, or ``{"from": ..., "value": ...}``."""
    return isinstance(value, Mapping) and (
        ("role" in value and "content" in value) or {"from", "value"} <= value.keys()
    )


def is_chat(value: Any) -> bool:
    """Whether a value is a list of messages, which CSV files hold as text."""
    found = structured(value)
    return isinstance(found, list) and bool(found) and all(map(is_message, found))


def messages_of(value: Any, what: str) -> list[Message]:
    """A list of messages, or one message, without system messages that are empty.

    Raises:
        DropRow: a message without text, or of another role; the reason begins with ``what``.
    """
    found = structured(value)
    messages = [_message(one, what) for one in ([found] if is_message(found) else found or [])]
    return [message for message in messages if message.role != "system" or message.content.strip()]


def _message(value: Any, what: str) -> Message:
    if not is_message(value):
        raise DropRow(f"{what} has something that is not a message")
    role = value["role"] if "role" in value else value["from"]
    content = value["content"] if "content" in value else value["value"]
    role = OTHER_ROLES.get(role, role) if isinstance(role, str) else None
    if role not in ROLES:
        raise DropRow(f"{what} has a message that is not from system, user or assistant")
    if isinstance(content, list):  # parts, of which some may be images
        if not all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
            raise DropRow(f"{what} has a message that is not text")
        content = "".join(str(part.get("text", "")) for part in content)
    if role == "system" and (content is None or content == ""):
        return Message(role, "")
    return Message(role, text_of(content, f"a message of {what}"))


def transcript(text: str) -> list[Message]:
    """The messages of a text that names its speakers, as Anthropic's do: ``\\n\\nHuman: ...\\n\\nAssistant: ...``.

    Raises:
        DropRow: the text has no such speakers, or a message is empty.
    """
    start, *parts = f"\n{text}".replace("\n\nAssistant:", "\0Assistant:").replace("\n\nHuman:", "\0Human:").split("\0")
    if start.strip() or not parts:
        raise DropRow("the text does not begin with a speaker")
    messages = []
    for part in parts:
        speaker, _, content = part.partition(":")
        messages.append(Message(_SPEAKERS[speaker], text_of(content, "a message").strip()))
    return messages
