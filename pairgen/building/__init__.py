"""From source rows to a pair dataset: splits, few-shot examples, conversion in worker processes, the build."""
