"""Texts as sequences of word hashes, and the questions whose words occur in a text.

Many texts are processed at once: each distinct word is hashed once, and the hashes of word sequences are computed on
arrays.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from pairgen.exchange.curation.curation_options import Form

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]

_SEPARATORS = r"[^\p{L}\p{M}\p{N}]+"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: 2**64 / golden ratio
_NUMBER = np.uint64(1)
"""The hash that stands for every number."""

_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion"
)
NUMBER_WORDS = frozenset(_NAMES.split())

UNKNOWN = "x"
"""MetaMath puts it in the place of a number."""

MIN_MASKED_WORDS = 8
"""A shorter question is not searched for with its numbers masked: ``What is 3 plus 4?`` would match any addition."""

MAX_NUMBERS = 3
"""At most one word in three of a masked sequence is a number: ``a 3, a 4, a 2`` would match any list of numbers."""


class Words(NamedTuple):
    """The words of texts, lower-cased: their hashes one text after another, and where each text starts and ends.

    ``is_number`` marks words that begin with a digit, number words, and the unknown ``x``.
    """

    hashes: Hashes
    is_number: NDArray[np.bool_]
    offsets: Numbers

    @classmethod
    def of(cls, texts: pa.Array) -> "Words":
        """Words are runs of letters, marks and digits: ``$1,500 isn't`` has four."""
        lists = pc.split_pattern_regex(pc.utf8_lower(texts), _SEPARATORS)
        words = lists.flatten().dictionary_encode()
        known = words.dictionary.to_pylist()
        codes = words.indices.to_numpy()
        is_word = np.fromiter(map(bool, known), bool, len(known))[codes]
        before = np.concatenate([[0], np.cumsum(is_word)])
        first = lists.offsets.to_numpy() - lists.offsets[0].as_py()
        hashes = np.fromiter((xxhash.xxh3_64_intdigest(word.encode()) for word in known), np.uint64, len(known))
        numbers = np.fromiter(map(is_number, known), bool, len(known))
        codes = codes[is_word]
        return cls(hashes[codes], numbers[codes], before[first])

    def masked(self) -> "Words":
        """The same with a single mark for each run of numbers, so that ``twenty-five`` and ``1,500`` become equal."""
        starts_text = np.zeros(len(self.hashes) + 1, bool)
        starts_text[self.offsets] = True
        follows = np.concatenate([[False], self.is_number[:-1]])[: len(self.hashes)] & ~starts_text[:-1]
        kept = ~(self.is_number & follows)
        before = np.concatenate([[0], np.cumsum(kept)])
        hashes = np.where(self.is_number, _NUMBER, self.hashes)[kept]
        return Words(hashes, self.is_number[kept], before[self.offsets])

    def sequences(self, length: int) -> tuple[Hashes, Numbers]:
        """The hash of each sequence of ``length`` words within a text, and the position of its first word."""
        count = max(len(self.hashes) - length + 1, 0)
        total = np.zeros(count, np.uint64)
        for shift in range(length):
            total = total * _MULTIPLIER + self.hashes[shift : shift + count]
        starts = np.arange(count)
        inside = starts + length <= np.repeat(self.offsets[1:], np.diff(self.offsets))[:count]
        return _mixed(total[inside]), starts[inside]

    def whole(self) -> Hashes:
        """The hash of all words of each text."""
        lengths = np.diff(self.offsets)
        place = np.arange(len(self.hashes)) - np.repeat(self.offsets[:-1], lengths)
        powers = np.cumprod(np.full(max(lengths.max(initial=0), 1), _MULTIPLIER))
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self.hashes * powers[place])])
        return _mixed(sums[self.offsets[1:]] - sums[self.offsets[:-1]])

    def text_of(self, positions: Numbers) -> Numbers:
        """The number of the text in which each word is."""
        return np.searchsorted(self.offsets, positions, side="right") - 1


def is_number(word: str) -> bool:
    """Whether a lower-cased word is masked as a number."""
    return word[:1].isnumeric() or word in NUMBER_WORDS or word == UNKNOWN


def _mixed(hashes: Hashes) -> Hashes:
    mixed: Hashes = hashes ^ (hashes >> np.uint64(32))
    return mixed


class _Lookup:
    """Finds hashes in a set of them, each with the number of the first question that it belongs to."""

    def __init__(self, hashes: Hashes, questions: Numbers) -> None:
        self._hashes, first = np.unique(hashes, return_index=True)
        self._questions = questions[first]
        self._maybe = np.zeros(1 << 20, bool)
        self._maybe[self._hashes & np.uint64(len(self._maybe) - 1)] = True

    def find(self, hashes: Hashes) -> tuple[Numbers, Numbers]:
        """Where in ``hashes`` known ones are, and their questions."""
        maybe = np.flatnonzero(self._maybe[hashes & np.uint64(len(self._maybe) - 1)])
        at = np.minimum(np.searchsorted(self._hashes, hashes[maybe]), len(self._hashes) - 1)
        found = self._hashes[at] == hashes[maybe] if len(self._hashes) else np.zeros(len(maybe), bool)
        return maybe[found], self._questions[at[found]]


