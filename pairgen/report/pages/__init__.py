"""The HTML report: one self-contained file about datasets, training runs and studies.

``markup`` makes elements whose text cannot act as markup; ``frame`` is the document around the parts that
``dataset_page``, ``run_page``, ``token_view`` and ``study_page`` make. ``palette``, ``style`` and ``script`` hold its
look.
"""
