"""Prompts of several chat messages: how they are stored, and how they read as plain text."""

from collections.abc import Sequence
from typing import NamedTuple

ROLES = ("system", "user", "assistant")

_SPEAKERS = {"user": "Human", "assistant": "Assistant"}


class Message(NamedTuple):
    """One message of a conversation."""

    role: str
    content: str


def is_conversation(messages: Sequence[Message]) -> bool:
    """Whether a model can answer these messages: an optional system message, then user and assistant messages of which
    the last is the user's."""
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    return bool(turns) and turns[-1] == "user" and set(turns) <= {"user", "assistant"}


def plain_prompt(messages: Sequence[Message]) -> str:
    """A conversation as plain text, for models without a chat template.

    A single question stands as it is, below the system message if there is one. Longer conversations name the speakers
    and end in ``Assistant:``.

    >>> plain_prompt([Message("user", "2 + 2?")])
    '2 + 2?'
    >>> plain_prompt([Message("user", "Hi"), Message("assistant", "Hello!"), Message("user", "Bye")])
    'Human: Hi\\n\\nAssistant: Hello!\\n\\nHuman: Bye\\n\\nAssistant:'
    """
    turns = [message for message in messages if message.role != "system"]
    texts = [message.content for message in messages if message.role == "system"]
    if len(turns) == 1:
        texts.append(turns[0].content)
    else:
        texts += [f"{_SPEAKERS[message.role]}: {message.content}" for message in turns] + ["Assistant:"]
    return "\n\n".join(texts).rstrip()


def separator(messages: Sequence[Message]) -> str:
    """What stands between ``plain_prompt`` and a completion."""
    return "\n" if sum(message.role != "system" for message in messages) == 1 else " "
