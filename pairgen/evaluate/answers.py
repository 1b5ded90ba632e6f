"""Answers to a file of questions in FastChat's layout, for an outside judge: MT-Bench and sets like it.

Questions are JSON Lines of ``question_id``, ``category`` and ``turns``, a list of the user's messages. Answers are
written as FastChat writes them, to ``OUT/model_answer/MODEL.jsonl``: ``question_id``, ``answer_id``, ``model_id``,
``choices`` (``[{"index": 0, "turns": [...]}]``) and ``tstamp``.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import torch
import transformers

from pairgen.atomic import os_errors, staging
from pairgen.errors import OutOfMemory, SourceError, UnsupportedModel, UsageError
from pairgen.evaluate.language_model import Loaded, load
from pairgen.evaluate.options import EvaluationOptions
from pairgen.progress import Progress, Warn
from pairgen.sources.formats import Columns, Row
from pairgen.sources.formats import rows as rows_of_file
from pairgen.train.model.loading import usable_length

TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
"""FastChat's sampling temperatures by category; 0 is greedy decoding."""
OTHER_TEMPERATURE = 0.7
"""FastChat's for any other category."""
MAX_NEW_TOKENS = 1024
"""FastChat's."""

SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
STOP = "\n### "
"""Begins a message in the plain conversation for models without a chat template (FastChat's ``zero_shot``)."""


def answer_questions(
    model: str, options: EvaluationOptions, out: Path, progress: Progress, warn: Warn
) -> tuple[Path, int]:
    """Answer every turn of every question, and write the answers.

    Returns:
        the file, and the number of questions.

    Raises:
        SourceError: the file of questions is missing or damaged, or a question is not in FastChat's layout.
        UnsupportedModel: the model cannot be loaded, or its chat template fails on several turns.
        OutputError: the answers cannot be written; nothing incomplete is left behind.
    """
    questions = read_questions(Path(options.questions or ""))[: options.limit]
    with os_errors(out), staging(out / "model_answer"):
        pass  # whether it can be written is known before the questions are answered
    loaded = load(model, options)
    model_id = re.sub(r"[^\w.-]+", "__", model).strip("_.") or "model"
    file = out / "model_answer" / f"{model_id}.jsonl"
    progress("answering questions", 0, len(questions))
    lines = []
    truncated = 0
    for number, question in enumerate(questions, 1):
        temperature = TEMPERATURES.get(question["category"], OTHER_TEMPERATURE) if options.sample else 0.0
        torch.manual_seed(options.seed or 0)  # FastChat seeds each choice, so answers do not depend on their order
        turns, full = converse(loaded, question["turns"], temperature, options.max_new_tokens or MAX_NEW_TOKENS)
        truncated += full
        lines.append(_answer(question["question_id"], model_id, turns, (options.seed or 0, temperature)))
        progress("answering questions", number, len(questions))
    if truncated:
        warn(
            f"{truncated:,} of {len(questions):,} conversations do not fit the model's context and were truncated "
            "from the left"
        )
    with os_errors(file), staging(file) as folder:
        (folder / file.name).write_text("".join(lines), "utf-8")
        (folder / file.name).replace(file)
    return file, len(questions)


def _answer(question_id: Any, model_id: str, turns: list[str], how: tuple[int, float]) -> str:
    """A line of FastChat's answers. The id depends on the model, the question and the answer, not on time."""
    text = json.dumps([question_id, model_id, turns, how], ensure_ascii=False)
    return (
        json.dumps(
            {
                "question_id": question_id,
                "answer_id": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:22],
                "model_id": model_id,
                "choices": [{"index": 0, "turns": turns}],
                "tstamp": time.time(),
            },
            ensure_ascii=False,
        )
        + "\n"
    )


