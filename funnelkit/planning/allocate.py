"""Allocation: where effort is best spent, by the state that open deals are in."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import furthest_stage, lost_nowhere
from funnelkit.language import DataError, Text, amount_in_words, both, nearest, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, gate_rates, require_pipeline, table_of
from funnelkit.stats import rate_columns

LEAST_CLOSED = 10  # closed deals below which a state's win rate is too unsure to plan with
UNITS = ("hours", "money")  # those that have words of their own
_NEEDED = ("n_open", "value_open", "win_probability", "win_probability_after", "cost")


def state_table(pipeline: Pipeline, least: int = LEAST_CLOSED) -> Result:
    """Return what is open in each state of the model, its win probability now and once moved on.

    Parameters
    ----------
    pipeline : Pipeline
        Of a model with states.
    least : int
        Where fewer closed deals tell, the model's default stands in for both probabilities.

    Returns
    -------
    Result
        state, n_open, n_valued (open deals whose amount is known), value_open (sum of their amounts), k, n, rate, low,
        high (won among the closed deals that reached the state), win_probability, win_probability_after (that of the
        next state; in the last state that of its last stage before the win), basis (data, model).

    Raises
    ------
    DataError
        Where the model has no states, amounts have several currencies, or nobody knows a probability.

    Notes
    -----
    A deal is in the state of the furthest stage that it reached. The gain of moving a deal on is read off deals that
    moved on by themselves: read it as an upper bound.

    Examples
    --------
    >>> from funnelkit import sample
    >>> state_table(sample()).table[["state", "n_open", "k", "n"]].values.tolist()
    [['search', 73, 139, 1796], ['in-funnel', 106, 139, 871], ['best', 6, 139, 208]]
    """
    require_pipeline(pipeline)
    return _states(pipeline, least)


def _states(pipeline: Pipeline, least: int) -> Result:
    model, deals = pipeline.model, _open_in_one_currency(pipeline.deals)
    if not model.states:
        raise DataError("model_without_states", model=model.id)
    stage_of = furthest_stage(pipeline)
    first = [_first_position(model, state.id) for state in model.states]
    onward = [*first[1:], _last_before_win(model)]
    rows = [
        _state_row(pipeline, deals, stage_of, (state.id, here, then), least)
        for state, here, then in zip(model.states, first, onward, strict=True)
    ]
    table = pd.DataFrame(rows)
    table["state"] = pd.Categorical(table["state"], categories=[state.id for state in model.states], ordered=True)
    values = {name: number(table[name].sum()) for name in ("n_open", "value_open")}
    names = {"rate": "win_rate"}
    return Result(table, "planning.allocate.states", values, model=model, names=names, currency=pipeline.currency)


def _open_in_one_currency(deals: pd.DataFrame) -> pd.DataFrame:
    still_open = deals[deals["status"] == "open"]
    names = sorted(still_open.loc[still_open["amount"].notna(), "currency"].fillna("").unique())
    if len(names) > 1:
        raise DataError("several_currencies", names=", ".join(names))
    return still_open


def _first_position(model: Funnel, state: str) -> int:
    return next(place for place, stage in enumerate(model.stages) if stage.state == state)


def _last_before_win(model: Funnel) -> int:
    won = model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages) - 1
    return max(won - 1, 0)


def _state_row(
    pipeline: Pipeline, still_open: pd.DataFrame, stage_of: pd.Series[Any], where: tuple[str, int, int], least: int
) -> dict[str, Any]:
    model, (state, here, then) = pipeline.model, where
    stages = [place for place, stage in enumerate(model.stages) if stage.state == state]
    mine = still_open[stage_of[still_open.index].isin(stages)]
    amounts = mine["amount"].dropna()
    now, after = _won_of(pipeline, stage_of, here), _won_of(pipeline, stage_of, then)
    known = min(now["n"], after["n"]) >= least and now["basis"] == after["basis"] == "decided"
    chances = [now["rate"], after["rate"]] if known else [model.win_chance(model.stage_ids[at]) for at in (here, then)]
    if None in chances:
        raise DataError("no_win_probability", state=model.label(model.stage_ids[here]), model=model.id, n=now["n"])
    return {
        "state": state, "n_open": len(mine), "n_valued": len(amounts), "value_open": float(amounts.sum()),
        **{name: now[name] for name in ("k", "n", "rate", "low", "high")},
        "win_probability": chances[0], "win_probability_after": chances[1], "basis": "data" if known else "model",
    }  # fmt: skip


def _won_of(pipeline: Pipeline, stage_of: pd.Series[Any], position: int) -> dict[str, Any]:
    """Return the rate of the wins among the closed deals that reached the stage at `position`."""
    reached = pipeline.deals[(stage_of >= position) & pipeline.deals["status"].isin(["won", "lost"])]
    n_nowhere = int(lost_nowhere(pipeline).sum())  # they may have reached it, or not
    columns = gate_rates(pipeline, "win", rate_columns([(reached["status"] == "won").sum()], [len(reached)]))
    columns = gate_rates(None, "stage", columns, n_nowhere if position else 0)
    return {name: column[0] for name, column in columns.items()}


def allocate(
    rows: Result | pd.DataFrame, budget: float, unit: str = "hours", model: Funnel | None = None,
    currency: str | None = None,
) -> Result:  # fmt: skip
    """Spread a budget over rows (states, accounts) so that the expected value won is largest.

    Parameters
    ----------
    rows : Result or DataFrame
        n_open, value_open (and n_valued, where some amounts are unknown), win_probability, win_probability_after, cost
        (of moving one entity on, in `unit`); `least` and `most` (in `unit`) bound a row.
    budget, unit, model, currency
        What to spend, in hours, money or a word of one's own; the model names the states of a table; the code of the
        amounts' currency, by default that of a Result or of `fk.use`.

    Returns
    -------
    Result : the columns up to n_open, cost, gain_per_unit (expected value won by one unit), `unit` (what the row gets),
        n_pushed (entities moved on), n_won_more, value_won_more (expected), share_budget (the rest is left over).

    Raises
    ------
    DataError
        For a missing column, a figure out of range, minima above the budget or above what a row can use.

    Notes
    -----
    A row gains (win_probability_after - win_probability) x mean value for each entity. Gain is linear in effort, so the
    minima first, then the rest by gain per unit, is the exact optimum (fractional knapsack, Dantzig 1957).

    Examples
    --------
    >>> rows = pd.DataFrame({"state": ["search", "best"], "n_open": [10, 2], "value_open": [100.0, 40.0],
    ...                      "win_probability": [0.1, 0.6], "win_probability_after": [0.2, 0.9], "cost": [5.0, 4.0]})
    >>> allocate(rows, 20).table["hours"].tolist()
    [12.0, 8.0]
    """
    if isinstance(rows, Result):
        model, currency = model or rows.model, currency or rows.currency
    return _spread(table_of(rows), budget, unit, model, currency)


def _spread(rows: pd.DataFrame, budget: float, unit: str, model: Funnel | None, currency: str | None) -> Result:
    _check_rows(rows, budget)
    valued = rows["n_valued"] if "n_valued" in rows else rows["n_open"]
    mean_value = (rows["value_open"] / valued.where(valued > 0)).fillna(0.0)
    chance = rows["win_probability_after"] - rows["win_probability"]
    gain = chance * mean_value / rows["cost"]
    given = _fill(gain, *_bounds(rows, budget), budget)
    pushed = given / rows["cost"]
    lead = rows.columns[: rows.columns.get_loc("n_open") + 1]
    table = rows[lead].assign(
        cost=rows["cost"], gain_per_unit=gain, **{unit: given}, n_pushed=pushed, n_won_more=pushed * chance,
        value_won_more=given * gain, share_budget=given / budget if budget else 0.0,
    )  # fmt: skip
    notes = _words(table, unit, model, currency)
    shown = _in_hours if unit == "hours" else None
    return Result(table, notes=notes, model=model, shown=shown, picture="allocation_chart", currency=currency)


def _in_hours(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns={"cost": "hours_per_deal", "gain_per_unit": "value_per_hour"})


def _fill(gain: pd.Series[Any], least: pd.Series[Any], most: pd.Series[Any], budget: float) -> pd.Series[Any]:
    """Give the minima, then fill the rows in falling order of gain; a row without gain gets its minimum only."""
    given = least.copy()
    rest = budget - given.sum()
    for place in gain[gain > 0].sort_values(ascending=False, kind="stable").index:
        more = min(most[place] - given[place], rest)
        given[place] += more
        rest -= more
    return given


def _bounds(rows: pd.DataFrame, budget: float) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return the least and the most that each row can get."""
    usable = rows["n_open"] * rows["cost"]
    most = usable if "most" not in rows else rows["most"].fillna(usable).clip(upper=usable)
    least = pd.Series(0.0, index=rows.index) if "least" not in rows else rows["least"].fillna(0.0).astype(float)
    for place in rows.index[least > most + 1e-9]:
        raise DataError("least_above_most", row=rows.loc[place].iloc[0], least=least[place], most=most[place])
    if least.sum() > budget + 1e-9:
        raise DataError("least_above_budget", least=least.sum(), budget=budget)
    return least, most.astype(float)


