"""From source rows to a pair dataset: splits, few-shot examples, conversion by worker
processes or Ray, builds that are resumed or made in parts, uploads."""
