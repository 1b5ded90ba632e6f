"""The model under evaluation: loaded as ``pairgen train`` loads models, and wrapped for lm-evaluation-harness."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.model import CacheHook
from lm_eval.models.huggingface import HFLM

from pairgen import run_folder
from pairgen.errors import UnsupportedModel, UsageError
from pairgen.evaluate.choices.for_harness import loglikelihoods
from pairgen.evaluate.options import EvaluationOptions
from pairgen.progress import Progress, Warn, ignore
from pairgen.train.model.loading import load_model, load_tokenizer, pick_device

LOGITS_BYTES = 1e9
"""Most memory for the float32 logits of a batch whose choices are scored; their log-probs take as much again."""
GENERATED_TOGETHER = 16
"""Questions answered in one batch."""


class Phase(StrEnum):
    """Phases of an evaluation, as passed to progress callbacks."""

    CHOICES = "scoring choices"
    ANSWERS = "generating answers"


@dataclass(frozen=True)
class Loaded:
    """A model on its device, ready to evaluate."""

    name: str
    model: Any
    tokenizer: Any
    chat: bool
    """Whether its chat template is applied."""
    mixed_precision: str | None
    """``bfloat16`` if only the arithmetic is."""


def model_folder(name: str) -> str:
    """For the folder of a run, its final model; else ``name``. Raises UsageError if the run has not finished."""
    if name == "tiny":
        raise UsageError("tiny is a model that has not been trained; name a run folder, a model folder or a Hub id")
    return str(run_folder.final_model(Path(name)))


def load(name: str, options: EvaluationOptions) -> Loaded:
    """Load a run's final model, a model or adapter folder, a GGUF file or a model of the Hub.

    Raises:
        UnsupportedModel: it cannot be loaded.
        UsageError: a run that has not finished, ``--chat on`` without a template, or no CUDA device for ``cuda``.
    """
    try:
        return _load(name, model_folder(name), options)
    except UnsupportedModel as error:
        raise UnsupportedModel(str(error).removeprefix("--model ")) from error  # it is an argument here


def _load(name: str, where: str, options: EvaluationOptions) -> Loaded:
    device = pick_device(options.device)
    precision = options.precision
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "float32"
    tokenizer = load_tokenizer(where, options.trust_remote_code)
    if options.chat == "on" and not tokenizer.chat_template:
        raise UsageError(f"--chat on: the tokenizer of {name} has no chat template; use --chat off")
    dtype = torch.bfloat16 if precision == "bf16-pure" else torch.float32
    model = load_model(where, dtype, options.trust_remote_code).to(device).eval()
    model.config.use_cache = True
    return Loaded(
        name=name,
        model=model,
        tokenizer=tokenizer,
        chat=bool(tokenizer.chat_template) and options.chat != "off",
        mixed_precision="bfloat16" if precision == "bf16" else None,
    )


class JudgedModel(HFLM):
    """A loaded model for the harness, which reports progress instead of showing bars of its own.

    Log-probs are computed in float32, those of choices through token trees if the model supports them exactly. Without,
    batches of choices are as large as ``LOGITS_BYTES`` allows, unless a batch size is given.
    """

    def __init__(self, loaded: Loaded, options: EvaluationOptions, progress: Progress, warn: Warn = ignore) -> None:
        super().__init__(
            pretrained=loaded.model,
            tokenizer=loaded.tokenizer,
            batch_size=options.batch_size or GENERATED_TOGETHER,
            softmax_dtype="float32",
            mixed_precision_dtype=loaded.mixed_precision,
        )
        self.seconds: dict[str, float] = {}
        """How long the model took, by phase."""
        self._options, self._progress, self._warn = options, progress, warn

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        del disable_tqdm
        with self._timed(Phase.CHOICES):
            if not self._options.harness:
                try:
                    return loglikelihoods(self, requests, partial(self._progress, Phase.CHOICES))
                except UnsupportedModel as error:
                    self._warn(f"scoring choices takes longer, since {error}")
            self.set_cache_hook(_Counter(Phase.CHOICES, len(requests), self._progress))
            return list(super().loglikelihood(requests, disable_tqdm=True))

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        del disable_tqdm
        with self._timed(Phase.ANSWERS):
            self.set_cache_hook(_Counter(Phase.ANSWERS, len(requests), self._progress))
            return list(super().generate_until(requests, disable_tqdm=True))

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[Any, list[int], list[int]]],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        if not override_bs and not self._options.batch_size:
            longest = max(len(context) + len(continuation) for _, context, continuation in requests)
            rows = self.model.get_input_embeddings().weight.shape[0]
            override_bs = max(1, min(64, int(LOGITS_BYTES / (4 * rows * min(longest, self.max_length)))))
        return list(super()._loglikelihood_tokens(requests, disable_tqdm=disable_tqdm, override_bs=override_bs))


class _Counter(CacheHook):
    """Hears of every answer: the harness would let it fill a cache."""

    def __init__(self, phase: str, total: int, progress: Progress) -> None:
        super().__init__(None)
        self._phase, self._total, self._progress, self._done = phase, total, progress, 0
        progress(phase, 0, total)

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        """Count an answer."""
        del attr, req, res
        self._done += 1
        self._progress(self._phase, min(self._done, self._total), self._total)
