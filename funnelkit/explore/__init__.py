"""Explorables: panels with sliders over the verbs."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
