"""What a cell holds: text, numbers, dates."""
