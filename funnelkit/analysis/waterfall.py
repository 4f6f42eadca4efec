"""Bridge: from the open pipeline of one date to that of another, every step counted and balanced to the cent."""

import pandas as pd

from funnelkit.language import DataError, number
from funnelkit.result import Result, refuse_limits

PARTS = (
    "opening", "created", "reopened", "advanced", "moved_back", "amount_up", "amount_down", "pulled_in", "pushed",
    "won", "lost", "void", "removed", "closing",
)  # fmt: skip


def waterfall(before, after, *, weights=None, due=None):
    """Explain how the open pipeline went from `before` to `after`, two Pipelines of two dates, part by part.

    Give two exports, or one pipeline twice: `waterfall(pipeline.at(date), pipeline)`; a single export holds no earlier
    amounts, expected closes or reopenings, so those parts are then 0. `weights` maps stages to the share of the amount
    that counts there (1 without it); `due` counts only deals expected to close by that date, so that a deal pushed
    beyond it leaves. The table has part (opening, created, reopened, advanced, moved_back, amount_up, amount_down,
    pulled_in, pushed, won, lost, void, removed (no longer in the data), closing), n_deals (touched; those with two
    changes count in both parts), change (what it adds to the open pipeline, in its currency; the level for opening and
    closing) and n_unvalued (without an amount, counted as 0). Opening plus all changes is closing to the cent, for
    each step of each deal is rounded to cents. Deals without any date that only
    `after` holds are left out. Raises DataError on mixed currencies or dates in the wrong order, LimitError without
    amounts.

    >>> from funnelkit.reading import read
    >>> table = pd.DataFrame({"id": ["a", "b"], "stage": ["Lead", "Won"], "amount": [10.5, 7],
    ...                       "created_at": ["2026-01-05", "2026-01-02"], "closed_at": [None, "2026-01-07"]})
    >>> pipeline = read(table, stages=["Lead", "Won"], as_of="2026-01-09")
    >>> found = waterfall(pipeline.at("2026-01-03"), pipeline).table
    >>> found.loc[found["n_deals"] > 0, ["part", "n_deals", "change"]].values.tolist()
    [['opening', 1, 7.0], ['created', 1, 10.5], ['won', 1, -7.0], ['closing', 1, 10.5]]
    """
    _check(before, after)
    pair = before_after(before, after, weights or {}, due)
    steps = _steps(pair)
    rows = [{"part": part, **_sum(pair, *steps[part])} for part in PARTS]
    table = pd.DataFrame(rows)
    table["part"] = pd.Categorical(table["part"], categories=PARTS, ordered=True)
    left_out = len(set(before.deals["deal_id"]) | set(after.deals["deal_id"])) - len(pair)
    return Result(table, *_read(table, before, after, left_out))


def _check(before, after):
    for pipeline in (before, after):
        refuse_limits(pipeline, "waterfall", "no_amount")
    currencies = sorted(set(before.deals["currency"].dropna()) | set(after.deals["currency"].dropna()))
    if len(currencies) > 1:
        raise DataError("mixed_currencies", found=", ".join(currencies))
    if after.as_of < before.as_of:
        raise DataError("dates_reversed", before=str(before.as_of.date()), after=str(after.as_of.date()))


def before_after(before, after, weights, due):
    """Return one row a deal: status, cents, stage, weight and whether due, on both dates (missing: not there)."""
    sides = [_side(pipeline, weights, due).add_suffix(f"_{at}") for at, pipeline in ((0, before), (1, after))]
    pair = sides[0].join(sides[1], how="outer")
    return pair[pair["status_0"].notna() | pair["timed_1"].eq(True)]


def _side(pipeline, weights, due):
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


def _steps(pair):
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


def _level(pair, cents, weight, due):
    """Return the counted cents of each deal with amount, weight and due date of the given sides."""
    amount = pair[f"cents_{cents}"].astype(float) * pair[f"weight_{weight}"]
    return amount.where(pair[f"due_{due}"].eq(True), 0.0).fillna(0.0).round().astype("int64")


def _sum(pair, mask, cents):
    unvalued = pair["unvalued_0"].eq(True) | pair["unvalued_1"].eq(True)
    return {"n_deals": int(mask.sum()), "change": int(cents.sum()) / 100, "n_unvalued": int((mask & unvalued).sum())}


def _read(table, before, after, left_out):
    """Return (key, values, notes)."""
    by_part = table.set_index("part")
    values = {part: number(by_part.loc[part, "change"], 2) for part in PARTS}
    values |= {f"n_{part}": number(by_part.loc[part, "n_deals"]) for part in PARTS}
    values |= {"start": str(before.as_of.date()), "end": str(after.as_of.date())}
    notes = [("analysis.change.waterfall_moves", values)]
    if by_part.loc[["reopened", "amount_up", "amount_down", "pushed"], "n_deals"].sum() == 0:
        notes.append(("analysis.change.waterfall_one_export", {}))
    if left_out:
        notes.append(("analysis.time.left_out", {"n": number(left_out)}))
    unvalued = int(by_part.loc["closing", "n_unvalued"])
    if unvalued:
        notes.append(("analysis.change.waterfall_unvalued", {"n": number(unvalued)}))
    return "analysis.change.waterfall", values, tuple(notes)
