"""The page as HTML: elements whose text cannot act, tables, drawings, the document around them, and its look."""
