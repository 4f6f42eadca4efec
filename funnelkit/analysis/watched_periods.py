"""Monitor of a table of periods, where only counts are known: is the latest move of a rate a signal, or noise?"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from funnelkit.analysis.shared import insight, require_columns
from funnelkit.language import DataError, number, percent, rate_text, say
from funnelkit.result import Insight, Result
from funnelkit.stats import Watched, dispersion, rate_columns, watch

MOST_BASELINE = 24
LEAST_BASELINE = 12  # with fewer the baseline itself is too uncertain to speak
YEAR = 12  # periods in which a false alarm of any kind has the stated chance, and that are judged unless told otherwise
OPEN_ALLOWED = 0.05  # a period is mature when at most this share of it is undecided
LEAST_SHOWN = 0.001  # a smaller chance cannot be told from some thousand simulated years
Reading = tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]


def watch_periods(table: pd.DataFrame, baseline: int | None, rng: Generator) -> Result:
    """Return what `monitor` says of a table of periods."""
    require_columns(table, ("k", "n"))
    table = table.reset_index(drop=True)
    if ((table["k"] < 0) | (table["k"] > table["n"])).any():
        raise DataError("k_above_n")
    rates = rate_columns(table["k"], table["n"], table.get("n_open", 0))
    mature = _mature(table, rates)
    in_baseline = _in_baseline(mature, baseline)
    lead = table.drop(columns=[name for name in (*rates, "mature") if name in table.columns])
    kept = {name: rates[name] for name in ("k", "n", "rate", "low", "high", "n_open")}
    sums = _sums(rates["k"], rates["n"], (in_baseline, mature), rng)
    found = lead.assign(**kept, mature=mature, in_baseline=in_baseline, **sums)
    names = lead.iloc[:, 0].astype(str) if len(lead.columns) else pd.Series([str(at + 1) for at in range(len(lead))])
    shown = partial(_for_people, [str(name) for name in lead.columns])
    reading, findings = _reading(found, names)
    return Result(found, *reading, picture="monitor_chart", shown=shown, findings=findings)


def _mature(table: pd.DataFrame, rates: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which periods can be judged: somebody was decided, and nearly everybody."""
    if "mature" in table.columns:
        mature = table["mature"].to_numpy(dtype=bool)
    else:
        mature = rates["n_open"] <= OPEN_ALLOWED * (rates["n"] + rates["n_open"])
    return np.asarray(mature & (rates["n"] > 0))


def _in_baseline(mature: NDArray[np.bool_], baseline: int | None) -> NDArray[np.bool_]:
    """Return which periods fix what is expected: the first `baseline` mature ones, else all but the last 12 of them."""
    place, n = np.cumsum(mature) - 1, int(mature.sum())
    if baseline is not None:
        return np.asarray(mature & (place < int(baseline)))
    end = min(max(n - YEAR, LEAST_BASELINE), n - 1)
    return np.asarray(mature & (place < end) & (place >= end - MOST_BASELINE))


def _sums(
    k: NDArray[Any], n: NDArray[Any], masks: tuple[NDArray[np.bool_], NDArray[np.bool_]], rng: Generator
) -> dict[str, Any]:
    """Return n_expected, fall, rise (sums in parts of their limits), p_value and signal of every period."""
    in_baseline, mature = masks
    trials = n[in_baseline].sum()
    rate = (k[in_baseline].sum() + 0.5) / (trials + 1)
    found: dict[str, Any] = {name: np.full(len(k), np.nan) for name in ("fall", "rise", "p_value")}
    found = {"n_expected": n * rate if trials else np.full(len(k), np.nan), **found}
    first = np.flatnonzero(in_baseline)[-1] + 1 if in_baseline.any() else len(k)
    judged = mature & (np.arange(len(k)) >= first)
    signal = np.full(len(k), np.nan)
    if in_baseline.sum() >= LEAST_BASELINE and judged.any():
        series = (k[None], n[None] * rate, n[None].astype(float))
        spread = dispersion(*(part[:, in_baseline] for part in series))
        seen, hoped, tried = (part[:, judged].astype(float) for part in series)
        verdicts = watch(Watched(seen, hoped, tried, np.array([float(trials)]), spread), rng, YEAR)
        sums = verdicts.score[:, 0] / verdicts.limit
        found["fall"][judged], found["rise"][judged] = sums
        found["p_value"][judged] = np.where(sums[1] > sums[0], verdicts.p_value[1, 0], verdicts.p_value[0, 0])
        signal[judged] = sums.max(axis=0) > 1
    return {**found, "signal": pd.array(signal, dtype="boolean")}


def _for_people(lead: list[str], table: pd.DataFrame) -> pd.DataFrame:
    rows = table.astype({"signal": "object"}).to_dict("records")
    verdicts = ["none" if pd.isna(row["signal"]) else "false" if not row["signal"] else _side(row) for row in rows]
    return table[lead].assign(
        rate_now=[rate_text(row) for row in rows], n_observed=[number(row["k"]) for row in rows],
        n_expected=[number(row["n_expected"], 1) for row in rows],
        signal=[say(f"analysis.monitor.is_{verdict}") for verdict in verdicts],
    )  # fmt: skip


def _side(row: Any) -> str:
    return "below" if row["fall"] > row["rise"] else "above"


def _since_change(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the periods since the change whose signal stands at the end, None where none does."""
    judged = table[table["signal"].notna()]
    if judged.empty or not judged["signal"].iloc[-1]:
        return None
    sums = judged["fall" if _side(judged.iloc[-1]) == "below" else "rise"]
    return judged.loc[sums.index[np.flatnonzero(np.r_[0.0, sums.to_numpy()[:-1]] == 0)[-1]] :]


def _reading(table: pd.DataFrame, names: pd.Series[Any]) -> tuple[Reading, tuple[Insight, ...]]:
    """Return (key, values, notes) and findings: signal, no signal or too few points."""
    young = names[~table["mature"].to_numpy()].tolist()
    notes: tuple[tuple[str, dict[str, Any]], ...] = (
        (("analysis.monitor.immature", {"periods": young}),) if young else ()
    )
    baseline, n_judged = table[table["in_baseline"]], int(table["signal"].notna().sum())
    if not n_judged:
        return ("analysis.monitor.few_periods", {"n": len(baseline), "least": LEAST_BASELINE}, notes), ()
    centre = baseline["n_expected"].sum() / baseline["n"].sum()  # as the picture has it
    values = {"centre": percent(centre), "n": len(baseline), "judged": n_judged}
    after = _since_change(table)
    if after is None:
        alarmed = names[table["signal"].fillna(False).to_numpy(dtype=bool)].tolist()
        past = (("analysis.monitor.passed", {"periods": alarmed}),) if alarmed else ()
        return ("analysis.monitor.no_signal", values, past + notes), ()
    last, (k, n, expected) = after.iloc[-1], after[["k", "n", "n_expected"]].sum()
    values |= {"period": names[after.index[0]], "k": number(k), "decided": number(n), "expected": number(expected, 1)}
    values |= {"p": percent(max(last["p_value"], LEAST_SHOWN))}
    key = f"analysis.monitor.{_side(last)}"
    size = {"n_deals": int(n), "excess": float(abs(k - expected)), "evidence": float(last["p_value"])}
    size |= {"found": float(k), "usual": float(expected)}
    return (key, values, notes), (insight(f"rate_{_side(last)}", values["period"], key, values, **size),)
