"""Multiple choice through token trees, with the log-probs and predictions of lm-evaluation-harness."""

from pairgen.evaluate.choices.scoring import Question, Scored, questions_of_pairs, score_choices

__all__ = ["Question", "Scored", "questions_of_pairs", "score_choices"]
