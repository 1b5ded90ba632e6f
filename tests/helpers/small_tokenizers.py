"""Small tokenizers of common kinds, trained on a few sentences."""

from functools import cache
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIALS = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]

TEXTS = [
    "Question: How many apples are there?\nAnswer: there are 12 apples.",
    "Why? Because the sun shines.\n\nSo 4 * 6 = 24, and 24 + 3 = 27 in all.",
    "What shines? the sun, the moon, a lamp!\nIn all she has 24 jars: 13 are red.",
    "Où? ça, là-bas; 🦊🏽 and 🐻🏽 say: «oui»\n",
] * 20

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITHOUT_EOS = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}USER: {{ message.content }}\nBOT:{% else %} {{ message.content }}\n{% endif %}"
    "{% endfor %}"
)

# Llama 3's: punctuation includes the line breaks after it, so "?" and "\n" become one token.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


@cache
def _byte_level() -> str:
    backend = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_LLAMA3), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS, trainer)
    return str(backend.to_str())


@cache
def _sentence_piece(kind: str) -> str:
    backend = Tokenizer(models.Unigram() if kind == "unigram" else models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    options: dict[str, Any] = {"vocab_size": 160, "special_tokens": ["<unk>", *SPECIALS], "show_progress": False}
    if kind == "unigram":
        trainer = trainers.UnigramTrainer(unk_token="<unk>", **options)
    else:
        trainer = trainers.BpeTrainer(**options)
    backend.train_from_iterator(TEXTS, trainer)
    return str(backend.to_str())


def _wrapped(content: str, bos: bool, **options: Any) -> PreTrainedTokenizerFast:
    backend = Tokenizer.from_str(content)
    if bos:
        trimming = [processors.ByteLevel(trim_offsets=True)] if "ByteLevel" in content else []
        adding = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", backend.token_to_id("<s>"))]
        )
        backend.post_processor = processors.Sequence([*trimming, adding])
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"} | options
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **names)


def byte_level(bos: bool = True, **options: Any) -> PreTrainedTokenizerFast:
    """Like Llama 3's: byte-level, with tokens that contain punctuation and the line break after it."""
    return _wrapped(_byte_level(), bos, additional_special_tokens=["<|im_start|>", "<|im_end|>"], **options)


def sentence_piece(kind: str = "unigram", bos: bool = True, **options: Any) -> PreTrainedTokenizerFast:
    """Like Llama 2's: a space before every text, and unknown characters. ``kind`` is unigram or bpe."""
    return _wrapped(_sentence_piece(kind), bos, unk_token="<unk>", **options)


def chatml() -> PreTrainedTokenizerFast:
    """Like Qwen's: no BOS, turns that end with EOS and a line break."""
    tokenizer = byte_level(bos=False, bos_token=None, eos_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    return tokenizer


def chat_without_eos() -> PreTrainedTokenizerFast:
    """A template that writes BOS itself, though the tokenizer adds one too, and no EOS."""
    tokenizer = byte_level()
    tokenizer.chat_template = WITHOUT_EOS
    return tokenizer


KINDS = {
    "byte-level": byte_level,
    "byte-level without BOS": lambda: byte_level(bos=False),
    "unigram": sentence_piece,
    "sentence-piece BPE": lambda: sentence_piece("bpe"),
}
