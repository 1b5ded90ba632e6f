"""The corruption engine: find the results a worked solution states, recompute them exactly, draw a wrong one.

Where results stand is found by ``prose`` and ``formulas`` (LaTeX), as ``steps``. The calculation in front of one is
read by ``plain`` (fast patterns), ``sentence`` (token by token) or ``latex``, and valued by ``evaluate`` and ``surds``.
``solution`` holds a text with the values of its unknowns, and proves a step or says why it cannot (``reasons``): with
``proof`` where the calculation is there, with ``unknowns`` where an equation has to be solved for it.
``corrupt`` chooses what to make wrong, also among ``places`` outside calculations; ``wrong`` draws the value, and
``numbers`` writes it in the format of the right one.
"""
