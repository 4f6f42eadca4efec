"""Numbers as people read them: thousands, percent, a rate with its interval and n. One place for every format."""

import math

import pandas as pd

from funnelkit.language.texts import say


def number(value, decimals=0):
    """Return a number with thousands separators; a missing one is a dash.

    >>> number(6711), number(None), number(1234.5, 2)
    ('6,711', '–', '1,234.50')
    """
    return "–" if value is None or pd.isna(value) else f"{value:,.{decimals}f}"


def percent(rate, decimals=1):
    """Return a fraction as percent for people; a missing one is a dash.

    >>> percent(0.6315)
    '63.2 %'
    """
    return "–" if pd.isna(rate) else f"{_round_half_up(rate * 100, decimals):.{decimals}f} %"


def _round_half_up(value, decimals):
    """Round halves away from zero, as people do: 63.15 is 63.2 (the float below it would give 63.1)."""
    scale = 10**decimals
    return math.floor(round(value * scale, 9) + 0.5) / scale


def rate_text(row, lang="en"):
    """Return one rate row (k, n, rate, low, high, n_open) as text: the rate, its interval, its n.

    >>> rate_text({"k": 1, "n": 2, "rate": 0.5, "low": 0.0945, "high": 0.9055, "n_open": 0})
    '50.0 % [9.5, 90.6] (n = 2)'
    >>> rate_text({"k": 0, "n": 0, "rate": float("nan"), "low": float("nan"), "high": float("nan"), "n_open": 0})
    'n/a (0 entered)'
    """
    if row["n"] == 0:
        n_open = int(row.get("n_open", 0))
        return (
            say("language.present.rate_all_open", lang, n=number(n_open))
            if n_open
            else say("language.present.rate_none", lang)
        )
    low, high = (percent(row[end]).removesuffix(" %") for end in ("low", "high"))
    return say("language.present.rate", lang, rate=percent(row["rate"]), low=low, high=high, n=number(row["n"]))


def points(change):
    """Return a difference of rates in percentage points, with its sign.

    >>> points(0.0166), points(-0.092)
    ('+1.7', '-9.2')
    """
    return "–" if pd.isna(change) else f"{100 * change:+.1f}"


def change_text(row):
    """Return a change of a rate (change, change_low, change_high) as points with its interval.

    >>> change_text({"change": -0.287, "change_low": -0.423, "change_high": -0.134})
    '-28.7 [-42.3, -13.4]'
    """
    if pd.isna(row.get("change_low")):
        return points(row["change"])
    return f"{points(row['change'])} [{points(row['change_low'])}, {points(row['change_high'])}]"
