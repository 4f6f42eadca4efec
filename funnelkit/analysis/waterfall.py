"""Waterfall: from the open pipeline of one date to that of another, every step counted and balanced to the cent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from funnelkit.analysis.change import Bridge
from funnelkit.language import DataError, both, day, label, money, number
from funnelkit.pipeline import Pipeline
from funnelkit.result import refuse_limits

Steps = dict[str, tuple[Any, Any]]
PARTS = (
    "opening", "created", "reopened", "advanced", "moved_back", "amount_up", "amount_down", "pulled_in", "pushed",
    "won", "lost", "void", "removed", "closing",
)  # fmt: skip


def waterfall(
    before: Pipeline, after: Pipeline, *, weights: Mapping[str, float] | None = None, due: Any = None
) -> Bridge:
    """Explain how the open pipeline went from one date to another, part by part.

    Parameters
    ----------
    before, after : Pipeline
        Two exports, or one pipeline twice: `waterfall(pipeline.at(date), pipeline)`; a single export holds no earlier
        amounts, expected closes or reopenings, so those parts are then 0.
    weights : dict, the share of the amount that counts in each stage (1 without it)
    due : date, count only deals expected to close by it, so that a deal pushed beyond it leaves

    Returns
    -------
    Bridge
        Table: part (opening, created, reopened, advanced, moved_back, amount_up, amount_down, pulled_in, pushed, won,
        lost, void, removed (no longer in the data), closing), n_deals (touched), change (currency; the level for
        opening and closing), n_unvalued (without an amount, counted as 0).

    Raises
    ------
    DataError, LimitError : for mixed currencies or dates in the wrong order; without amounts

    Notes
    -----
    Opening plus all changes is closing to the cent, for each step of each deal is rounded to cents. Deals without any
    date that only `after` holds are left out.

    Examples
    --------
    >>> from funnelkit import sample
    >>> pipeline = sample()
    >>> found = waterfall(pipeline.at(pipeline.as_of - pd.Timedelta(days=30)), pipeline).table
    >>> bool(abs(found["change"][:-1].sum() - found["change"].iloc[-1]) < 0.005)
    True
    """
    return _explain(before, after, dict(weights or {}), due)


def _explain(before: Pipeline, after: Pipeline, weights: dict[str, float], due: Any) -> Bridge:
    _check(before, after)
    pair = before_after(before, after, weights, due)
    steps = _steps(pair)
    table = pd.DataFrame([{"part": part, **_sum(pair, *steps[part])} for part in PARTS])
    table["part"] = pd.Categorical(table["part"], categories=PARTS, ordered=True)
    left_out = len(set(before.deals["deal_id"]) | set(after.deals["deal_id"])) - len(pair)
    return Bridge(
        table, *_read(table, before, after, left_out), model=after.model, picture="bridge_chart", shown=_for_people,
        start=float(table["change"].iloc[0]), unit="money", currency=after.currency or before.currency,
    )  # fmt: skip


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return the levels and the parts that changed something."""
    rows = table[(table["n_deals"] > 0) | table["part"].isin(["opening", "closing"])]
    parts = [label(f"part_of_{part}") for part in rows["part"]]
    return pd.DataFrame({"part": parts, "n_deals": rows["n_deals"], "amount": rows["change"]})


def _check(before: Pipeline, after: Pipeline) -> None:
    for pipeline in (before, after):
        refuse_limits(pipeline, "waterfall", "no_amount")
    currencies = sorted(set(before.deals["currency"].dropna()) | set(after.deals["currency"].dropna()))
    if len(currencies) > 1:
        raise DataError("mixed_currencies", found=", ".join(currencies))
    if after.as_of < before.as_of:
        raise DataError("dates_reversed", before=str(before.as_of.date()), after=str(after.as_of.date()))


def before_after(before: Pipeline, after: Pipeline, weights: Mapping[str, float], due: Any) -> pd.DataFrame:
    """Return one row a deal: status, cents, stage, weight and whether due, on both dates (missing: not there)."""
    sides = [_side(pipeline, weights, due).add_suffix(f"_{at}") for at, pipeline in ((0, before), (1, after))]
    pair = sides[0].join(sides[1], how="outer")
    return pair[pair["status_0"].notna() | pair["timed_1"].eq(True)]


def _side(pipeline: Pipeline, weights: Mapping[str, float], due: Any) -> pd.DataFrame:
    deals = pipeline.deals.set_index("deal_id")
    if not deals.index.is_unique:
        raise DataError("deals_twice", name=str(deals.index[deals.index.duplicated()][0]))
    last = (
        pipeline.events.sort_values("entered_at", kind="stable", na_position="first").groupby("deal_id")["stage"].last()
    )
    stage = last.reindex(deals.index)
    timed = pipeline.events.loc[pipeline.events["entered_at"].notna(), "deal_id"]
    known = [*pipeline.model.stage_ids]
    share = {pipeline.model.stage(name).id: float(weight) for name, weight in weights.items()}
    weight = stage.astype("object").map(lambda name: share.get(name, 0.0 if share else 1.0)).astype(float)
    return pd.DataFrame(
        {
            "status": deals["status"],
            "cents": (deals["amount"].fillna(0) * 100).round().astype("int64"),
            "timed": deals["created_at"].notna() | deals["closed_at"].notna() | deals.index.isin(timed),
            "unvalued": deals["amount"].isna(),
            "place": stage.map({name: at for at, name in enumerate(known)}).astype(float),
            "weight": weight.fillna(0.0 if share else 1.0),
            "due": True if due is None else (deals["expected_close"] <= pd.Timestamp(due)).to_numpy(),
        }
    )


