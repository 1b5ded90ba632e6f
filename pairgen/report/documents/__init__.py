"""Reports of studies: tables, figures and statements as plain data, and how they are written and drawn.

``content`` holds the data, ``number_format`` how numbers are shown, ``statements`` sentences that follow from numbers
by rules. ``markdown`` and ``terminal`` show a report, ``drawing`` draws its figures, ``bundle`` makes all its files.
"""
