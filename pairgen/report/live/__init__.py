"""A running training on a terminal: `pairgen watch`.

``progress_view`` is what is shown of runs, as a pure function; ``watcher`` reads them and draws when they have changed.
"""
