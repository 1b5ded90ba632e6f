"""Tokenize pairs: prompt and completion as one text, split at the end of the prompt.

A tokenizer may merge characters across that boundary, so both are tokenized together. BOS and EOS are added once each.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jinja2
import numpy as np

from pairgen.errors import UnsupportedModel, UsageError
from pairgen.train.data.boundary import CompletionTokens, EncodedText, PromptSplitter, edit_in_tokens
from pairgen.train.data.groups import Ids, TokenGroup, common_prefix_length

SPECIAL = "a text contains a special token of the tokenizer"
CHANGED = "the chat template alters a text"
LONG_CHOSEN, LONG_REJECTED = "chosen is longer than --max-length", "rejected is longer than --max-length"
SAME = "chosen and rejected have the same tokens"
NO_PROMPT = "empty prompt, and the tokenizer adds no BOS token"


class PairGroup(NamedTuple):
    """Consecutive pairs that share prompt and chosen; ``edits`` are start and stop in chosen, in characters.

    ``messages`` is the prompt as a chat; without them it is one user message.
    """

    group_id: str
    prompt: str
    chosen: str
    rejected: list[str]
    pair_ids: list[str]
    edits: list[tuple[int, int]]
    messages: list[dict[str, str]] | None = None

    def select(self, pairs: Sequence[int]) -> "PairGroup":
        """The group with a subset of its pairs."""
        if len(pairs) == len(self.pair_ids):
            return self
        return self._replace(
            rejected=[self.rejected[at] for at in pairs],
            pair_ids=[self.pair_ids[at] for at in pairs],
            edits=[self.edits[at] for at in pairs],
        )


@dataclass
class Counts:
    """Statistics of tokenization."""

    pairs: int = 0
    """Pairs kept."""
    drops: Counter[str] = field(default_factory=Counter)
    """Pairs dropped, by reason."""
    merged_boundaries: int = 0
    """Completions whose first characters are in one token with the last characters of the prompt."""
    truncated_prompts: int = 0
    """Groups whose prompt was truncated on the left."""
    longest: int = 0
    """Tokens of the longest prompt with its longest completion, before truncation."""
    turn_ends: Counter[str] = field(default_factory=Counter)
    """Completions that end with a special token of the chat template other than EOS, by that token."""

    def keep(self, reasons: Sequence[str]) -> list[int]:
        """Count the pairs with a reason to drop them; returns the indices of the others."""
        self.drops.update(filter(None, reasons))
        return [at for at, reason in enumerate(reasons) if not reason]


class _RenderedGroup(NamedTuple):
    """The texts of a group: its prompt, and the prompt followed by chosen and by each rejected.

    ``origin`` is the start of chosen in its text as if the template did not strip it; edits are clipped to what is from
    ``low`` to the end of chosen.
    """

    group: PairGroup
    prompt: str
    texts: list[str]
    origin: int
    low: int
    ends: list[int]
    """Where each completion ends in its text; a chat template may write more."""

    def span(self, edit: tuple[int, int]) -> tuple[int, int]:
        """Start and stop in the first text of an edit of chosen."""
        start, stop = (min(max(self.origin + at, self.low), self.ends[0]) for at in edit)
        return start, stop

    def select(self, pairs: Sequence[int]) -> "_RenderedGroup":
        """The group with a subset of its pairs."""
        kept = [0, *(1 + at for at in pairs)]
        texts, ends = [self.texts[at] for at in kept], [self.ends[at] for at in kept]
        return self._replace(group=self.group.select(pairs), texts=texts, ends=ends)


class PairTokenizer:
    """Tokenizes pairs with one tokenizer.

    Args:
        tokenizer: a fast tokenizer of transformers, which is not modified.
        chat: "on", "off", or "auto": on if the tokenizer has a chat template.
        max_length: maximum number of tokens of prompt and completion together.
        model: the value of --model, for error messages.

    Raises:
        UnsupportedModel: the tokenizer has no EOS or no offsets.
        UsageError: ``chat`` is "on" and there is no template.
    """

    def __init__(self, tokenizer: Any, chat: str = "auto", max_length: int = 2048, model: str = "") -> None:
        model = model or tokenizer.name_or_path
        if not tokenizer.is_fast:
            raise UnsupportedModel(f"--model {model}: has no fast tokenizer; choose a model that has a tokenizer.json")
        if tokenizer.eos_token_id is None:
            raise UnsupportedModel(
                f"--model {model}: its tokenizer has no EOS token; set eos_token in tokenizer_config.json"
            )
        if chat == "on" and not tokenizer.chat_template:
            raise UsageError(f"--chat on: the tokenizer of --model {model} has no chat template; use --chat off")
        self.model, self.tokenizer, self.max_length = model, tokenizer, max_length
        self.chat = bool(tokenizer.chat_template) and chat != "off"
        self.eos, self.bos = int(tokenizer.eos_token_id), tokenizer.bos_token_id

        content = tokenizer.backend_tokenizer.to_str()
        self._backend = type(tokenizer.backend_tokenizer).from_str(content)  # a copy, since it is configured below
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.post_processor = None  # GPT-2's removes white space from offsets
        self._backend.encode_special_tokens = not self.chat  # "</s>" in the data is plain text, not EOS
        self._splitter = PromptSplitter(self._backend)

        special = {at: token.content for at, token in tokenizer.added_tokens_decoder.items() if token.special}
        special |= dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
        self._tokens = special
        self._special_texts = re.compile("|".join(map(re.escape, sorted(special.values()))))
        # UNK is allowed in plain text, BOS and EOS are not: Unigram models encode "</s>" as EOS all the same.
        forbidden = set(special) - ({tokenizer.unk_token_id} - {self.eos, self.bos})
        self._special_ids = np.zeros(max([*tokenizer.get_vocab().values(), *forbidden]) + 1, bool)
        self._special_ids[list(forbidden)] = True

        self._prefix = np.array([] if self.chat else _prefix_ids(tokenizer), np.int32)
        template = tokenizer.chat_template if self.chat else None
        self.identity = [content, self._prefix.tolist(), self.eos, sorted(special.items()), template, max_length]
        """Everything that tokens depend on except the texts, as JSON values."""

    def tokenize(self, groups: Sequence[PairGroup], counts: Counts) -> list[TokenGroup]:
        """Tokenize groups in one call, without the pairs that must be dropped, and count these.

        Raises:
            UnsupportedModel: the chat template fails, or renders a prompt differently when an answer follows.
        """
        render = self._render_chat if self.chat else self._render_plain
        rendered = [texts for group in groups if (texts := render(group, counts))]
        all_texts = [text for one in rendered for text in (one.prompt, *one.texts)]
        encodings = iter(self._backend.encode_batch(all_texts, add_special_tokens=False))
        found: list[TokenGroup | None] = []
        for one in rendered:
            prompt = _ids(next(encodings))
            encoded = [EncodedText(text, _ids(encoding := next(encodings)), encoding) for text in one.texts]
            found.append(self._token_group(one, prompt, encoded, counts))
        return [group for group in found if group is not None]

    def _render_plain(self, group: PairGroup, counts: Counts) -> _RenderedGroup:  # noqa: ARG002 - as _render_chat
        texts = [group.prompt + text for text in (group.chosen, *group.rejected)]
        return _RenderedGroup(group, group.prompt, texts, len(group.prompt), len(group.prompt), list(map(len, texts)))

    def _render_chat(self, group: PairGroup, counts: Counts) -> _RenderedGroup | None:
        special = self._special_texts.search
        in_shared = special(group.prompt) or special(group.chosen)  # the texts of messages are in the prompt
        group = group.select(counts.keep([SPECIAL if in_shared or special(text) else "" for text in group.rejected]))
        if not group.pair_ids:
            return None
        answers = [text.strip() for text in (group.chosen, *group.rejected)]
        messages = group.messages or [{"role": "user", "content": group.prompt}]
        (prompt,) = self._apply_template([messages], add_generation_prompt=True)
        texts = self._apply_template([[*messages, {"role": "assistant", "content": text}] for text in answers])
        for text in texts:
            if not text.startswith(prompt):
                raise UnsupportedModel(
                    f"--model {self.model}: its chat template renders the prompt differently when an answer follows "
                    f"({prompt[-40:]!r} became {text[: len(prompt)][-40:]!r}); use --chat off"
                )
        starts = [text.find(answer, len(prompt)) for text, answer in zip(texts, answers, strict=True)]
        changed = any(message["content"].strip() not in prompt for message in messages) or starts[0] < 0
        kept = counts.keep([CHANGED if changed or start < 0 else "" for start in starts[1:]])
        if not kept:
            return None
        origin = starts[0] - (len(group.chosen) - len(group.chosen.lstrip()))
        ends = [start + len(answer) for start, answer in zip(starts, answers, strict=True)]
        return _RenderedGroup(group, prompt, texts, origin, starts[0], ends).select(kept)

    def _apply_template(self, conversations: list[list[dict[str, str]]], **options: Any) -> list[str]:
        try:
            return list(self.tokenizer.apply_chat_template(conversations, tokenize=False, **options))
        except (jinja2.TemplateError, ValueError, TypeError) as error:
            raise UnsupportedModel(
                f"--model {self.model}: its chat template fails ({error}); use --chat off"
            ) from error

    def _token_group(
        self, rendered: _RenderedGroup, prompt: Ids, texts: list[EncodedText], counts: Counts
    ) -> TokenGroup | None:
        if not self.chat:
            in_chosen, *in_rejected = (self._special_ids[text.ids].any() for text in texts)
            kept = counts.keep([SPECIAL if in_chosen or special else "" for special in in_rejected])
            rendered, texts = rendered.select(kept), [texts[0], *(texts[1 + at] for at in kept)]
        group = rendered.group
        if not group.pair_ids:
            return None
        prompt, completions, merged = self._splitter.split(rendered.prompt, prompt, texts)
        counts.merged_boundaries += merged
        has_bos = self.chat and len(prompt) > 0 and prompt[0] == self.bos
        start = prompt[:1] if has_bos else self._prefix
        prompt = np.concatenate([self._prefix, prompt])
        chosen, *rejected = (
            self._ended(completion, text, end)
            for completion, text, end in zip(completions, texts, rendered.ends, strict=True)
        )
        kept = counts.keep(self._reasons(len(prompt), len(start), chosen, rejected))
        if not kept:
            return None
        group, rejected = group.select(kept), [rejected[at] for at in kept]
        counts.pairs += len(kept)
        ids = (chosen, *rejected)
        counts.turn_ends.update(self._tokens[last] for one in ids if (last := int(one[-1])) != self.eos)
        length = len(prompt) + max(map(len, ids))
        counts.longest = max(counts.longest, length)
        excess = length - self.max_length
        if excess > 0:  # the end of the prompt, after its BOS
            counts.truncated_prompts += 1
            prompt = np.concatenate([start, prompt[len(start) + excess :]])
        edit = [
            edit_in_tokens(texts[0], completions[0], rendered.span(edit), _differing(chosen, other))
            for edit, other in zip(group.edits, rejected, strict=True)
        ]
        num_chars = [max(1, len(text.strip())) for text in (group.chosen, *group.rejected)]
        return TokenGroup(prompt, ids, tuple(group.pair_ids), np.array(edit, np.int32), np.array(num_chars, np.int32))

    def _reasons(self, prompt: int, start: int, chosen: Ids, rejected: list[Ids]) -> list[str]:
        """The reason to drop each pair, or "".

        Args:
            prompt, start: length of the prompt, and of its start that is never truncated.
        """
        longest = self.max_length - min(prompt, start + 1)
        if not prompt:
            return [NO_PROMPT] * len(rejected)
        if len(chosen) > longest:
            return [LONG_CHOSEN] * len(rejected)
        return [
            LONG_REJECTED if len(ids) > longest else SAME if np.array_equal(ids, chosen) else "" for ids in rejected
        ]

    def _ended(self, completion: CompletionTokens, text: EncodedText, end: int) -> Ids:
        """A completion up to the special token with which the chat template ends the turn, or with EOS appended.

        Some models end a turn with another token than EOS, such as ``<|end|>``, and stop generating there, too.

        Args:
            end: where the completion ends in its text.
        """
        ids = completion.ids
        if self.chat:
            after = completion.position(text.token(end), 0)
            if len(marks := np.flatnonzero(self._special_ids[ids[after:]])):
                return ids[: after + marks[0] + 1]
        return np.append(ids, np.int32(self.eos))


def _differing(chosen: Ids, rejected: Ids) -> tuple[int, int]:
    """Start and stop of the tokens of chosen that differ from rejected."""
    head = common_prefix_length(chosen, rejected)
    return head, len(chosen) - common_prefix_length(chosen[head:][::-1], rejected[head:][::-1])


def _prefix_ids(tokenizer: Any) -> list[int]:
    """The token ids that the tokenizer adds before a text: BOS, or none."""
    with_special, ids = (tokenizer("a", add_special_tokens=added)["input_ids"] for added in (True, False))
    at = next((at for at in range(len(with_special)) if with_special[at : at + len(ids)] == ids), 0)
    return list(with_special[:at])


def _ids(encoding: Any) -> Ids:
    return np.fromiter(encoding.ids, np.int32, len(encoding))
