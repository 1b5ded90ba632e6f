"""Existing data as pair datasets: layouts and how they are recognised, rows, the import itself."""
