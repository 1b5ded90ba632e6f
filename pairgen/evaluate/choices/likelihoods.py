"""Log-probs of continuations through token trees: contexts, and beginnings that they share, are computed once.

lm-evaluation-harness repeats the context for every choice, pads, and computes logits of all tokens. Here the choices of
a question are branches of one tree, few-shot examples that questions share are its trunk, and logits are computed only
where a token is scored. The slow twin is ``plain``: one sequence at a time, with the model's own logits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from pairgen.errors import UnsupportedModel
from pairgen.evaluate.choices.encoding import TokenPair, truncated
from pairgen.train.checks.exactness import ROUNDING, TOLERANCE, Plain, check_trees
from pairgen.train.checks.plain import device_of, in_float32, mode, plain_logits, plain_logps, rounded_embeddings
from pairgen.train.data.groups import Ids, TokenGroup, common_prefix_length
from pairgen.train.layout.sharing import MIN_SHARED
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.attention import restored_attention
from pairgen.train.model.logprobs import greedy_logprobs
from pairgen.train.model.scorer import Scorer, logit_softcap
from pairgen.train.scores.forward import Layout

BATCH_TOKENS = 8192
"""Tokens of a batch, and of a packed sequence."""
CHECKED = 2
"""Contexts on which token trees are compared with plain passes, the shortest and the longest, with two continuations
each."""

Group = tuple[Ids, list[TokenPair]]
"""A context, and distinct pairs that have it."""
Report = Callable[[int, int], None]
"""Called with the number of continuations that are scored, and of all."""


class Likelihood(NamedTuple):
    """The log-prob of a continuation in nats, and whether it is what the model would generate greedily."""

    logp: float
    greedy: bool


class Likelihoods:
    """Scores continuations with one model, which is left as it is.

    Args:
        model: a causal language model of transformers.
        max_length: most tokens that it is given; longer contexts are truncated from the left.
        pad: the token id of padding.
    """

    def __init__(self, model: Any, max_length: int, pad: int = 0) -> None:
        self.scorer = Scorer(model)
        self.max_length = max_length
        self.layout: Layout = partial(tree_batch, row_tokens=BATCH_TOKENS, share="shots", pad=pad)
        self.tolerance = 0.0
        """How far a log-prob may be off because of rounding, in nats; known after ``check``."""
        self._reason: str | None = None

    @torch.no_grad()
    def check(self, pairs: Sequence[TokenPair]) -> str:
        """Compare token trees with plain passes on the shortest and the longest sequence.

        Returns:
            Why this model does not support token trees exactly; empty if it does.
        """
        causal = self.scorer.causal
        cut = (truncated(pair, self.max_length) for pair in pairs)
        groups = [_token_group(*group) for group in _grouped(pair for pair in cut if self._fits(pair))]
        if not groups:
            return ""
        groups.sort(key=lambda group: len(group.prompt) + max(map(len, group.completions)))
        chosen = dict.fromkeys(np.linspace(0, len(groups) - 1, CHECKED).astype(int).tolist())
        sample = [groups[at].select([0]) for at in chosen]
        with in_float32(causal), mode(causal, training=False):
            logps = plain_logps(causal, sample)
            with rounded_embeddings(causal):
                rounding = float((plain_logps(causal, sample) - logps).abs().max())
        self.tolerance = max(TOLERANCE, ROUNDING * rounding)
        try:
            with restored_attention(causal):
                check_trees(self.scorer, Plain(sample, logps, self.tolerance), self.layout, training=False)
        except UnsupportedModel as error:
            self._reason = str(error)
        else:
            self._reason = ""
        return self._reason

    def score(self, pairs: Sequence[TokenPair], report: Report = lambda *_: None) -> list[Likelihood]:
        """The likelihood of each continuation; equal ones in equal contexts have bitwise equal log-probs.

        Without exact token trees, each is scored in a pass of its own, and so are those whose context is truncated.

        Raises:
            UsageError: a continuation is longer than the model's context.
        """
        if self._reason is None:
            self.check(pairs)
        cut = [truncated(pair, self.max_length) for pair in pairs]
        distinct = list(dict.fromkeys(cut))
        found: dict[TokenPair, Likelihood] = {}
        report(0, len(distinct))
        in_trees = [pair for pair in distinct if self._fits(pair) and not self._reason]
        causal = self.scorer.causal
        with mode(causal, training=False), restored_attention(causal):
            for batch in _batches(_grouped(in_trees)):
                found.update(self._scored_in_parts(batch))
                report(len(found), len(distinct))
        for pair in distinct:
            if pair not in found:
                found[pair] = self.plain(pair)
                report(len(found), len(distinct))
        return [found[pair] for pair in cut]

    def _fits(self, pair: TokenPair) -> bool:
        """Whether the last token, which trees contain although it is only predicted, has a position in the model."""
        return len(pair.context) + len(pair.continuation) <= self.max_length

    @torch.no_grad()
    def plain(self, pair: TokenPair) -> Likelihood:
        """The same in a pass of its own, as lm-evaluation-harness computes it with batches of one sequence."""
        context, continuation = truncated(pair, self.max_length)
        causal = self.scorer.causal
        tokens = torch.tensor((*context, *continuation), device=device_of(causal))
        with mode(causal, training=False):
            logits = plain_logits(causal, tokens[:-1], len(context) - 1)
        logps = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
        targets = tokens[len(context) :, None]
        return Likelihood(float(logps.gather(1, targets).sum()), bool((logps.argmax(-1) == targets[:, 0]).all()))

    def _scored_in_parts(self, groups: list[Group]) -> dict[TokenPair, Likelihood]:
        """The likelihoods of a batch, whose halves are scored one after the other if the device has too little memory.

        Raises:
            torch.OutOfMemoryError: there is too little for a single continuation.
        """
        try:
            found: dict[TokenPair, Likelihood] = self._scored(groups)
            return found
        except torch.OutOfMemoryError:
            halves = _halves(groups)
            if not halves:
                raise
        return {pair: one for half in halves for pair, one in self._scored_in_parts(half).items()}

    @torch.no_grad()
    def _scored(self, groups: list[Group]) -> dict[TokenPair, Likelihood]:
        """The likelihoods of a batch."""
        causal = self.scorer.causal
        token_groups = [_token_group(*group) for group in groups]
        batch = self.layout(token_groups).to(device_of(causal))
        hidden, head = self.scorer.label_states(batch), causal.get_output_embeddings()
        cap = logit_softcap(causal.config)
        logps, is_largest = greedy_logprobs(hidden, head.weight, batch.targets, head.bias, cap)
        sums = batch.completions(logps).sum(1).cpu()
        greedy = torch.cat([is_largest, is_largest.new_ones(1)])[batch.completion_index].all(1).cpu()
        found: dict[TokenPair, Likelihood] = {}
        for rows, (_, members) in zip(_rows(token_groups), groups, strict=True):
            of_group = zip(sums[rows].tolist(), greedy[rows].tolist(), strict=True)
            found.update(zip(members, map(Likelihood._make, of_group), strict=True))
        return found


def _grouped(pairs: Iterable[TokenPair]) -> list[Group]:
    """Distinct pairs by context. Contexts that start alike become neighbors: big-endian bytes sort as the ids do."""
    by_context: dict[tuple[int, ...], list[TokenPair]] = {}
    for pair in dict.fromkeys(pairs):
        by_context.setdefault(pair.context, []).append(pair)
    groups = [(np.array(context, np.int32), members) for context, members in by_context.items()]
    return sorted(groups, key=lambda group: group[0].astype(">i4").tobytes())


def _batches(groups: list[Group]) -> Iterator[list[Group]]:
    """Groups in batches of at most ``BATCH_TOKENS`` tokens, unless a single sequence has more.

    A context with more continuations than that is repeated in the next batch.
    """
    batch: list[Group] = []
    tokens = 0
    for context, members in groups:
        shared = common_prefix_length(context, batch[-1][0]) if batch else 0
        cost = len(context) - (shared if shared >= MIN_SHARED else 0)
        if batch and tokens + cost + sum(len(pair.continuation) for pair in members) > BATCH_TOKENS:
            yield batch
            batch, tokens, cost = [], 0, len(context)
        batch.append((context, []))
        tokens += cost
        for pair in members:
            if batch[-1][1] and tokens + len(pair.continuation) > BATCH_TOKENS:
                yield batch
                batch, tokens = [(context, [])], len(context)
            batch[-1][1].append(pair)
            tokens += len(pair.continuation)
    if batch:
        yield batch


def _halves(groups: list[Group]) -> list[list[Group]]:
    """A batch as two smaller ones; none for a single continuation."""
    if len(groups) > 1:
        return [groups[: len(groups) // 2], groups[len(groups) // 2 :]]
    ((context, members),) = groups
    half = len(members) // 2
    return [[(context, members[:half])], [(context, members[half:])]] if half else []


def _token_group(context: Ids, members: list[TokenPair]) -> TokenGroup:
    """A context with distinct continuations. As in training, the first one is paired with each of the others."""
    count, pairs = len(members), max(1, len(members) - 1)
    completions = tuple(np.array(pair.continuation, np.int32) for pair in members)
    zeros = np.zeros((pairs, 2), np.int32)
    return TokenGroup(context, completions, ("",) * pairs, zeros, np.ones(count, np.int32))


def _rows(groups: list[TokenGroup]) -> Iterator[list[int]]:
    """The rows of ``Batch.completion_index`` of the completions of each group."""
    total, first = sum(group.pairs for group in groups), 0
    for group in groups:
        rejected = range(total + first, total + first + len(group.completions) - 1)
        yield [first, *rejected]
        first += group.pairs
