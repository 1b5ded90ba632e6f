"""Find the end of the prompt, and the edit, in the tokens of a text."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pairgen.train.data.groups import Ids, common_prefix_length


class EncodedText(NamedTuple):
    """The text of prompt and completion, and its tokens."""

    text: str
    ids: Ids
    encoding: Any

    def token(self, character: int) -> int:
        """The token that contains a character; if a normalizer removed it, that of the next one."""
        for at in range(character, len(self.text)):
            token = self.encoding.char_to_token(at)
            if token is not None:
                return int(token)
        return len(self.ids)

    def token_from(self, character: int) -> int:
        """The first token that starts at or after a character."""
        token = self.token(character)
        while token < len(self.ids) and self.encoding.token_to_chars(token)[0] < character:
            token += 1
        return token


class CompletionTokens(NamedTuple):
    """The tokens of a completion; for i >= ``after``, token i of the text is token i - ``shift`` of the completion."""

    ids: Ids
    after: int
    shift: int

    def position(self, token: int, otherwise: int) -> int:
        """The position of a token of the text in the completion, or ``otherwise`` if it was tokenized again."""
        return token - self.shift if token >= self.after else otherwise


class PromptSplitter:
    """Splits encoded texts where the prompt ends.

    Args:
        backend: a ``tokenizers.Tokenizer`` without a post-processor.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._tokenize = lru_cache(4096)(lambda text: backend.encode(text, add_special_tokens=False).ids)

    def split(self, prompt: str, prompt_ids: Ids, texts: list[EncodedText]) -> tuple[Ids, list[CompletionTokens], int]:
        """Split texts so that all have the same prompt.

        Args:
            prompt_ids: the tokens of the prompt alone.
            texts: the prompt with each of its completions.

        Returns:
            The tokens of the prompt and of the completions, and the number of completions that start within a token
            that also contains the end of the prompt.
        """
        count, start = len(prompt_ids), prompt_ids.tobytes()
        merged = [text for text in texts if text.ids[:count].tobytes() != start]
        completions = [
            CompletionTokens(text.ids[count:], count, count)
            if text.ids[:count].tobytes() == start
            else self._separated(len(prompt), prompt_ids, text)
            for text in texts
        ]
        separated = [completion for completion in completions if completion is not None]
        if len(separated) == len(texts):
            return prompt_ids, separated, len(merged)
        # The merged token becomes the first one of the completion; the shortest prompt is used for all.
        cut = min(text.token(len(prompt)) for text in texts)
        for text in texts[1:]:
            cut = min(cut, common_prefix_length(text.ids, texts[0].ids))
        return texts[0].ids[:cut], [CompletionTokens(text.ids[cut:], cut, cut) for text in texts], len(merged)

    def _separated(self, boundary: int, prompt_ids: Ids, text: EncodedText) -> CompletionTokens | None:
        """The completion of a text with a merged token, tokenized again so that the tokens of the prompt are unchanged.

        ``Why?`` and ``\\nSo`` have the tokens ``Why`` ``?\\n`` ``So``: the completion becomes ``\\n`` ``So``.
        None if that decodes to another text, as with a tokenizer that prepends a space to every text.
        """
        after, stop = text.token(boundary), boundary
        while after < len(text.ids):
            first, last = text.encoding.token_to_chars(after)
            if first >= stop:
                break
            after, stop = after + 1, max(stop, last)
        start = np.array(self._tokenize(text.text[boundary:stop]), np.int32)
        # Decoding depends on neighboring tokens only, so two tokens of context are enough.
        same = max(0, common_prefix_length(prompt_ids, text.ids) - 2)
        separated = np.concatenate([prompt_ids[same:], start, text.ids[after : after + 2]])
        if self._decode(separated) != self._decode(text.ids[same : after + 2]):
            return None
        return CompletionTokens(np.concatenate([start, text.ids[after:]]), after, after - len(start))

    def _decode(self, ids: Ids) -> str:
        return str(self._backend.decode(ids.tolist(), skip_special_tokens=False))


def edit_in_tokens(
    chosen: EncodedText, completion: CompletionTokens, span: tuple[int, int], differing: tuple[int, int]
) -> list[int]:
    """Start and stop of the tokens of chosen that overlap a span of characters or differ from rejected.

    Args:
        span: start and stop in the text.
        differing: start and stop of the tokens that differ from rejected.
    """
    start = stop = completion.position(chosen.token(span[0]), 0)
    if span[1] > span[0]:
        stop = completion.position(chosen.token_from(span[1]), completion.after - completion.shift)
    return [min(start, differing[0]), max(stop, differing[1])]
