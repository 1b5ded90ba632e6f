"""Prompts of several chat messages as plain text."""

import pytest

from pairgen.pairs.messages import Message, is_conversation, plain_prompt, separator

SYSTEM, USER, ASSISTANT = Message("system", "Be brief."), Message("user", "2 + 2?"), Message("assistant", "4.")


@pytest.mark.parametrize(
    ("messages", "text", "between"),
    [
        ([USER], "2 + 2?", "\n"),
        ([SYSTEM, USER], "Be brief.\n\n2 + 2?", "\n"),
        ([USER, ASSISTANT, USER], "Human: 2 + 2?\n\nAssistant: 4.\n\nHuman: 2 + 2?\n\nAssistant:", " "),
        ([SYSTEM, USER, USER], "Be brief.\n\nHuman: 2 + 2?\n\nHuman: 2 + 2?\n\nAssistant:", " "),
        ([Message("user", " why? \n")], " why?", "\n"),
    ],
)
def test_plain_prompt(messages: list[Message], text: str, between: str) -> None:
    assert is_conversation(messages)
    assert plain_prompt(messages) == text
    assert separator(messages) == between


@pytest.mark.parametrize(
    "messages",
    [[], [SYSTEM], [ASSISTANT], [USER, ASSISTANT], [USER, SYSTEM, USER], [Message("tool", "4"), USER]],
)
def test_messages_that_nobody_can_answer_are_no_conversation(messages: list[Message]) -> None:
    assert not is_conversation(messages)
