"""Window segments: the win rates of the segments in two windows, those of few deals taken together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.window_rates import pair_rates, pair_windows
from funnelkit.analysis.windows import Window, Windows
from funnelkit.language import DataError, Text, both, label, say
from funnelkit.pipeline import Pipeline
from funnelkit.stats import change_interval

MOST_UNKNOWN = 0.2  # share of the deals whose segments may take the rate of all, for want of one of their own
_POOLED = -1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WindowSegments:
    """The overall rows of two windows and, of each segment in them: name, rate, trials it is as sure as, and size."""

    whole: tuple[dict[str, Any], dict[str, Any]]
    periods: tuple[Text, Text]
    names: list[Any]
    rate: Floats
    worth: Floats
    size: Floats
    rhythm: bool

    @property
    def disputed(self) -> bool:
        """Return whether, wins crowding at quarter ends, what was counted went the other way than the rate by age."""
        before, now = (float(row["k"]) / max(float(row["n"]), 1.0) for row in self.whole)
        return self.rhythm and self.change[0] * (now - before) < 0

    @property
    def change(self) -> tuple[float, float, float]:
        """Return the change of the rate of all, with its interval."""
        (rate_0, rate_1), (n_0, n_1) = ([float(row[name]) for row in self.whole] for name in ("rate", "worth"))
        found = change_interval((rate_1, rate_0), (n_1, n_0))
        return float(found[0]), float(found[1]), float(found[2])


def window_segments(pipeline: Pipeline, calendar: Calendar, asked: tuple[Any, str], keys: list[str]) -> WindowSegments:
    """Return the segments of the two windows that `compare_periods` compares, on the rates that it gives.

    Segments too small to have a rate in one of them are taken together; where even these have none, and are a small
    part of the deals, they get that of all. Raises DataError where they are more than that.
    """
    whole = tuple(part.iloc[0].to_dict() for part in pair_rates(pipeline, calendar, asked, []))
    code, names = _codes(pipeline.deals, keys)
    parts = _by_code(pipeline, (calendar, asked), code)
    few = _unknown(parts)
    if few.any():
        code = np.where(np.isin(code, parts[0].index[few]), _POOLED, code)
        parts = _by_code(pipeline, (calendar, asked), code)
    size, rate, worth = (np.array([part[name] for part in parts], float) for name in ("size", "rate", "worth"))
    unknown = _unknown(parts)
    for row, sizes in zip(whole, size, strict=True):
        if sizes[unknown].sum() > MOST_UNKNOWN * sizes.sum():
            raise DataError("segments_of_few", by=", ".join(keys) or "–", n=int(row["n"]), k=int(row["k"]))
    totals = np.array([[row["rate"], row["worth"]] for row in whole])
    blank = np.isnan(rate) & unknown
    rate, worth = (np.where(blank, totals[:, [at]], part) for at, part in enumerate((rate, worth)))
    rate = np.where(np.isnan(rate), rate[::-1], rate)  # in one of the two only: as in the other, so it counts as mix
    named: list[Any] = [_others(keys) if at == _POOLED else names[at] for at in parts[0].index]
    windows, earlier = pair_windows(pipeline, calendar, asked)
    scaled, rhythm = _scaled(rate, size, totals[:, :1]), windows.rhythm is not None
    return WindowSegments((whole[0], whole[1]), _periods(windows, earlier), named, scaled, worth, size, rhythm)


def _periods(windows: Windows, earlier: Window) -> tuple[Text, Text]:
    """Return what people call the two windows; of a part of a period how many days."""

    def name(window: Window) -> Text:
        kind = "first_days" if windows.unfinished else "whole"
        return both(lambda: say(f"analysis.change.{kind}", period=windows.name(window), days=window.days))

    return name(earlier), name(windows.current)


def _codes(deals: pd.DataFrame, keys: list[str]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the number of each deal's segment, and what names each segment."""
    if not keys:
        return np.zeros(len(deals), dtype=np.int64), ["all"]
    grouped = deals.groupby(keys, dropna=False, observed=True, sort=True)
    return grouped.ngroup().to_numpy(np.int64), [
        name[0] if isinstance(name, tuple) and len(keys) == 1 else name for name in grouped.size().index
    ]


def _by_code(pipeline: Pipeline, window: tuple[Calendar, tuple[Any, str]], code: Any) -> list[pd.DataFrame]:
    numbered = replace(pipeline, deals=pipeline.deals.assign(_segment=code))
    return [part.set_index("_segment") for part in pair_rates(numbered, *window, ["_segment"])]


def _unknown(parts: list[pd.DataFrame]) -> NDArray[np.bool_]:
    """Return the segments that have deals in a window and no rate there."""
    found = [(part["rate"].isna() & (part["size"] > 0)).to_numpy(bool) for part in parts]
    return np.asarray(found[0] | found[1])


def _scaled(rate: Floats, size: Floats, totals: Floats) -> Floats:
    """Return the rates multiplied so that they make up the rate of all."""
    rate = np.where(np.isnan(rate), totals, rate)
    expected = (size * rate).sum(axis=1, keepdims=True) / np.maximum(size.sum(axis=1, keepdims=True), 1)
    found: Floats = rate * np.divide(totals, expected, out=np.ones_like(totals), where=expected > 0)
    return found


def _others(keys: list[str]) -> Any:
    """Return what the segments taken together are called."""
    name = label("other_segments")
    return name if len(keys) < 2 else (name,) * len(keys)
