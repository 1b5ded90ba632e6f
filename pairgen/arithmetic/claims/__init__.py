"""Which stated results are false.

``closed`` reads claims of arithmetic strictly, ``agreement`` and ``other_readings`` know how people write right ones,
``unknowns`` judges equations, and ``findings`` lists what is left.
"""
