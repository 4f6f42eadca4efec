"""Sales funnels for teaching and for the weekly report: rates with their n, in English and Chinese.

    import funnelkit as fk

Public names load their module at first use, so that importing the package loads nothing heavy.
"""

from funnelkit.doors import open_door

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = open_door(__name__)
