"""Analysis: counts, rates, comparison, time, losses, people, accounts, gates."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