def _steps(pair: pd.DataFrame) -> Steps:
    """Return {part: (mask of deals, cents)}; the cents of all parts but the levels telescope to the change."""
    was, now = pair["status_0"].eq("open"), pair["status_1"].eq("open")
    zero = pd.Series(0, index=pair.index)
    start, end = _level(pair, 0, 0, 0).where(was, zero), _level(pair, 1, 1, 1).where(now, zero)
    stay, new = was & now, pair["status_0"].isna()
    staged, valued = _level(pair, 0, 1, 0), _level(pair, 1, 1, 0)
    moved, revalued, retimed = staged - _level(pair, 0, 0, 0), valued - staged, _level(pair, 1, 1, 1) - valued
    # A deal won is worth what it was won for; until then it changed its amount like any other.
    closed_won = was & pair["status_1"].eq("won")
    upgraded = _level(pair, 1, 0, 0) - start
    left = -(start + upgraded.where(closed_won, zero))
    ahead, back = stay & (pair["place_1"] > pair["place_0"]), stay & (pair["place_1"] < pair["place_0"])
    amount = revalued.where(stay, zero) + upgraded.where(closed_won, zero)
    aside = stay & ~ahead & ~back
    passed = new & pair["status_1"].isin(["won", "lost", "void"])  # created and closed in between: in and out again
    gone = {status: was & pair["status_1"].eq(status) for status in ("won", "lost", "void")}
    quick = {status: passed & pair["status_1"].eq(status) for status in gone}
    through = _level(pair, 1, 1, 1).where(passed, zero)
    return {
        "opening": (was & pair["due_0"].eq(True), start),
        "created": (new, end.where(new, zero) + through),
        "reopened": (now & ~was & ~new, end.where(now & ~was & ~new, zero)),
        "advanced": (ahead, (moved).where(ahead, zero)),
        "moved_back": (back, moved.where(back | aside, zero)),
        "amount_up": (amount > 0, amount.clip(lower=0)),
        "amount_down": (amount < 0, amount.clip(upper=0)),
        "pulled_in": (stay & (retimed > 0), retimed.where(stay, zero).clip(lower=0)),
        "pushed": (stay & (retimed < 0), retimed.where(stay, zero).clip(upper=0)),
        **{status: (gone[status] | quick[status], left.where(gone[status], zero) - through.where(quick[status], zero))
           for status in gone},
        "removed": (was & pair["status_1"].isna(), -start.where(pair["status_1"].isna(), zero)),
        "closing": (now & pair["due_1"].eq(True), end),
    }  # fmt: skip


def _level(pair: pd.DataFrame, cents: int, weight: int, due: int) -> Any:
    """Return the counted cents of each deal with amount, weight and due date of the given sides."""
    amount = pair[f"cents_{cents}"].astype(float) * pair[f"weight_{weight}"]
    return amount.where(pair[f"due_{due}"].eq(True), 0.0).fillna(0.0).round().astype("int64")


def _sum(pair: pd.DataFrame, mask: Any, cents: Any) -> dict[str, Any]:
    unvalued = pair["unvalued_0"].eq(True) | pair["unvalued_1"].eq(True)
    return {"n_deals": int(mask.sum()), "change": int(cents.sum()) / 100, "n_unvalued": int((mask & unvalued).sum())}


def _read(
    table: pd.DataFrame, before: Pipeline, after: Pipeline, left_out: int
) -> tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]:
    """Return (key, values, notes)."""
    by_part = table.set_index("part")
    currency = after.currency or before.currency
    values: dict[str, Any] = {part: both(partial(money, by_part.loc[part, "change"], currency)) for part in PARTS}
    values |= {f"n_{part}": number(by_part.loc[part, "n_deals"]) for part in PARTS}
    values |= {"start": both(lambda: day(before.as_of)), "end": both(lambda: day(after.as_of))}
    notes: list[tuple[str, dict[str, Any]]] = [("analysis.change.waterfall_moves", values)]
    if by_part.loc[["reopened", "amount_up", "amount_down", "pushed"], "n_deals"].sum() == 0:
        notes.append(("analysis.change.waterfall_one_export", {}))
    if left_out:
        notes.append(("analysis.time.left_out", {"n": number(left_out)}))
    unvalued = int(by_part.loc["closing", "n_unvalued"])
    if unvalued:
        notes.append(("analysis.change.waterfall_unvalued", {"n": number(unvalued)}))
    return "analysis.change.waterfall", values, tuple(notes)
