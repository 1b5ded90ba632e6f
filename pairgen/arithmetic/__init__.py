"""The corruption engine: find the results a worked solution states, recompute them exactly, draw a wrong one."""
