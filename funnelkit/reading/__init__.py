"""Reading: files, tables and databases to a Pipeline, with what was noticed and what the source cannot tell."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
