"""Worlds with a known truth, for the figures of merit. They share nothing with `funnelkit.synth`.

A deal enters four stages, stays gamma-distributed times, and advances or is lost. `World` says how, and what breaks:
every field beyond the first block is off by default. `pipeline(rng)` draws a history and reads it as a user would.
"""

from tests.worlds.world import STAGES, World, draw, named, pipelines

__all__ = ["STAGES", "World", "draw", "named", "pipelines"]
