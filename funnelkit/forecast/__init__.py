"""Forecast: open deals and new business, backtest, calibration, health, targets."""

from funnelkit.doors import open_door

__getattr__, __dir__, __all__ = open_door(__name__)
