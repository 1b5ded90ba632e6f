"""What is printed for people: tables and views for a rich ``Console``, as pure functions of plain data."""