def _check_rows(rows: pd.DataFrame, budget: float) -> None:
    for name in _NEEDED:
        if name not in rows:
            raise DataError("no_such_column", name=name, nearest=nearest(name, rows.columns))
    if not budget >= 0 or budget == float("inf"):
        raise DataError("bad_budget", value=budget)
    checks = {name: rows[name] >= 0 for name in ("n_open", "value_open", "least", "most") if name in rows}
    checks |= {name: rows[name].between(0, 1) for name in ("win_probability", "win_probability_after")}
    checks["cost"] = rows["cost"] > 0
    for name, fine in checks.items():
        fine = fine | rows[name].isna() if name in ("least", "most") else fine
        for place in rows.index[~fine.fillna(False).astype(bool)]:
            raise DataError("bad_amount", column=name, value=rows.at[place, name], row=rows.loc[place].iloc[0])


def deals_moved(count: float) -> str:
    """Return a number of deals, with one decimal where part of the work is done.

    Parameters
    ----------
    count : float

    Returns
    -------
    str

    Examples
    --------
    >>> deals_moved(106.0), deals_moved(41.67)
    ('106', '41.7')
    """
    return number(count, 0 if abs(count - round(count)) < 0.05 else 1)


def _amount(value: float, currency: str | None) -> Text:
    return both(lambda: amount_in_words(value, currency))


