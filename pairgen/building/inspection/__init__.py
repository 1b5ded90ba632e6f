"""What looks at worked solutions and writes nothing: ``explain`` and ``audit``."""
