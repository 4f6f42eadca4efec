"""A run of a report: what it is asked for, made of, and where it is published."""
