"""The HTML report: one self-contained file about datasets, training runs and studies.

``assembly`` puts it together, of the parts that ``dataset_page`` and ``study_page`` make. ``html`` is how they are
written.
"""