class Overlaps(NamedTuple):
    """For each text, the strictest form of overlap, and the number of a question that it overlaps with (-1: none)."""

    form: NDArray[np.int8]
    question: Numbers


class Index:
    """Finds the texts that contain one of some questions, whole or in part.

    Args:
        questions: texts.
        length: words of a sequence that two texts have to share. A shorter question has to be a line of its own (or the
            whole text), apart from a label such as ``Question:``.
    """

    def __init__(self, questions: Sequence[str], length: int) -> None:
        self._length = length
        plain = Words.of(pa.array(questions, pa.string()))
        self._words, self._lengths = plain.hashes, np.diff(plain.offsets)
        self._starts = plain.offsets[:-1]
        hashes, starts = plain.sequences(length)
        self._plain = _Lookup(hashes, plain.text_of(starts))
        is_opening = np.isin(starts, self._starts)
        order = np.argsort(hashes[is_opening], kind="stable")
        self._openings = hashes[is_opening][order]
        self._opened = plain.text_of(starts[is_opening][order])
        masked = plain.masked()
        hashes, starts = masked.sequences(length)
        numbers = np.concatenate([[0], np.cumsum(masked.is_number)])
        telling = numbers[starts + length] - numbers[starts] <= length // MAX_NUMBERS
        self._masked = _Lookup(hashes[telling], masked.text_of(starts[telling]))
        self._short = _short(plain, length, 1)
        self._short_masked = _short(masked, length, MIN_MASKED_WORDS)

    def find(self, texts: pa.Array) -> Overlaps:
        """The overlaps of texts, none of which is null. Stricter forms replace looser ones."""
        found = Overlaps(np.zeros(len(texts), np.int8), np.full(len(texts), -1, np.int64))
        plain, lines = Words.of(texts), _Lines.of(texts)
        masked, masked_lines = plain.masked(), lines.words.masked()
        hashes, starts = masked.sequences(self._length)
        at, questions = self._masked.find(hashes)
        _mark(found, masked.text_of(starts[at]), questions, Form.MASKED)
        for words, owners in ((masked, np.arange(len(texts))), (masked_lines, lines.text)):
            at, questions = self._short_masked.find(words.whole())
            _mark(found, owners[at], questions, Form.MASKED)
        hashes, starts = plain.sequences(self._length)
        at, questions = self._plain.find(hashes)
        _mark(found, plain.text_of(starts[at]), questions, Form.NGRAM)
        self._find_whole(found, plain, hashes[at], starts[at])
        for words, owners in ((plain, np.arange(len(texts))), (lines.words, lines.text)):
            at, questions = self._short.find(words.whole())
            _mark(found, owners[at], questions, Form.QUESTION)
        return found

    def _find_whole(self, found: Overlaps, words: Words, hashes: Hashes, starts: Numbers) -> None:
        """Questions of which all words follow their opening; ``hashes`` are those of known sequences."""
        left = np.searchsorted(self._openings, hashes)
        times = np.searchsorted(self._openings, hashes, side="right") - left
        position = np.repeat(starts, times)
        questions = self._opened[ranges(left, times)]
        texts, lengths = words.text_of(position), self._lengths[questions]
        fits = position + lengths <= words.offsets[texts + 1]
        position, questions, texts, lengths = position[fits], questions[fits], texts[fits], lengths[fits]
        if len(position):
            equal = words.hashes[ranges(position, lengths)] == self._words[ranges(self._starts[questions], lengths)]
            whole = np.logical_and.reduceat(equal, np.cumsum(lengths) - lengths)
            _mark(found, texts[whole], questions[whole], Form.QUESTION)


def ranges(starts: Numbers, lengths: Numbers) -> Numbers:
    """Consecutive numbers from each start: starts ``[5, 9]`` of lengths ``[2, 3]`` give ``[5, 6, 9, 10, 11]``."""
    ends = np.cumsum(lengths)
    numbers: Numbers = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    return numbers


class _Lines(NamedTuple):
    """Words of each line of texts that have several or a label, and the text that each line belongs to."""

    words: Words
    text: Numbers

    @classmethod
    def of(cls, texts: pa.Array) -> "_Lines":
        texts_with = np.flatnonzero(pc.match_substring_regex(texts, r"\n|^\s*\w+:\s").to_numpy(zero_copy_only=False))
        lines = pc.split_pattern(texts.take(pa.array(texts_with)), "\n")
        unlabelled = pc.replace_substring_regex(lines.flatten(), r"^\s*\w+:\s", "")
        return cls(Words.of(unlabelled), np.repeat(texts_with, pc.list_value_length(lines).to_numpy()))


def _short(words: Words, length: int, least: int) -> _Lookup:
    """The whole questions of at least ``least`` words but fewer than ``length``."""
    lengths = np.diff(words.offsets)
    short = np.flatnonzero((lengths >= least) & (lengths < length))
    return _Lookup(words.whole()[short], short)


def _mark(found: Overlaps, texts: Numbers, questions: Numbers, form: Form) -> None:
    """Note a form for texts, which replaces looser ones; each text keeps the first of its questions."""
    distinct, first = np.unique(texts, return_index=True)
    found.form[distinct] = form
    found.question[distinct] = questions[first]
