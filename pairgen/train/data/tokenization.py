"""One group of pairs -> token ids: whole texts through the tokenizer, cut where the prompt ends. Reads no files.

Prompt and completion are one text to a tokenizer, so they are tokenised as one; BOS and EOS are put in here, once each.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jinja2
import numpy as np

from pairgen.errors import UnsupportedModel, UsageError
from pairgen.train.data.boundary import Cutter, Whole, edit_in_tokens
from pairgen.train.data.groups import Ids, common_prefix_length

SPECIAL = "a text holds a special token of the tokenizer"
CHANGED = "the chat template changes a text"
LONG_CHOSEN, LONG_REJECTED = "chosen is longer than --max-length", "rejected is longer than --max-length"
SAME = "chosen and rejected have the same tokens"
BARE = "no token before the completion: the prompt is empty and the tokenizer puts no BOS there"


class Run(NamedTuple):
    """Pairs that stand together and share prompt and chosen; ``edits`` are start and stop in chosen's code points."""

    group_id: str
    prompt: str
    chosen: str
    rejected: list[str]
    pair_ids: list[str]
    edits: list[tuple[int, int]]

    def only(self, kept: Sequence[int]) -> "Run":
        """The same with fewer pairs."""
        if len(kept) == len(self.pair_ids):
            return self
        return self._replace(
            rejected=[self.rejected[at] for at in kept],
            pair_ids=[self.pair_ids[at] for at in kept],
            edits=[self.edits[at] for at in kept],
        )


class Row(NamedTuple):
    """What ``groups.TokenGroup`` holds; ``edit`` is flat."""

    prompt: Ids
    completions: list[Ids]
    pair_ids: list[str]
    edit: list[int]
    num_chars: list[int]


@dataclass
class Counts:
    drops: Counter[str] = field(default_factory=Counter)
    merged_boundaries: int = 0
    cut_prompts: int = 0
    pairs: int = 0
    """Pairs kept."""


class Source(NamedTuple):
    """A run as the texts that are tokenised: the prompt, and prompt with completion for chosen and each rejected.

    ``origin`` is where chosen begins in its whole text, as if the template had not stripped it; the edit can lie
    between ``low`` and ``high``.
    """

    run: Run
    prompt: str
    wholes: list[str]
    origin: int
    low: int
    high: int


