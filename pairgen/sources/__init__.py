"""Rows in: local files and folders, the Hugging Face Hub, and the built-in sample."""
