"""The analyses of the periodic report: made once, each a Result or the reason why the source cannot support it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from funnelkit.analysis import Calendar, count_stages, data_end, rate_table
from funnelkit.charts import fan_table
from funnelkit.language import DataError, FunnelkitError
from funnelkit.report.sections import own_segments, segment_column

SEED = 0  # a report draws the same numbers each time
BACKTEST_PERIODS = 8


@dataclass(frozen=True)
class Settings:
    """What the periodic report is to look at.

    `unit` is week, month or quarter; `period` a date in the period wanted, "current" for the running one, or empty
    for the last full one. `people` is the column of those reviewed; `target` the revenue wanted by `target_date`.
    """

    unit: str = "month"
    period: str = ""
    segment: str = ""
    people: str = "owner"
    target: float = 0.0
    target_date: str = ""
    evidence: str = ""

    def check(self, pipeline):
        """Raise DataError where nothing is known yet, or a setting names a column, day or file that is not there."""
        if pipeline.counts is None and pipeline.deals.empty:
            raise DataError("nothing_by_then", as_of=f"{pipeline.as_of:%Y-%m-%d}")
        for name, column in (("segment", self.segment), ("people", self.people)):
            if column and column not in pipeline.deals and pipeline.counts is None:
                known = ", ".join(pipeline.deals.columns)
                raise DataError("no_column_for", name=name, value=column, known=known)
        if self.evidence and not Path(self.evidence).is_file():
            raise DataError("no_such_file", file=self.evidence)
        if self.period not in ("", "current") and pipeline.counts is None:
            end, calendar = data_end(pipeline), self.calendar()
            if calendar.start(calendar.number(self.period)) >= end:
                raise DataError("period_not_begun", period=self.period, end=f"{end - pd.Timedelta(days=1):%Y-%m-%d}")

    def calendar(self):
        """Return the calendar of the unit."""
        return Calendar(self.unit)

    def day(self, pipeline):
        """Return a day in the period wanted."""
        calendar, end = self.calendar(), data_end(pipeline)
        if self.period == "current":
            return end
        if self.period:
            return pd.Timestamp(self.period)
        number = int(calendar.number(end))
        whole = calendar.start(number + 1) - pd.Timedelta(days=1) <= end
        return end if whole else calendar.start(number) - pd.Timedelta(days=1)

    def horizon(self, pipeline):
        """Return the day to which the forecast reaches: the target's, else the end of the next unit."""
        if self.target_date:
            return pd.Timestamp(self.target_date)
        calendar = self.calendar()
        return calendar.start(int(calendar.number(data_end(pipeline))) + 2) - pd.Timedelta(days=1)


def _comparison(pipeline, settings):
    from funnelkit.analysis import compare_periods

    return compare_periods(pipeline, settings.calendar(), on=settings.day(pipeline))


def _change(pipeline, settings):
    """Split the change of the win rate from the period before into mix and rate, by segment."""
    from funnelkit.analysis import split_change

    by = segment_column(pipeline, settings.segment)
    if by is None:
        raise DataError("no_segment")
    calendar = settings.calendar()
    last = int(calendar.number(settings.day(pipeline)))
    closed = _closed(pipeline, calendar, by)
    before, after = (closed[closed["number"] == number] for number in (last - 1, last))
    if not before["n"].sum() or not after["n"].sum():
        raise DataError("period_without_closes", period=calendar.name(last if before["n"].sum() else last - 1))
    return split_change(before.drop(columns="number"), after.drop(columns="number"), by)


def _closed(pipeline, calendar, by=None):
    """Return k won of n closed for each period (and segment) of the close."""
    deals = pipeline.deals[pipeline.deals["status"].isin(["won", "lost"]) & pipeline.deals["closed_at"].notna()]
    numbers = pd.Series(calendar.number(deals["closed_at"]), index=deals.index, name="number")
    keys = [numbers] if by is None else [numbers, deals[by].fillna("").astype(str)]
    grouped = (deals["status"] == "won").groupby(keys, sort=True)
    return pd.DataFrame({"k": grouped.sum(), "n": grouped.size()}).reset_index()


def _signal(pipeline, settings):
    """Judge the win rate of the closes of each full period against its own past."""
    from funnelkit.analysis import control_limits

    calendar = settings.calendar()
    table = _closed(pipeline, calendar)
    if table.empty:
        raise DataError("period_without_closes", period=calendar.name(calendar.number(data_end(pipeline))))
    every = pd.RangeIndex(table["number"].min(), int(calendar.number(settings.day(pipeline))) + 1)
    table = table.set_index("number").reindex(every, fill_value=0)
    late = pipeline.limit("closes_start_late") is not None
    periods = pd.DataFrame({"period": [calendar.name(number) for number in every], "k": table["k"].to_numpy()})
    first_is_partial = late or calendar.start(int(every[0])) < pipeline.deals["closed_at"].min().normalize()
    mature = np.r_[not first_is_partial, np.ones(max(len(every) - 1, 0), dtype=bool)]
    return control_limits(periods.assign(n=table["n"].to_numpy(), mature=mature[: len(periods)]))


