"""Token trees for training loops of your own: from texts to groups, and to batches that a model scores exactly.

The other parts are ``Scorer``, ``PairLogps`` and ``LOSSES``; the README shows them together.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from pairgen.errors import UnsupportedModel, UsageError, count
from pairgen.pairs.edits import span
from pairgen.pairs.messages import Message, plain_prompt
from pairgen.train.checks.exactness import check_model, check_trees
from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.tokenization import Counts, PairGroup, PairTokenizer
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.loading import disable_dropout
from pairgen.train.model.scorer import Scorer
from pairgen.train.scores.forward import Layout

Prompt = str | Sequence[Mapping[str, str]]
"""A text, or messages ``{"role": ..., "content": ...}``."""


def groups_of_texts(
    tokenizer: Any,
    rows: Iterable[tuple[Prompt, str, str | Sequence[str]]],
    *,
    chat: str = "auto",
    max_length: int = 2048,
) -> list[TokenGroup]:
    """Tokenize prompts with a chosen and one or several rejected completions, as ``pairgen train`` does.

    Prompt and completion are tokenized as one text; longer prompts are truncated from the left, completions never are.
    Pair ``j`` of row ``i`` has the id ``i-j``. Pairs that have to be dropped (completions of the same tokens, or longer
    than ``max_length``) are warned of, with their number.

    Args:
        tokenizer: a fast tokenizer of transformers.
        rows: prompt, chosen, rejected.
        chat: apply the tokenizer's chat template: ``on``, ``off``, or ``auto``: if there is one.
        max_length: most tokens of prompt and completion.

    Returns:
        The groups that are left, one for each row.

    Raises:
        UsageError: a row is something else, or no pair is left.
        UnsupportedModel: the tokenizer has no EOS token or no offsets, or its chat template fails.
    """
    tokenize, counts = PairTokenizer(tokenizer, chat, max_length).tokenize, Counts()
    groups = tokenize([_pair_group(number, *_checked(number, row)) for number, row in enumerate(rows)], counts)
    reasons = ", ".join(f"{reason} ({dropped:,})" for reason, dropped in counts.drops.most_common())
    if not groups:
        raise UsageError(f"groups_of_texts: no pair is left: {reasons or 'there are no rows'}")
    if reasons:
        warnings.warn(f"dropped {count(counts.drops.total(), 'pair')}: {reasons}", stacklevel=2)
    return groups


def exact_layout(
    scorer: Scorer, groups: Sequence[TokenGroup], *, row_tokens: int = 8192, share: str = "shots", pad: int = 0
) -> Layout:
    """What lays groups out for this model: as token trees if it scores these exactly, else as padded rows, with a
    warning that says why.

    Dropout is disabled in the model: with it, policy and reference could not be compared. Then log-probs of ``groups``
    are compared with those of the model's own logits, one sequence at a time: give a few, short and long ones.

    Args:
        row_tokens: most tokens of a packed row; a longer tree makes a longer row.
        share: ``prompt``, ``prefix``, ``group`` or ``shots``, as in ``pairgen train --share``.
        pad: the token id of padding.

    Returns:
        A function from any groups to a ``Batch`` on the CPU.

    Raises:
        UnsupportedModel: padded rows are not exact either.
    """
    disable_dropout(scorer.causal)
    plain = check_model(scorer, groups)
    layout: Layout = partial(tree_batch, row_tokens=row_tokens, share=share, pad=pad)
    try:
        check_trees(scorer, plain, layout)
    except UnsupportedModel as error:
        warnings.warn(f"prefix sharing is disabled: {error}", stacklevel=2)
        return partial(padded_batch, pad=pad)
    return layout


def _checked(number: int, row: Any) -> tuple[list[Message] | str, str, list[str]]:
    """The parts of a row. Raises UsageError if it has others."""
    where = f"groups_of_texts: row {number}"
    try:
        prompt, chosen, rejected = row
    except (TypeError, ValueError):
        raise UsageError(f"{where}: expected prompt, chosen and rejected") from None
    others = [rejected] if isinstance(rejected, str) else list(rejected)
    if not isinstance(prompt, str):
        try:
            prompt = [Message(message["role"], message["content"]) for message in prompt]
        except (TypeError, KeyError):
            raise UsageError(f"{where}: the prompt is neither a text nor a list of messages") from None
    if not isinstance(chosen, str) or not all(isinstance(text, str) for text in others):
        raise UsageError(f"{where}: completions are texts; those of a conversation, too")
    if not others:
        raise UsageError(f"{where}: has no rejected completion")
    return prompt, chosen, others


def _pair_group(number: int, prompt: list[Message] | str, chosen: str, rejected: list[str]) -> PairGroup:
    edits = [span(chosen, text) for text in rejected]
    messages = None if isinstance(prompt, str) else [message._asdict() for message in prompt]
    return PairGroup(
        group_id=str(number),
        prompt=prompt if isinstance(prompt, str) else plain_prompt(prompt),
        chosen=chosen,
        rejected=rejected,
        pair_ids=[f"{number}-{at}" for at in range(len(rejected))],
        edits=[(edit.start, edit.chosen_stop) for edit in edits],
        messages=messages,
    )
