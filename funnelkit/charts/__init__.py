"""Charts: a table goes in, a Chart comes out, with its alt text."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
