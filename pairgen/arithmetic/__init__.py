"""The corruption engine: find the results that a worked solution states, recompute them exactly, replace one.

``reading`` finds results and the calculations that they state: ``prose`` and ``formulas`` (LaTeX) find them, ``plain``
(fast patterns), ``sentence`` (token by token) and ``latex`` parse the calculation before the sign.
``exact`` evaluates calculations (``evaluate``, ``surds``), solves for unknowns (``equations``) and compares values with
literals (``verification``, ``literals``). ``solution`` combines the two and verifies each result, or gives the reason
why it cannot (``labels``). ``errors`` chooses a value (``candidates``, ``corrupt``) and generates a wrong one
in the same format (``values``).
"""
