"""Figures of datasets and of training runs, by name: the tables ``DATASET_FIGURES`` and ``RUN_FIGURES``.

They are plain data (``report.documents.content``), without matplotlib; ``report.documents.drawing`` draws them.
"""
