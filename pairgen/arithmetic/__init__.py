"""The corruption engine: read the results that a solution states, verify them exactly, replace one by a wrong value.

``reading`` finds results and reads their calculations, as text or LaTeX; ``exact`` computes and compares values.
``solution`` verifies a result, or says why it cannot (``labels``); ``errors`` selects one and samples a wrong value.
"""
