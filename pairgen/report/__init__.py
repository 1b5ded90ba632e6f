"""What a person looks at: terminal views, the card, the report. They are handed plain data and compute nothing."""
