"""What a report is published as: HTML, PDF, tables, an index."""
