"""Leaks: what is lost at each link, within our reach and beyond it; and disconnections against additions."""

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest, number, percent, points, say
from funnelkit.result import Result, both, refuse_limits
from funnelkit.stats import rate_columns, wilson

# Invented: share lost within our reach, share lost beyond it, and a reason for each.
_LINKS = (
    ("aware", 0.05, 0.40, "no leaflet", "no need for a line"),
    ("interested", 0.08, 0.15, "offer unclear", "content with the rival"),
    ("apply", 0.04, 0.06, "form too long", "moves away"),
    ("install", 0.22, 0.05, "installed too late", "no line in the street"),
    ("first-bill", 0.10, 0.02, "bill not understood", "shop closed"),
    ("second-year", 0.09, 0.07, "faults not mended", "only a mobile now"),
)
ALARM = 0.2  # disconnections above this share of additions


def split_losses(losses):
    """Split the loss at each link of a chain into what is within our reach and what is beyond it.

    Takes link, n (who came to the link), reason, n_lost, within (True where we could change it), one row a link and
    reason, links in order. The table has link, n, n_lost, lost with low, high (share of n), n_within, within,
    within_low, within_high, n_beyond, beyond, beyond_low, beyond_high (Wilson; within + beyond = lost), main_reason
    (largest within reach) and regained: how many more would come out at the end if the loss within reach stopped at
    this link alone and later links kept their rates. The reading names the bottleneck, the link that would regain most.
    Raises DataError on missing columns, on more losses than people, on different n for one link.

    >>> losses = pd.DataFrame({"link": ["offer", "offer", "order"], "n": [100, 100, 60], "n_lost": [10, 30, 30],
    ...                        "reason": ["slow reply", "no line there", "bill errors"], "within": [True, False, True]})
    >>> split_losses(losses).table[["link", "lost", "within", "beyond", "regained"]].values.tolist()
    [['offer', 0.4, 0.1, 0.3, 5.0], ['order', 0.5, 0.5, 0.0, 30.0]]
    """
    _check(losses)
    links = losses["link"].drop_duplicates().tolist()
    rows = [_link_row(link, losses[losses["link"] == link]) for link in links]
    table = pd.DataFrame(rows)
    for name, column in (("lost", "n_lost"), ("within", "n_within"), ("beyond", "n_beyond")):
        found = rate_columns(table[column], table["n"])
        ends = ("low", "high") if name == "lost" else (f"{name}_low", f"{name}_high")
        table = table.assign(**{name: found["rate"], ends[0]: found["low"], ends[1]: found["high"]})
    kept = (1 - table["lost"]).fillna(0.0).to_numpy()
    table["regained"] = table["n_within"] * np.append(np.cumprod(kept[:0:-1])[::-1], 1.0)
    columns = [
        "link",
        "n",
        "n_lost",
        "lost",
        "low",
        "high",
        "n_within",
        "within",
        "within_low",
        "within_high",
        "n_beyond",
    ]
    table = table[[*columns, "beyond", "beyond_low", "beyond_high", "main_reason", "regained"]]
    return Result(table, *_read_losses(table))


def _check(losses):
    for name in ("link", "n", "reason", "n_lost", "within"):
        if name not in losses.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, losses.columns))
    for link, group in losses.groupby("link", sort=False):
        if group["n"].nunique() != 1:
            raise DataError("link_n_differs", link=str(link), found=", ".join(map(str, group["n"].unique())))
        if (group["n_lost"] < 0).any() or group["n_lost"].sum() > group["n"].iloc[0]:
            raise DataError(
                "link_loses_more", link=str(link), lost=int(group["n_lost"].sum()), n=int(group["n"].iloc[0])
            )


def _link_row(link, group):
    within = group[group["within"].astype(bool)]
    main = within.loc[within["n_lost"].idxmax(), "reason"] if len(within) and within["n_lost"].sum() else None
    lost, near = int(group["n_lost"].sum()), int(within["n_lost"].sum())
    n = int(group["n"].iloc[0])
    return {"link": link, "n": n, "n_lost": lost, "n_within": near, "n_beyond": lost - near, "main_reason": main}


def _read_losses(table):
    if not table["n_within"].sum():
        return "analysis.losses.none_within", {"n": number(table["n_lost"].sum())}
    row = table.loc[table["regained"].idxmax()]
    most = table.loc[table["lost"].idxmax()]
    values = {
        "link": row["link"], "n": number(row["n"]), "lost": percent(row["lost"]), "within": percent(row["within"]),
        "low": percent(row["within_low"]).removesuffix("%"), "high": percent(row["within_high"]).removesuffix("%"),
        "beyond": percent(row["beyond"]), "reason": row["main_reason"], "regained": number(row["regained"]),
    }  # fmt: skip
    other = {"link": most["link"], "lost": percent(most["lost"]), "beyond": percent(most["beyond"])}
    notes = (("analysis.losses.largest_elsewhere", other),) if most["link"] != row["link"] else ()
    return "analysis.losses.bottleneck", values, notes