def _bottleneck(pipeline, settings):
    from funnelkit.planning import sensitivity

    rates = rate_table(count_stages(pipeline).table)
    if pipeline.model.won_stage == pipeline.model.stage_ids[-1]:
        rates = rates.iloc[:-1]  # entering the last stage is the win: it promotes to nothing
    if (rates["n"] == 0).any():
        raise DataError("stage_rate_unknown", stage=_names(pipeline, rates.loc[rates["n"] == 0, "stage"]))
    return sensitivity(rates, volume=int(count_stages(pipeline).table["n_entered"].iloc[0]), model=pipeline.model)


def _names(pipeline, stages):
    return ", ".join(pipeline.model.label(stage) for stage in stages)


def _stays(pipeline, settings):
    from funnelkit.analysis import time_in_stage

    return time_in_stage(pipeline)


def _cycle(pipeline, settings):
    from funnelkit.analysis import promotion_cycle

    return promotion_cycle(pipeline)


def _forecast(pipeline, settings):
    from funnelkit.forecast import forecast_open

    until = settings.horizon(pipeline)
    days = (until - data_end(pipeline)).days
    unit = "week" if days < 45 else "month" if days < 400 else "quarter"
    made = forecast_open(pipeline, until, unit=unit, rng=np.random.default_rng(SEED))
    return replace(made, table=_by_day(made))


def _by_day(made):
    """Return the forecast's rows of all periods together, before them the totals from now to each period's end."""
    whole = made.table[made.table["period"] == made.table["period"].iloc[-1]]
    measure, start = "value" if (whole["measure"] == "value").any() else "n_won", made.ends["start"].iloc[0]
    rows = fan_table(made, measure).iloc[1:-1]
    names = [f"{start:%Y-%m-%d} - {day:%Y-%m-%d}" for day in rows["day"]]
    rows = rows.assign(period=names, start=start, end=rows["day"], part="total", measure=measure, mean=np.nan)
    return pd.concat([rows[whole.columns], whole], ignore_index=True) if len(rows) else whole


def _backtest(pipeline, settings):
    from funnelkit.forecast import backtest

    rng = np.random.default_rng(SEED)
    return backtest(pipeline, unit=settings.unit, n_origins=BACKTEST_PERIODS, paths=500, rng=rng)


def _stuck(pipeline, settings):
    from funnelkit.analysis import stuck_deals

    return stuck_deals(pipeline)


def _health(pipeline, settings):
    from funnelkit.forecast import health

    _require_target(settings)
    return health(pipeline, settings.target, settings.target_date, rng=np.random.default_rng(SEED))


def _require_target(settings):
    if not (settings.target > 0 and settings.target_date):
        raise DataError("no_target")


def _target(pipeline, settings):
    from funnelkit.forecast import solve_target

    _require_target(settings)
    rng = np.random.default_rng(SEED)
    return solve_target(pipeline, settings.target, settings.target_date, rng=rng)


def _people(pipeline, settings):
    from funnelkit.analysis import review_people

    makes_hard = [name for name in own_segments(pipeline) if name != settings.people]
    return review_people(pipeline, by=settings.people, mix=makes_hard[:1])


def _gates(pipeline, settings):
    """Judge the stage gates from a file of evidence: deal_id, stage, gate, met."""
    from funnelkit.analysis import check_gates
    from funnelkit.result import Result

    if not settings.evidence:
        raise DataError("no_evidence")
    evidence = pd.read_csv(settings.evidence, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if "met" in evidence:
        evidence["met"] = evidence["met"].str.strip().str.lower().map(_MET)
    verdicts = check_gates(evidence, pipeline.model)
    counts = verdicts["verdict"].value_counts()
    return Result(
        verdicts, "report.report.gates", {name: str(counts[name]) for name in ("advance", "stay", "move_back")}
    )


_MET = {"yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False}
ANALYSES = {
    "comparison": _comparison, "change": _change, "signal": _signal, "bottleneck": _bottleneck, "stays": _stays,
    "cycle": _cycle, "stuck": _stuck, "forecast": _forecast, "backtest": _backtest, "health": _health,
    "target": _target,
    "people": _people, "gates": _gates,
}  # fmt: skip


def analyse(pipeline, settings):
    """Return {name: Result, or the FunnelkitError that says why there is none} of every analysis.

    Raises DataError where the settings do not fit the data.
    """
    settings.check(pipeline)
    if pipeline.counts is not None:
        return dict.fromkeys(ANALYSES, DataError("counts_only"))
    return {name: _try(make, pipeline, settings) for name, make in ANALYSES.items()}


def _try(make, pipeline, settings):
    try:
        return make(pipeline, settings)
    except FunnelkitError as error:
        return error
