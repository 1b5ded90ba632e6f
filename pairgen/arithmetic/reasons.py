"""Why a stated result could not be checked: the words that ``explain``, statistics and the column ``reason`` use."""

NO_CALCULATION = "no calculation in front of it"
NO_ARITHMETIC = "not plain arithmetic"
NO_VALUE = "an unknown without a value"
NOT_EXACT = "no exact rational value"
NOT_TRUE = "not true as read"
TOO_DEEP = "nested too deeply"
TOO_LARGE = "numbers too large"
STATED = "stated, not calculated"
OTHER_VALUE = "an unknown that ends with another value"

REASONS = (NO_CALCULATION, NO_ARITHMETIC, NO_VALUE, NOT_EXACT, NOT_TRUE, TOO_DEEP, TOO_LARGE, STATED, OTHER_VALUE)


class Unreadable(Exception):
    """A text is not arithmetic that the readers know; the message is one of ``REASONS``. Never leaves the engine."""
