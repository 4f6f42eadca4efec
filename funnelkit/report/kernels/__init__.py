"""The processes that execute a report; their one door is `pool`."""
