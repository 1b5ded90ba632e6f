"""Select a value of a solution, and replace it by a wrong one."""
