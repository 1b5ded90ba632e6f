"""Labels of a corruption: the kind of value that was corrupted (its strategy), and why it could not be verified."""

RESULT = "result"
EQUATION = "equation"
COMBINED_TERM = "combined-term"
SOLVED_VALUE = "solved-value"
LAST_RESULT = "last-result"
CONDITION = "condition"
STATED_VALUE = "stated-value"
NUMBER = "number"
GIVEN = "given"

STRATEGIES = {
    RESULT: "the result of a calculation",
    EQUATION: "the result of an equation, with its variables replaced by their values",
    COMBINED_TERM: "a coefficient or constant after combining like terms",
    SOLVED_VALUE: "a variable's value, solved from an earlier equation",
    CONDITION: "a value of an equation that is set up or assumed, not calculated",
    LAST_RESULT: "the last result, equal to the final answer",
    STATED_VALUE: "a value stated without a calculation",
    NUMBER: "another number in the reasoning",
    GIVEN: "a number from the question, repeated in an equation",
}
"""Kinds of values to corrupt. The first four have equal priority; ``condition`` comes after all other verified values,
``given`` is the last resort."""

NO_CALCULATION = "no preceding calculation"
UNSUPPORTED = "unsupported expression"
NO_VALUE = "variable has no known value"
NOT_EXACT = "no exact rational value"
NO_MATCH = "does not match the recomputed value"
UNCLEAR = "unclear start of the calculation"
TOO_DEEP = "expression nested too deeply"
TOO_LARGE = "expression too large"
STATED = "stated without a calculation"
OTHER_VALUE = "variable is later given another value"
CONTRADICTED = "contradicts an earlier equation"
CIRCULAR = "variable is known from this equation only"

REASONS = {
    NO_CALCULATION: "only a number or a variable stands on the other side of the equals sign",
    UNSUPPORTED: "it uses something other than arithmetic, e.g. a sine or a sum with dots",
    NO_VALUE: "the solution states no value of a variable in it",
    NOT_EXACT: "the calculation has an irrational result, or divides by zero",
    NO_MATCH: "the calculation, as it was read, has another result",
    UNCLEAR: "a word, sign or letter before the calculation, or a unit in it, was not understood",
    TOO_DEEP: "brackets, fractions or roots are nested too deeply",
    TOO_LARGE: "the calculation is too long, or its numbers too large",
    STATED: "nothing is calculated: the value is given or assumed",
    CONTRADICTED: "with the value of a variable in it, an earlier equation does not hold",
    CIRCULAR: "the value of a variable in it is stated later, and follows from this equation only",
    OTHER_VALUE: "the variable has several values, e.g. two roots or two cases",
}
"""Why a value could not be verified."""


class Unverified(Exception):
    """A stated value that cannot be verified; ``reason`` is one of ``REASONS``.

    ``value`` is what its calculation gives instead, as numerator and denominator, if the two differ.
    """

    def __init__(self, reason: str, value: tuple[int, int] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.value = value
