"""Folders of training runs: the names of their files, and reading them without torch.

RUN/
  config.toml      all options, defaults filled in
  metrics.jsonl    one JSON object per logged step; metrics of the eval split begin with eval/
  pairs.parquet    log-probs of the tokens of evaluated pairs, see ``measured``
  checkpoints/     the latest checkpoints, for --resume
  best/            the model at its best value of --best
  final/           the model at the end, for `from_pretrained`
  sft/             the run of --sft-steps, a folder like this one
  tokens/          the tokenized pairs
  imported/        pair datasets made of data in other layouts
  base/            the merged model, if training started from an adapter
  reference.json   fingerprint of the model that the run started from
  reference/       reference log-probs, if the datasets are read-only
  non-finite-0.json  pairs of the batch with a non-finite loss, by process
  tensorboard/     with --report-to tensorboard
"""

from pairgen.run_folder.folder import (
    BASE,
    BELOW_REFERENCE,
    BEST,
    CHECKPOINTS,
    CONFIG,
    EVAL,
    FINAL,
    FOLDERS,
    IMPORTED,
    METRICS,
    NON_FINITE,
    PAIRS,
    REFERENCE,
    REFERENCE_MODEL,
    SAME_AS_REFERENCE,
    SFT,
    TENSORBOARD,
    TOKENS,
    Run,
    final_model,
    open_run,
    read_config,
    read_metrics,
)

__all__ = [
    "BASE",
    "BELOW_REFERENCE",
    "BEST",
    "CHECKPOINTS",
    "CONFIG",
    "EVAL",
    "FINAL",
    "FOLDERS",
    "IMPORTED",
    "METRICS",
    "NON_FINITE",
    "PAIRS",
    "REFERENCE",
    "REFERENCE_MODEL",
    "SAME_AS_REFERENCE",
    "SFT",
    "TENSORBOARD",
    "TOKENS",
    "Run",
    "final_model",
    "open_run",
    "read_config",
    "read_metrics",
]
