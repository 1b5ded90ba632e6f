"""Reading pairs on a terminal, one at a time: the pager of `pairgen show`.

``state`` says what each key does and ``screen`` what is shown, both as pure functions; ``book`` holds the pairs,
``scan`` searches and filters them piece by piece, ``marks`` keeps what the reader thinks of them. ``key_codes``,
``full_screen`` and ``reading`` are the terminal.
"""
