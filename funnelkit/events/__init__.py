"""Event logs: rules of conversion, counting, journeys, other systems' rules, warehouses."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
