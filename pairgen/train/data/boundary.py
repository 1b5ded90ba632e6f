"""Where the prompt ends in the tokens of a whole text, and where an edit lies in them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pairgen.train.data.groups import Ids, common_prefix_length


class Whole(NamedTuple):
    """A whole text and its tokens."""

    text: str
    ids: Ids
    encoding: Any

    def token(self, character: int) -> int:
        """The first token that holds this character or, where a normaliser took it away, one behind it."""
        for at in range(character, len(self.text)):
            found = self.encoding.char_to_token(at)
            if found is not None:
                return int(found)
        return len(self.ids)

    def stop(self, character: int) -> int:
        """The first token that begins at this character or behind it."""
        token = self.token(character)
        while token < len(self.ids) and self.encoding.token_to_chars(token)[0] < character:
            token += 1
        return token


class Part(NamedTuple):
    """A completion cut out of a whole text: from token ``after`` on it is the whole's, ``shift`` tokens further on."""

    ids: Ids
    after: int
    shift: int

    def place(self, token: int, otherwise: int) -> int:
        """Where a token of the whole stands in the completion; ``otherwise`` if it was taken apart."""
        return token - self.shift if token >= self.after else otherwise


class Cutter:
    """Cuts whole texts at the end of the prompt. ``backend`` is a ``tokenizers.Tokenizer`` without a post-processor."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._apart = lru_cache(4096)(lambda text: backend.encode(text, add_special_tokens=False).ids)
        self.merged = 0
        """Completions whose first characters share a token with the prompt's last ones."""

    def divide(self, text: str, own: Ids, wholes: list[Whole]) -> tuple[Ids, list[Part]]:
        """Cut whole texts where the prompt ends, so that all have one prompt.

        Args:
            text, own: the prompt and its tokens, had it been alone.
        """
        count, start = len(own), own.tobytes()
        parts: list[Part | None] = []
        for whole in wholes:
            if whole.ids[:count].tobytes() == start:
                parts.append(Part(whole.ids[count:], count, count))
            else:
                self.merged += 1
                parts.append(self._mended(len(text), own, whole))
        mended = [part for part in parts if part is not None]
        if len(mended) == len(parts):
            return own, mended
        # The token that holds both sides counts as the completion's first; one prompt for all, so the shortest.
        cut = min(whole.token(len(text)) for whole in wholes)
        for whole in wholes[1:]:
            cut = min(cut, common_prefix_length(whole.ids, wholes[0].ids))
        return wholes[0].ids[:cut], [Part(whole.ids[cut:], cut, cut) for whole in wholes]

    def _mended(self, boundary: int, own: Ids, whole: Whole) -> Part | None:
        """The completion of a text of which a token straddles the boundary, so that the prompt keeps its own tokens.

        ``Why?`` and ``\\nSo`` have the tokens ``Why`` ``?\\n`` ``So``: the completion becomes ``\\n`` ``So``.
        None if that does not decode to the same text, as where a tokenizer puts a space before every text.
        """
        after, stop = whole.token(boundary), boundary
        while after < len(whole.ids):
            first, last = whole.encoding.token_to_chars(after)
            if first >= stop:
                break
            after, stop = after + 1, max(stop, last)
        middle = np.array(self._apart(whole.text[boundary:stop]), np.int32)
        # Decoders look no further than one token around, and both start from the same two tokens.
        same = max(0, common_prefix_length(own, whole.ids) - 2)
        ours = np.concatenate([own[same:], middle, whole.ids[after : after + 2]])
        theirs = whole.ids[same : after + 2]
        if self._decode(ours) != self._decode(theirs):
            return None
        return Part(np.concatenate([middle, whole.ids[after:]]), after, after - len(middle))

    def _decode(self, ids: Ids) -> str:
        return str(self._backend.decode(ids.tolist(), skip_special_tokens=False))


def edit_in_tokens(chosen: Whole, part: Part, span: Sequence[int], head: int, tail: int) -> list[int]:
    """The tokens of chosen that a span of characters touches, made wide enough that the rest is as in rejected.

    Args:
        span: start and stop in the whole text.
        head, tail: the first and, exclusive, the last token of chosen that is not as in rejected.
    """
    start = part.place(chosen.token(span[0]), 0)
    stop = part.place(chosen.stop(span[1]), part.after - part.shift) if span[1] > span[0] else start
    return [min(start, head), max(stop, tail)]
