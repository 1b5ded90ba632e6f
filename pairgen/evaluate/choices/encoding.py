"""Contexts and continuations as token ids, exactly as lm-evaluation-harness 0.4.13 encodes them for a causal model.

This is what ``TemplateLM.loglikelihood``, ``_encode_pair`` and ``HFLM.tok_encode`` do there, one text at a time; here a
text that several choices share is encoded once, and all texts in one call of the tokenizer.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pairgen.errors import UsageError

Tokens = tuple[int, ...]


class TokenPair(NamedTuple):
    """A context and a continuation, which is scored; at least one token each."""

    context: Tokens
    continuation: Tokens


def encode_pairs(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> list[TokenPair]:
    """Encode contexts with their continuations.

    White space at the end of a context is moved to the continuation. Both together are encoded as one text, with the
    special tokens that the tokenizer adds (unless the text starts with BOS already), and what follows the first tokens,
    as many as the context alone has, is the continuation. An empty context becomes BOS, or EOS if there is none.

    Raises:
        UsageError: a context or a continuation has no tokens of its own.
    """
    prefix = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    moved = [_moved(context, continuation) for context, continuation in pairs]
    in_context = [pair for pair, (context, _) in zip(moved, pairs, strict=True) if context]
    texts = (text for context, rest in in_context for text in (context, context + rest))
    ids = _encoded(tokenizer, texts, prefix)
    alone = _ids(tokenizer, {rest for context, rest in pairs if not context}, add_special_tokens=False)
    found = []
    for given, (context, rest) in zip(pairs, moved, strict=True):
        if given[0]:
            before = ids[context]
            pair = TokenPair(before, ids[context + rest][len(before) :])
        else:
            after = alone[rest]
            start = () if prefix is None else (prefix,)
            pair = TokenPair(start, after[1:] if start and after[:1] == start else after)
        for what, text, tokens in zip(("context", "choice"), given, pair, strict=True):
            if not tokens:
                raise UsageError(
                    f"the {what} {text[-60:]!r} has no tokens of its own and cannot be scored; "
                    "remove the question, or use a model with another tokenizer"
                )
        found.append(pair)
    return found


def _moved(context: str, continuation: str) -> tuple[str, str]:
    """The same text, without white space at the end of the context."""
    stripped = context.rstrip()
    return stripped, context[len(stripped) :] + continuation


def _encoded(tokenizer: Any, texts: Iterable[str], prefix: int | None) -> dict[str, Tokens]:
    """The tokens of each text, with special tokens unless it starts with the text of ``prefix``."""
    distinct = set(texts)
    with_bos: set[str] = set()
    if prefix is not None:
        bos = tokenizer.decode(prefix)
        with_bos = {text for text in distinct if text.startswith(bos)}
    return _ids(tokenizer, distinct - with_bos) | _ids(tokenizer, with_bos, add_special_tokens=False)


def _ids(tokenizer: Any, texts: set[str], **options: bool) -> dict[str, Tokens]:
    ordered = list(texts)
    found = tokenizer(ordered, return_attention_mask=False, verbose=False, **options)["input_ids"] if ordered else []
    return dict(zip(ordered, map(tuple, found), strict=True))


def context_length(model: Any, tokenizer: Any) -> int:
    """The most tokens that lm-evaluation-harness gives a model at once."""
    config = getattr(model.config, "text_config", None) or model.config
    names = ("n_positions", "max_position_embeddings", "n_ctx")
    lengths = (getattr(config, name, None) for name in names)
    length = next((length for length in lengths if length is not None), None)
    if length is None:
        length = getattr(tokenizer, "model_max_length", None)
    return int(length) if length is not None and length != UNLIMITED else DEFAULT_LENGTH


UNLIMITED = 1000000000000000019884624838656
"""What tokenizers without a maximum length have for one."""
DEFAULT_LENGTH = 2048


def truncated(pair: TokenPair, max_length: int) -> TokenPair:
    """The pair with as many tokens removed from the start of the context as are too many.

    The last token is only predicted, so that one more than ``max_length`` fits.

    Raises:
        UsageError: the continuation alone is too long.
    """
    if len(pair.continuation) > max_length:
        raise UsageError(
            f"a choice has {len(pair.continuation):,} tokens, and the model's context only {max_length:,}; "
            "remove the question, or use another model"
        )
    excess = len(pair.context) + len(pair.continuation) - (max_length + 1)
    return pair._replace(context=pair.context[excess:]) if excess > 0 else pair
