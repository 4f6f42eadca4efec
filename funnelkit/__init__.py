"""Sales funnels for teaching and for the weekly report: rates with their n, in English and Chinese.

Public names load their module at first use, so that importing the package loads nothing heavy.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "funnel": "catalog",
    "read": "load",
    "synthesize": "synth",
    "count_stages": "count",
    "count_events": "count",
    "Rule": "rule",
    "rate_table": "rates",
    "newcombe": "rates",
    "compare_periods": "compare",
    "compare_peers": "peers",
    "split_change": "split",
    "waterfall": "bridge",
    "control_limits": "control",
    "time_in_stage": "timing",
    "outcome_curves": "timing",
    "promotion_cycle": "timing",
    "compare_cohorts": "timing",
    "stuck_deals": "stuck",
    "split_losses": "leak",
    "stage_losses": "leak",
    "churn_ratio": "leak",
    "forecast_open": "forecast",
    "backtest": "backtesting",
    "calibrate": "calibration",
    "solve_target": "goal",
    "check_target": "smart",
    "compare_target_rates": "smart",
    "health": "conditions",
    "review_people": "people",
    "rank_accounts": "accounts",
    "allocate": "target",
    "check_gates": "review",
    "what_if": "plan",
    "cascade": "pharma",
    "sensitivity": "tornado",
    "influence_loop": "loop",
    "perceptual_map": "position",
    "space_profile": "position",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
