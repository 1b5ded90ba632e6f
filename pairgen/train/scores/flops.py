"""The FLOPs of training steps as a formula over the sizes of a model. Does not import torch.

A weight of a matrix takes 2 FLOPs per token forward, and 4 backward, or 2 if it is frozen (PaLM, arXiv 2204.02311,
Appendix B). Attention takes 4 per query, key that it attends to and head dimension, and twice that backward. The LM
head is counted at labels, backward only where log-probs of chosen and rejected do not cancel.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])


class Amount(Protocol):
    """What there is to compute, as in ``pairgen.train.layout.batch.Work``; averages may be fractions."""

    @property
    def tokens(self) -> float: ...
    @property
    def attended(self) -> float: ...
    @property
    def labels(self) -> float: ...
    @property
    def differing(self) -> float: ...


class Amounts(NamedTuple):
    """The same for each of N groups."""

    tokens: NDArray[np.int64]
    """[N]"""
    attended: NDArray[np.int64]
    """[N]"""
    labels: NDArray[np.int64]
    """[N]"""
    differing: NDArray[np.int64]
    """[N]"""


def attention_flops(heads: int, head_size: int, layers: int) -> float:
    """FLOPs of all layers for a token and a key that it attends to, forward and backward."""
    return 12.0 * heads * head_size * layers


@dataclass(frozen=True)
class Flops:
    """The FLOPs of a forward and a backward pass, without recomputed activations."""

    per_token: float
    """Of the matrices of all layers."""
    per_key: float
    """Of attention, for a token and a key that it attends to."""
    head: int
    """Weights of the LM head."""
    trains_head: bool
    """Whether the LM head is trained."""

    def of(self, work: Amount) -> float:
        """FLOPs of some work."""
        trained = work.differing or work.labels  # without rejected completions, all labels are trained
        return float(self._sum(float(work.tokens), float(work.attended), float(work.labels), float(trained)))

    def of_each(self, work: Amounts) -> NDArray[np.float64]:
        """[N] FLOPs of the work of each of N groups."""
        tokens, attended, labels, differing = (np.asarray(values, np.float64) for values in work)
        return self._sum(tokens, attended, labels, np.where(differing > 0, differing, labels))

    def _sum(self, tokens: Number, attended: Number, labels: Number, trained: Number) -> Number:
        head = self.head * (2.0 * labels + (4.0 if self.trains_head else 2.0) * trained)
        return self.per_token * tokens + self.per_key * attended + head
