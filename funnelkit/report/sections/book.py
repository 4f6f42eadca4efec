"""The open pipeline: its change in the period, key accounts, slipped close dates, forecast categories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import data_end, rank_accounts, waterfall
from funnelkit.forecast import Forecast
from funnelkit.language import DataError, Text, both, label, money, number, percent, points, say
from funnelkit.pipeline import DEAL_COLUMNS, Pipeline
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.sections.scope import Scope
from funnelkit.report.sections.section import Answer, Section
from funnelkit.result import Result, refuse_limits

FEWEST_VALUED = 0.5  # share of the open deals that must carry an amount
_BEFORE = pd.Timedelta(microseconds=1)  # a day's events belong to it, those of bare dates at midnight too
MOST_ACCOUNTS = MOST_SLIPPED = 10
_CATEGORY = re.compile(r"forecast_?categor(y|ies)(_?name)?|hs_(manual_)?forecast_category|预测(类别|分类)", re.I)


def open_flow(pipeline: Pipeline, scope: Scope) -> Result:
    """Explain how the open pipeline went from the period's first day to its last: new, won, lost, amounts changed.

    Parameters
    ----------
    pipeline : Pipeline
    scope : Scope
        Calendar and period.

    Returns
    -------
    Result
        As `waterfall`, without the parts in which nothing happened.

    Raises
    ------
    LimitError, DataError
        As `waterfall`; without lost deals; where the data do not hold the period's first day.

    Notes
    -----
    The period ends with the data where it is not over.

    Examples
    --------
    >>> import funnelkit as fk
    >>> pipeline = fk.sample()
    >>> open_flow(pipeline, Scope(pipeline, "quarter")).table["part"].tolist()[:2]
    ['opening', 'created']
    """
    _need_amounts(pipeline, "waterfall", "no_lost_deals")  # those lost since are missing from what was open then
    period = int(scope.calendar.number(scope.day))
    first, stop = scope.calendar.start(period), scope.calendar.start(period + 1)
    if first <= pipeline.deals["created_at"].min():
        raise DataError("no_earlier_period", period=scope.calendar.name(period))
    found = waterfall(pipeline.at(first - _BEFORE), pipeline if stop > pipeline.as_of else pipeline.at(stop - _BEFORE))
    table = found.table
    levels = table["part"].isin(["opening", "closing"])
    table = table[levels | (table["change"] != 0) | table["part"].isin(["created", "won", "lost"])]
    return replace(found, table=table.reset_index(drop=True), notes=_moves(table, pipeline, found))


def _need_amounts(pipeline: Pipeline, analysis: str, *codes: str) -> None:
    """Refuse sums of open money where most open deals carry no amount, or only a close reveals it."""
    refuse_limits(pipeline, analysis, "no_open_deals", "no_amount", *codes)
    open_ones = pipeline.deals[pipeline.deals["status"] == "open"]
    currencies = sorted(open_ones.loc[open_ones["amount"].notna(), "currency"].dropna().unique())
    if len(currencies) > 1:
        raise DataError("mixed_currencies", found=", ".join(currencies))
    known = int(open_ones["amount"].notna().sum()) if pipeline.limit("lost_value_zero") is None else 0
    if known < FEWEST_VALUED * len(open_ones):
        of = number(len(open_ones))
        raise (
            DataError("no_open_amounts", n=number(known), of=of) if known else DataError("no_open_amount_at_all", of=of)
        )


def _moves(table: pd.DataFrame, pipeline: Pipeline, found: Result) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    rows = table[~table["part"].isin(["opening", "closing"])].to_dict("records")
    parts = [both(partial(_move, row, pipeline.currency)) for row in rows]
    unvalued = [note for note in found.notes if note[0].endswith("unvalued")]
    revalued = table["part"].isin(["amount_up", "amount_down"]).any()
    return (
        ("report.waterfall.moves", {"parts": parts}),
        *(() if revalued else (("report.waterfall.one_export", {}),)),
        *unvalued,
    )


def _move(row: dict[str, Any], currency: str | None) -> str:
    sign = "+" if row["change"] > 0 else "−" if row["change"] < 0 else ""
    amount = sign + money(abs(row["change"]), currency, short=True)
    return say("report.waterfall.move", part=label(f"part_of_{row['part']}"), amount=amount, n=number(row["n_deals"]))


def key_accounts(pipeline: Pipeline) -> Result:
    """Name the accounts with the most open money among those classed high.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Result
        Table, the most open money first: account, class, n_open, value_open (currency), n_won, value_won, stable (share
        of similar weightings that leave the class).

    Raises
    ------
    LimitError, DataError
        As `rank_accounts`; where no account has an open deal.

    Notes
    -----
    Classes are those of `rank_accounts`: size, need and intent weigh alike.

    Examples
    --------
    >>> import funnelkit as fk
    >>> key_accounts(fk.sample()).table["class"].unique().tolist()
    ['high']
    """
    _need_amounts(pipeline, "rank_accounts")
    return _key_accounts(pipeline)


def _key_accounts(pipeline: Pipeline) -> Result:
    ranked = rank_accounts(pipeline).table
    deals = pipeline.deals[pipeline.deals["account"].notna()]
    sums = {
        f"{name}_{status}": deals[deals["status"] == status].groupby("account", observed=True)["amount"].agg(how)
        for status in ("open", "won")
        for name, how in (("n", "size"), ("value", "sum"))
    }
    table = ranked.set_index("account")[["class", "stable"]].join(pd.DataFrame(sums)).fillna(dict.fromkeys(sums, 0))
    table = table[(table["class"] == "high") & (table["n_open"] > 0)]
    if table.empty:
        raise DataError("no_accounts")
    table = table.astype({"n_open": int, "n_won": int}).sort_values("value_open", ascending=False, kind="stable")
    table = table.reset_index()[["account", "class", "n_open", "value_open", "n_won", "value_won", "stable"]]
    whole = deals.loc[deals["status"] == "open", "amount"].sum()
    values = {
        "n": number(min(len(table), MOST_ACCOUNTS)), "n_open": number(table["n_open"].head(MOST_ACCOUNTS).sum()),
        "share": percent(table["value_open"].head(MOST_ACCOUNTS).sum() / whole if whole else np.nan, 0),
    }  # fmt: skip
    shown = ("account", "n_open", "value_open", "n_won", "value_won")
    return Result(table, "report.accounts.most", values, shown=shown, currency=pipeline.currency)


def _first_accounts(found: Result) -> pd.DataFrame:
    return found.table.head(MOST_ACCOUNTS)


def slipped_closes(pipeline: Pipeline) -> Result:
    """List the open deals whose expected close has passed, the most valuable first.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Result
        Table: deal_id, account, owner, amount, stage, expected_close, overdue_days.

    Raises
    ------
    LimitError, DataError
        Without open deals; where no open deal has an expected close.

    Notes
    -----
    A deal expected on the last day of the data has not slipped.

    Examples
    --------
    >>> from funnelkit import read
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "stage": ["Lead", "Lead"], "created_at": ["2026-01-05"] * 2,
    ...                       "expected_close": ["2026-02-01", "2026-05-01"]})
    >>> slipped_closes(read(deals, stages=["Lead", "Won"], as_of="2026-03-01")).table["overdue_days"].tolist()
    [28]
    """
    refuse_limits(pipeline, "stuck_deals", "no_open_deals")
    return _slipped(pipeline)


def _slipped(pipeline: Pipeline) -> Result:
    records = DealRecords.of(pipeline)
    deals = records.deals.assign(stage=records.stage_now())
    deals = deals[(deals["status"] == "open") & deals["expected_close"].notna()]
    if deals.empty:
        raise DataError("no_expected_close")
    today = data_end(pipeline) - pd.Timedelta(days=1)
    late = deals[deals["expected_close"] < today]
    stage = pd.Categorical.from_codes(late["stage"], categories=pipeline.model.stage_ids, ordered=True)
    late = late.assign(stage=stage, overdue_days=(today - late["expected_close"].dt.normalize()).dt.days)
    late = late.sort_values(["amount", "overdue_days"], ascending=False, kind="stable", ignore_index=True)
    values = {"n": number(len(late)), "of": number(len(deals)), "days": number(late["overdue_days"].median()),
              "value": _worth(late, pipeline.currency)}  # fmt: skip
    valued = late["amount"].notna().any() and late["currency"].dropna().nunique() <= 1
    key = "none" if late.empty else "some" if valued else "some_unvalued"
    table = late[["deal_id", "account", "owner", "amount", "stage", "expected_close", "overdue_days"]]
    return Result(table, f"report.slipped.{key}", values, model=pipeline.model, currency=pipeline.currency)


def _first_slipped(found: Result) -> pd.DataFrame:
    return found.table.head(MOST_SLIPPED)


def _worth(deals: pd.DataFrame, currency: str | None) -> Text:
    return both(lambda: money(deals["amount"].sum(), currency, short=True))


def forecast_categories(pipeline: Pipeline, forecast: Result) -> Result:
    """Compare the forecast categories that sellers gave with what the open deals are likely to bring.

    Parameters
    ----------
    pipeline : Pipeline
    forecast : Result
        Of `forecast_open`.

    Returns
    -------
    Result
        Table: category, n_open, value_open (currency), wins_expected, chance (mean chance of a win by the forecast's
        end, a fraction).

    Raises
    ------
    DataError
        Where no column holds forecast categories; as the forecast, where it was refused.

    Notes
    -----
    The column is known by its name: forecast_category, ForecastCategoryName, hs_manual_forecast_category, 预测类别.

    Examples
    --------
    >>> import funnelkit as fk
    >>> pipeline = fk.sample()
    >>> forecast_categories(pipeline, fk.forecast_open(pipeline, "2026-01-31", paths=100))
    Traceback (most recent call last):
    funnelkit.language.errors.DataError: the source has no column of forecast categories.
    """
    name = next((name for name in pipeline.deals if name not in DEAL_COLUMNS and _CATEGORY.fullmatch(name)), None)
    if name is None:
        raise DataError("no_categories")
    return _categories(pipeline, forecast, str(name))


def _categories(pipeline: Pipeline, forecast: Result, name: str) -> Result:
    made = forecast.found if isinstance(forecast, Answer) else forecast
    chances = made.deals if isinstance(made, Forecast) else forecast.table  # a Refusal raises its reason
    deals = pipeline.deals[pipeline.deals["status"] == "open"].merge(chances[["deal_id", "chance"]], "left", "deal_id")
    table = deals.groupby(name, observed=True, dropna=False).agg(
        n_open=("deal_id", "size"), value_open=("amount", "sum"), wins_expected=("chance", "sum"),
        chance=("chance", "mean"),
    )  # fmt: skip
    table = table.sort_values("chance", ascending=False).reset_index(names="category")
    best, last = table.iloc[0], table.iloc[-1]
    values = {"best": str(best["category"]), "chance": percent(best["chance"]), "last": str(last["category"]),
              "least": percent(last["chance"]), "gap": points(best["chance"] - last["chance"])}  # fmt: skip
    return Result(table, "report.categories.found", values, currency=pipeline.currency)


def _need_rates(pipeline: Pipeline, targets: Any) -> None:
    if not targets:
        raise DataError("no_target_rates")


SECTIONS = (
    Section("waterfall", "open_flow", "part n_deals change n_unvalued", drawn=lambda found: found.table),
    Section(
        "accounts", "key_accounts", "account class n_open value_open n_won value_won stable", rows=_first_accounts
    ),
    Section(
        "slipped", "slipped_closes", "deal_id account owner amount stage expected_close overdue_days",
        rows=_first_slipped,
    ),
    Section("categories", "forecast_categories", "category n_open value_open wins_expected chance"),
    Section(
        "target_rates", "compare_target_rates", "stage target_rate k n rate low high basis horizon_days gap verdict",
        guard=_need_rates,
    ),
)  # fmt: skip
