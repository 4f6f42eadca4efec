"""Models: the catalogue of funnels, the check of a model file, and how a model is described."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