def unit_words(unit: str) -> dict[str, str | Text]:
    """Return the unit of a budget as sentences name it.

    Parameters
    ----------
    unit : str
        hours, money or a word of one's own.

    Returns
    -------
    dict
        unit (many) and one.
    """
    if unit not in UNITS:
        return {"unit": unit, "one": unit}
    return {
        "unit": both(lambda: say(f"planning.allocate.unit_{unit}")),
        "one": both(lambda: say(f"planning.allocate.one_{unit}")),
    }


def _words(
    table: pd.DataFrame, unit: str, model: Funnel | None, currency: str | None
) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return one sentence for each row that gets part of the budget, and one on the sum and what is left over."""
    lead, named = table.columns[0], unit_words(unit)
    names = {state.id: state.name for state in model.states} if model else {}
    notes: list[tuple[str, dict[str, Any]]] = [
        ("planning.allocate.row", {
            "name": names.get(row[lead], row[lead]), "amount": number(row[unit]), **named,
            "share": percent(row["share_budget"]), "n": deals_moved(row["n_pushed"]), "n_open": number(row["n_open"]),
            "gain": _amount(row["gain_per_unit"], currency), "value": _amount(row["value_won_more"], currency),
        })
        for row in table.sort_values("gain_per_unit", ascending=False).to_dict("records") if row[unit] > 0
    ]  # fmt: skip
    total = {name: table[name].sum() for name in (unit, "n_won_more", "value_won_more", "share_budget")}
    summed = {"n": deals_moved(total["n_won_more"]), "value": _amount(total["value_won_more"], currency)}
    notes.append(("planning.allocate.sum", {"amount": number(total[unit]), **named, **summed}))
    left = total[unit] / total["share_budget"] - total[unit] if total["share_budget"] else 0.0
    if left >= 0.5:
        used_up = (table[unit] > table["n_open"] * table["cost"] - 1e-6) | (table["gain_per_unit"] <= 0)
        notes.append((f"planning.allocate.left{'' if used_up.all() else '_over'}", {"amount": number(left), **named}))
    return tuple(notes)