def stage_losses(pipeline, within):
    """Return the losses of a pipeline as `split_losses` takes them: link (stage), n, reason, n_lost, within.

    `within` names the lost reasons that we could have changed. A deal lost without a reason has reason "unknown",
    beyond reach as long as nobody knows. n counts the deals whose fate in the stage is known. Raises LimitError where
    the stage of the loss or outcomes are missing.
    """
    from funnelkit.analysis.count import count_stages, furthest_stage

    refuse_limits(pipeline, "split_losses", "no_outcome", "no_lost_deals")
    counts = count_stages(pipeline).table
    n = dict(zip(counts["stage"].astype("str"), counts["n_advanced"] + counts["n_lost"], strict=True))
    lost = pipeline.deals["status"] == "lost"
    stage = np.array(pipeline.model.stage_ids)[furthest_stage(pipeline)[lost].to_numpy()]
    reason = pipeline.deals.loc[lost, "lost_reason"].fillna("unknown").to_numpy()
    found = pd.DataFrame({"link": stage, "reason": reason}).value_counts().rename("n_lost").reset_index()
    found["n"], found["within"] = found["link"].map(n), found["reason"].isin(list(within))
    order = {name: at for at, name in enumerate(pipeline.model.stage_ids)}
    found = found.sort_values(["link", "n_lost"], key=lambda part: part.map(order) if part.name == "link" else -part)
    return found[["link", "n", "reason", "n_lost", "within"]].reset_index(drop=True)


def churn_ratio(table, alarm=ALARM):
    """Return disconnections for each addition, period by period, with growth and what is left.

    Takes period, additions, disconnections, in order. The table has these, net (additions less disconnections), ratio
    with low, high (disconnections over additions; both Poisson counts, Wilson's interval of their share turned into
    odds), growth with growth_low, growth_high (additions over those of the period before, less 1) and alarm (the ratio
    is surely above `alarm`). Raises DataError on missing columns.

    >>> years = pd.DataFrame({"period": [2004, 2005], "additions": [40_000, 41_000], "disconnections": [5097, 9702]})
    >>> churn_ratio(years).table[["period", "net", "ratio", "alarm"]].round(3).values.tolist()
    [[2004, 34903, 0.127, False], [2005, 31298, 0.237, True]]
    """
    for name in ("period", "additions", "disconnections"):
        if name not in table.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))
    added, gone = (table[name].to_numpy(dtype=float) for name in ("additions", "disconnections"))
    ratio, low, high = _odds(gone, added)
    growth, growth_low, growth_high = (part - 1 for part in _odds(added[1:], added[:-1]))
    table = table[["period", "additions", "disconnections"]].assign(net=table["additions"] - table["disconnections"])
    table = table.assign(ratio=ratio, low=low, high=high, alarm=low > alarm)
    for name, part in (("growth", growth), ("growth_low", growth_low), ("growth_high", growth_high)):
        table[name] = np.append(np.nan, part)
    return Result(table, *_read_churn(table, alarm))


def _odds(part, whole):
    """Return the ratio of two Poisson counts with the ends that Wilson's interval of part / (part + whole) gives."""
    low, high = wilson(part, part + whole)
    with np.errstate(invalid="ignore", divide="ignore"):
        return tuple(np.where(whole > 0, odds, np.nan) for odds in (part / whole, low / (1 - low), high / (1 - high)))


def _read_churn(table, alarm):
    last = table.iloc[-1]
    ends = {end: percent(last[end]).removesuffix("%") for end in ("low", "high")}
    values = {"period": str(last["period"]), "ratio": percent(last["ratio"]), **ends}
    values |= {"alarm": percent(alarm, 0), "net": number(last["net"])}
    notes = ()
    if pd.notna(last["growth"]):
        moved = "up" if last["growth_low"] > 0 else "down" if last["growth_high"] < 0 else "flat"
        side = both(lambda: say(f"analysis.losses.{moved}"))
        notes = (("analysis.losses.additions", {"side": side, "growth": points(last["growth"]), "low": points(last["growth_low"]),
                                     "high": points(last["growth_high"])}),)  # fmt: skip
    return f"analysis.losses.{'alarm' if last['alarm'] else 'calm'}", values, notes


def synthesize_losses(rng, n=20_000):
    """Return (losses, truth): an invented chain of a telephone company's links, to practise on; nothing in it is real.

    `losses` is what `split_losses` takes, with synthetic = True in every row; `truth` has link, within, beyond: the
    shares that generated it, and their reasons. The bottleneck is "install".
    """
    truth = pd.DataFrame(_LINKS, columns=["link", "within", "beyond", "reason_within", "reason_beyond"])
    rows = []
    for link, near, far, *reasons in truth.itertuples(index=False):
        *lost, left = rng.multinomial(n, [near, far, 1 - near - far])
        rows += [(link, n, reasons[at], int(lost[at]), at == 0) for at in (0, 1)]
        n = int(left)
    losses = pd.DataFrame(rows, columns=["link", "n", "reason", "n_lost", "within"])
    return losses.assign(synthetic=True), truth
