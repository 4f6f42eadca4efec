"""Checks of exercises: an answer goes in, a Verdict comes out that says right, or what is wrong.

A module a lesson; its functions recompute the right answer from the lesson's own tables, so that they hold for any
data and parameters. A hint never gives the answer away.
"""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
