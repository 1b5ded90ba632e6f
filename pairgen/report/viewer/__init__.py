"""Reading pairs on a terminal, one at a time: the pager of `pairgen show`.

``view_state`` is what the reader sees, ``actions`` what each key does to it and ``screen`` how it is drawn, all as pure
functions; ``book`` holds the pairs,
``scan`` searches and filters them piece by piece, ``marks`` keeps what the reader thinks of them. ``key_codes``,
``full_screen`` and ``reading`` are the terminal.
"""