class Reader:
    """Makes rows of runs with one tokenizer, and counts what it drops.

    Raises:
        UnsupportedModel, UsageError: as ``tokens.tokenise`` says.
    """

    def __init__(self, tokenizer: Any, chat: str, max_length: int) -> None:
        name = getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
        if not getattr(tokenizer, "is_fast", False):
            raise UnsupportedModel(f"{name}: its tokenizer gives no offsets; choose a model that has a tokenizer.json")
        if tokenizer.eos_token_id is None:
            raise UnsupportedModel(f"{name}: its tokenizer has no EOS to end a text with; set eos_token in its config")
        if chat == "on" and not tokenizer.chat_template:
            raise UsageError(f"--chat on: the tokenizer of {name} has no chat template; use --chat off")
        self.name, self.tokenizer, self.max_length = name, tokenizer, max_length
        self.chat = bool(tokenizer.chat_template) and chat != "off"
        self.eos, self.bos = int(tokenizer.eos_token_id), tokenizer.bos_token_id
        self._end = np.array([self.eos], np.int32)
        self.counts = Counts()

        content = tokenizer.backend_tokenizer.to_str()
        # A copy of our own: what is set on it is set for nobody else.
        self._backend = type(tokenizer.backend_tokenizer).from_str(content)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.post_processor = None  # GPT-2's takes the white space out of offsets
        self._backend.encode_special_tokens = not self.chat  # "</s>" in the data is five characters, not an end
        self._cutter = Cutter(self._backend)

        added = {at: token.content for at, token in tokenizer.added_tokens_decoder.items() if token.special}
        added |= dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
        self._special_texts = re.compile("|".join(map(re.escape, sorted(added.values()))))
        # Plain text may be unknown, but no end: Unigram models read "</s>" as one all the same.
        ends = set(added) - ({tokenizer.unk_token_id} - {self.eos, self.bos})
        self._special_ids = np.zeros(max([*tokenizer.get_vocab().values(), *ends]) + 1, bool)
        self._special_ids[list(ends)] = True

        self._front = np.array([] if self.chat else self._added_in_front(), np.int32)
        template = tokenizer.chat_template if self.chat else None
        self.identity = [content, self._front.tolist(), self.eos, sorted(added.items()), template]
        """What tokens follow from besides the texts: plain values."""

    def _added_in_front(self) -> list[int]:
        """What the tokenizer puts before a text: BOS, or nothing."""
        whole, text = (self.tokenizer("a", add_special_tokens=added)["input_ids"] for added in (True, False))
        at = next((at for at in range(len(whole)) if whole[at : at + len(text)] == text), 0)
        return list(whole[:at])

    def rows(self, runs: Sequence[Run]) -> list[Row]:
        """Tokenise runs in one call; those of which a pair is left make a row each."""
        sources = [source for run in runs if (source := self._chat(run) if self.chat else self._plain(run))]
        texts = [text for source in sources for text in (source.prompt, *source.wholes)]
        encodings = iter(self._backend.encode_batch(texts, add_special_tokens=False))
        made = []
        for source in sources:
            own = _ids(next(encodings))
            wholes = [Whole(text, _ids(encoding := next(encodings)), encoding) for text in source.wholes]
            made.append(self._row(source, own, wholes))
        return [row for row in made if row is not None]

    # ------------------------------------------------------------ texts

    def _plain(self, run: Run) -> Source:
        wholes = [run.prompt + text for text in (run.chosen, *run.rejected)]
        return Source(run, run.prompt, wholes, len(run.prompt), len(run.prompt), len(wholes[0]))

    def _chat(self, run: Run) -> Source | None:
        special = self._special_texts.search
        hostile = bool(special(run.prompt) or special(run.chosen))
        kept = self._keep([SPECIAL if hostile or special(text) else "" for text in run.rejected])
        if not kept:
            return None
        run = run.only(kept)
        texts = [text.strip() for text in (run.chosen, *run.rejected)]
        question = {"role": "user", "content": run.prompt}
        (prompt,) = self._render([[question]], add_generation_prompt=True)
        wholes = self._render([[question, {"role": "assistant", "content": text}] for text in texts])
        for whole in wholes:
            if not whole.startswith(prompt):
                raise UnsupportedModel(
                    f"{self.name}: its chat template writes a prompt anew once it is answered "
                    f"({prompt[-40:]!r} became {whole[: len(prompt)][-40:]!r}); use --chat off"
                )
        found = [whole.find(text, len(prompt)) for whole, text in zip(wholes, texts, strict=True)]
        changed = run.prompt.strip() not in prompt or found[0] < 0
        kept = self._keep([CHANGED if changed or at < 0 else "" for at in found[1:]])
        if not kept:
            return None
        origin = found[0] - (len(run.chosen) - len(run.chosen.lstrip()))
        wholes = [wholes[0], *(wholes[1 + at] for at in kept)]
        return Source(run.only(kept), prompt, wholes, origin, found[0], found[0] + len(texts[0]))

    def _render(self, conversations: list[list[dict[str, str]]], **options: Any) -> list[str]:
        try:
            return list(self.tokenizer.apply_chat_template(conversations, tokenize=False, **options))
        except (jinja2.TemplateError, ValueError, TypeError) as error:
            raise UnsupportedModel(
                f"{self.name}: its chat template fails on a question ({error}); use --chat off"
            ) from error

    # ------------------------------------------------------------ tokens

    def _row(self, source: Source, own: Ids, wholes: list[Whole]) -> Row | None:
        run = source.run
        if not self.chat:
            special = [np.count_nonzero(self._special_ids[whole.ids]) for whole in wholes]
            kept = self._keep([SPECIAL if special[0] or other else "" for other in special[1:]])
            run, wholes = run.only(kept), [wholes[0], *(wholes[1 + at] for at in kept)]
        if not run.pair_ids:
            return None
        prompt, parts = self._cutter.divide(source.prompt, own, wholes)
        start = self._front if not self.chat else prompt[: int(len(prompt) > 0 and prompt[0] == self.bos)]
        prompt = np.concatenate([self._front, prompt])
        chosen, *rejected = [self._ended(part.ids) for part in parts]
        room = self.max_length - min(len(prompt), len(start) + 1)
        edit: list[int] = []
        reasons = []
        for ids, (first, stop) in zip(rejected, run.edits, strict=True):
            head = common_prefix_length(chosen, ids)
            if not len(prompt):
                reason = BARE
            elif max(len(chosen), len(ids)) > room:
                reason = LONG_CHOSEN if len(chosen) > room else LONG_REJECTED
            elif head == len(chosen) == len(ids):
                reason = SAME
            else:
                reason = ""
                tail = common_prefix_length(chosen[head:][::-1], ids[head:][::-1])
                span = [min(max(source.origin + at, source.low), source.high) for at in (first, stop)]
                edit += edit_in_tokens(wholes[0], parts[0], span, head, len(chosen) - tail)
            reasons.append(reason)
        kept = self._keep(reasons)
        if not kept:
            return None
        run = run.only(kept)
        self.counts.pairs += len(kept)
        self.counts.merged_boundaries = self._cutter.merged
        completions = [chosen, *(rejected[at] for at in kept)]
        chars = [max(1, len(text.strip())) for text in (run.chosen, *run.rejected)]
        return Row(self._cut(prompt, start, completions), completions, run.pair_ids, edit, chars)

    def _ended(self, ids: Ids) -> Ids:
        """A completion with its first EOS as its last token; a chat template may write on behind it."""
        if self.chat and len(ends := np.flatnonzero(ids == self.eos)):
            return ids[: ends[0] + 1]
        return np.concatenate([ids, self._end])

    def _cut(self, prompt: Ids, start: Ids, completions: list[Ids]) -> Ids:
        """The prompt's end, as much as fits beside the longest completion, behind its BOS."""
        over = len(prompt) + max(map(len, completions)) - self.max_length
        if over <= 0:
            return prompt
        self.counts.cut_prompts += 1
        return np.concatenate([start, prompt[len(start) + over :]])

    def _keep(self, reasons: Sequence[str]) -> list[int]:
        """Count what is dropped; the pairs that have no reason to be."""
        self.counts.drops.update(filter(None, reasons))
        return [at for at, reason in enumerate(reasons) if not reason]


def _ids(encoding: Any) -> Ids:
    return np.fromiter(encoding.ids, np.int32, len(encoding))
