"""Rows in: local files and folders, URLs, the Hugging Face Hub, and the built-in sample."""