def read_questions(file: Path) -> list[Row]:
    """The questions of a file, in its order. Raises SourceError for one that is not in FastChat's layout."""
    if not file.is_file():
        raise SourceError(f"{file}: no such file; give questions in FastChat's layout (question_id, category, turns)")
    found: dict[Any, Row] = {}
    for where, row in rows_of_file(file, Columns(frozenset({"question_id", "turns"}), None)):
        if isinstance(row, str):
            raise SourceError(f"{where}: {row}; fix or remove the row")
        turns, number = row.get("turns"), row.get("question_id")
        if (
            not isinstance(turns, list)
            or not turns
            or not all(isinstance(turn, str) and turn.strip() for turn in turns)
        ):
            raise SourceError(f"{where}: turns must be a list of the user's messages; fix or remove the row")
        if not isinstance(number, (int, str)):
            raise SourceError(f"{where}: has no question_id; number the questions")
        if number in found:
            raise SourceError(f"{where}: question_id {number} occurs twice; number the questions apart")
        found[number] = {"question_id": number, "category": str(row.get("category") or ""), "turns": turns}
    if not found:
        raise SourceError(f"{file}: has no questions")
    return list(found.values())


def converse(loaded: Loaded, turns: Iterable[str], temperature: float, max_new_tokens: int) -> tuple[list[str], bool]:
    """The model's answer to each turn, after the turns and answers before it.

    Returns:
        the answers, and whether a prompt had to be truncated.
    """
    messages: list[dict[str, str]] = []
    truncated = False
    for turn in turns:
        messages.append({"role": "user", "content": turn})
        ids = _prompt_ids(loaded, messages)
        room = usable_length(loaded.model, 1 << 30) - max_new_tokens
        if room < 1:
            raise UsageError("--max-new-tokens: more than the model's context; generate fewer tokens")
        truncated |= len(ids) > room
        messages.append({"role": "assistant", "content": _generated(loaded, ids[-room:], temperature, max_new_tokens)})
    return [message["content"] for message in messages[1::2]], truncated


def _prompt_ids(loaded: Loaded, messages: list[dict[str, str]]) -> list[int]:
    """The conversation so far as tokens, up to where the answer begins."""
    tokenizer = loaded.tokenizer
    if not loaded.chat:
        names = {"user": "Human", "assistant": "Assistant"}
        said = "".join(f"{STOP}{names[one['role']]}: {one['content']}" for one in messages)
        return list(tokenizer(f"{SYSTEM}{said}{STOP}Assistant:")["input_ids"])
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except (jinja2.TemplateError, ValueError, TypeError) as error:
        raise UnsupportedModel(f"{loaded.name}: its chat template fails ({error}); use --chat off") from error
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@torch.no_grad()
def _generated(loaded: Loaded, ids: list[int], temperature: float, max_new_tokens: int) -> str:
    """The text of one answer, without special tokens and white space around it."""
    model, tokenizer = loaded.model, loaded.tokenizer
    context = torch.tensor([ids], device=model.device)
    sampling = {"temperature": temperature, "top_p": 1.0, "top_k": 0} if temperature else {}
    try:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=loaded.mixed_precision is not None):
            tokens = model.generate(
                context,
                attention_mask=torch.ones_like(context),
                generation_config=transformers.GenerationConfig(
                    **sampling,
                    do_sample=bool(temperature),
                    stop_strings=None if loaded.chat else [STOP],
                    max_new_tokens=max_new_tokens,
                    eos_token_id=_ends(model, tokenizer),
                    pad_token_id=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
                ),
                tokenizer=tokenizer,
            )
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"{loaded.name}: the device is out of memory; lower --max-new-tokens") from error
    text = str(tokenizer.decode(tokens[0, len(ids) :], skip_special_tokens=True))
    return (text if loaded.chat else text.partition(STOP)[0]).strip()


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: a chat model names several in its generation config."""
    config = getattr(model, "generation_config", None)
    named = getattr(config, "eos_token_id", None)
    given = named if isinstance(named, list) else [named]
    return sorted({token for token in (*given, tokenizer.eos_token_id) if token is not None})
