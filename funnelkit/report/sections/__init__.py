"""The sections of a report, one file an analysis: which verb answers, what of it is shown, what is exported."""
