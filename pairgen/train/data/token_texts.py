"""The text of each token of a completion."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

Decode = Callable[[Sequence[int]], str]

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""What tokens decode to that end within a character."""

CONTEXT = 4
"""Tokens of the prompt that the first tokens of a completion are decoded with."""


def decoder(tokenizer: Any) -> Decode:
    """From token ids to text, with special tokens; the tokenizer is a fast one of transformers."""
    backend = tokenizer.backend_tokenizer
    return lambda ids: str(backend.decode(list(ids), skip_special_tokens=False))


class TokenTexts:
    """What each token of a completion adds to the text of those before it.

    Tokens that end within a character add nothing, and the last token of the character adds all of it. Joined, the
    texts are what prompt and completion decode to together, without the prompt's part.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._part = lru_cache(1 << 16)(decode)  # most tokens have stood beside the same token before

    def of(self, prompt: Iterable[int], completions: Iterable[Iterable[int]]) -> list[list[str]]:
        """The texts of the tokens of each completion of a prompt.

        Args:
            prompt, completions: token ids.
        """
        before = tuple(map(int, prompt))
        start = self._decode(before)
        found = []
        for ids in (tuple(map(int, completion)) for completion in completions):
            whole = self._decode((*before, *ids))
            texts = self._added(before[-CONTEXT:], ids)
            if "".join(texts) != whole[_common_length(start, whole) :]:  # decoded otherwise without what is before
                texts = texts_by_prefixes(self._decode, before, ids)
            found.append(texts)
        return found

    def _added(self, context: tuple[int, ...], ids: tuple[int, ...]) -> list[str]:
        """The texts, each decoded with the one or few tokens before it."""
        tokens = (*context, *ids)
        first, known, given = 0, len(context), ""
        found = []
        for stop in range(known + 1, len(tokens) + 1):
            text = self._part(tokens[first:stop])[len(self._part(tokens[first:known])) :]
            whole = not text.endswith(INCOMPLETE) or stop == len(tokens)
            found.append((text if whole else text.rstrip(INCOMPLETE))[len(given) :])
            given += found[-1]
            if whole:
                first, known, given = known, stop, ""
        return found


def texts_by_prefixes(decode: Decode, prompt: Sequence[int], ids: Sequence[int]) -> list[str]:
    """The texts of a completion's tokens from those of all its prefixes: slow, but right for every decoder."""
    tokens = (*prompt, *ids)
    whole = decode(tokens)
    prefixes = (decode(tokens[:stop]) for stop in range(len(prompt), len(tokens)))
    stops = [*_increasing(_common_length(prefix, whole) for prefix in prefixes), len(whole)]
    return [whole[start:stop] for start, stop in pairwise(stops)]


def _increasing(values: Iterable[int]) -> Iterator[int]:
    """The largest value so far."""
    largest = 0
    for value in values:
        largest = max(largest, value)
        yield largest


def _common_length(one: str, other: str) -> int:
    """The length of the longest common prefix."""
    if other.startswith(one):
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))
