"""The kinds of figures on matplotlib's axes, and what they share: scales, ticks, texts in lines."""
