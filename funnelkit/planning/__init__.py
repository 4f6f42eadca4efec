"""Planning: what other rates would give, cascades, sensitivity, influence, allocation, perceptual maps."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
