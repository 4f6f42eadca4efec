"""The counting of sorted rows; its one door is `events.search`."""
