"""Losses: what is lost at each link, within our reach and beyond it; and disconnections against additions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.count import furthest_stage, lost_nowhere, stage_counts
from funnelkit.analysis.shared import insight, require_columns
from funnelkit.language import DataError, Text, number, percent, points, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import FEW, WIN_LIMITS, Insight, Result, both, refuse_limits, table_of
from funnelkit.stats import leaders, rate_columns, wilson

Reading = tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]
_COLUMNS = (
    "link", "n", "n_lost", "lost", "low", "high", "n_within", "within", "within_low", "within_high",
    "n_beyond", "beyond", "beyond_low", "beyond_high", "main_reason", "regained",
)  # fmt: skip
# Invented: avoidable share lost, unavoidable share lost, a reason and a kind for each (keys of analysis.invented). Who
# is lost before the purchase did not convert; after it customers switch network or are gone.
_LINKS = (
    ("aware", 0.05, 0.40, "no_leaflet", "no_need", "not_converted", "not_converted"),
    ("interested", 0.08, 0.15, "offer_unclear", "content_with_rival", "not_converted", "not_converted"),
    ("apply", 0.04, 0.06, "form_too_long", "moves_away", "not_converted", "not_converted"),
    ("install", 0.22, 0.05, "installed_too_late", "no_line", "not_converted", "not_converted"),
    ("first_bill", 0.10, 0.02, "bill_not_understood", "shop_closed", "switched", "lost"),
    ("second_year", 0.09, 0.07, "faults_not_mended", "only_mobile", "switched", "lost"),
)
ALARM = 0.2  # disconnections above this share of additions


def split_losses(losses: Result | pd.DataFrame) -> Result:
    """Split the loss at each link of a chain into what is within our reach and what is beyond it.

    Parameters
    ----------
    losses : Result or DataFrame
        One row a link and reason, links in order: link, n (who came to the link), reason, n_lost, within (True where we
        could change it), such as `stage_losses` gives.

    Returns
    -------
    Result
        Table: link, n, n_lost, lost with low, high (share of n), n_within, within, within_low, within_high, n_beyond,
        beyond, beyond_low, beyond_high (Wilson; within + beyond = lost), main_reason (largest within reach), regained.

    Raises
    ------
    DataError
        For missing columns, more losses than people, different n for one link.

    Notes
    -----
    `regained` is how many more would come out at the end if the loss within reach stopped at this link alone and later
    links kept their rates. The bottleneck is the link that would regain most.

    Examples
    --------
    >>> losses = pd.DataFrame({"link": ["offer", "offer", "order"], "n": [100, 100, 60], "n_lost": [10, 30, 30],
    ...                        "reason": ["slow reply", "no line there", "bill errors"], "within": [True, False, True]})
    >>> split_losses(losses).table[["link", "lost", "within", "beyond", "regained"]].values.tolist()
    [['offer', 0.4, 0.1, 0.3, 5.0], ['order', 0.5, 0.5, 0.0, 30.0]]
    """
    return _split(table_of(losses), losses.model if isinstance(losses, Result) else None)


def _split(losses: pd.DataFrame, model: Funnel | None) -> Result:
    _check(losses)
    links = losses["link"].drop_duplicates().tolist()
    groups = [losses[losses["link"] == link] for link in links]
    rows, reasons = [_link_row(*pair) for pair in zip(links, groups, strict=True)], [*map(_main_reasons, groups)]
    table = pd.DataFrame(rows, columns=["link", "n", "n_lost", "n_within", "n_beyond"])
    table["main_reason"] = [" / ".join(map(str, found)) or None for found in reasons]
    for name, count in (("lost", "n_lost"), ("within", "n_within"), ("beyond", "n_beyond")):
        found = rate_columns(table[count], table["n"])
        ends = ("low", "high") if name == "lost" else (f"{name}_low", f"{name}_high")
        table = table.assign(**{name: found["rate"], ends[0]: found["low"], ends[1]: found["high"]})
    kept = (1 - table["lost"]).fillna(0.0).to_numpy()
    table["regained"] = table["n_within"] * np.append(np.cumprod(kept[:0:-1])[::-1], 1.0)
    table = table[list(_COLUMNS)]
    key, values, notes = _read_losses(table, reasons, model)
    findings: tuple[Insight, ...] = ()
    if "regained" in values:
        row = table.loc[table["regained"].idxmax()]
        findings = (insight("bottleneck", row["link"], key, values, n_deals=round(row["regained"])),)
    shown = partial(_losses_for_people, model)
    return Result(table, key, values, notes, model=model, picture="loss_chart", shown=shown, findings=findings)


def _losses_for_people(model: Funnel | None, table: pd.DataFrame) -> pd.DataFrame:
    rows = table.to_dict("records")
    shares = {f"share_{name}": [_with_interval(row, name) for row in rows] for name in ("within", "beyond")}
    links = [str(_link_name(row["link"], model)) for row in rows]
    rest = {**shares, "main_reason": table["main_reason"], "regained": table["regained"].round()}
    return pd.DataFrame({"link": links, "n": table["n"], "n_lost": table["n_lost"], **rest})


def _with_interval(row: dict[str, Any], name: str) -> str:
    low, high = (percent(row[f"{name}_{end}"]).removesuffix("%") for end in ("low", "high"))
    return f"{percent(row[name])} [{low}, {high}]"


def _link_name(link: Any, model: Funnel | None) -> Text | str:
    return model.stage(link).name if model is not None and link in model.stage_ids else str(link)


def _check(losses: pd.DataFrame) -> None:
    require_columns(losses, ("link", "n", "reason", "n_lost", "within"))
    for link, group in losses.groupby("link", sort=False):
        if group["n"].nunique() != 1:
            raise DataError("link_n_differs", link=str(link), found=", ".join(map(str, group["n"].unique())))
        if (group["n_lost"] < 0).any() or group["n_lost"].sum() > group["n"].iloc[0]:
            raise DataError(
                "link_loses_more", link=str(link), lost=int(group["n_lost"].sum()), n=int(group["n"].iloc[0])
            )


def _link_row(link: Any, group: pd.DataFrame) -> dict[str, Any]:
    within = group[group["within"].astype(bool)]
    lost, near = int(group["n_lost"].sum()), int(within["n_lost"].sum())
    n = int(group["n"].iloc[0])
    return {"link": link, "n": n, "n_lost": lost, "n_within": near, "n_beyond": lost - near}


def _main_reasons(group: pd.DataFrame) -> list[Any]:
    """Return the reasons within reach that most were lost for: several where they tie, none where nobody was."""
    within = group[group["within"].astype(bool) & (group["n_lost"] > 0)]
    reasons: list[Any] = within["reason"].iloc[leaders(within["n_lost"].to_numpy())].tolist()
    return reasons


def _read_losses(table: pd.DataFrame, reasons: list[list[Any]], model: Funnel | None) -> Reading:
    if not table["n_within"].sum():
        return "analysis.losses.none_within", {"n": number(table["n_lost"].sum())}, ()
    first, *others = leaders(table["regained"].to_numpy())
    most = leaders(table["lost"].to_numpy())
    row, names = table.iloc[first], [_link_name(link, model) for link in table["link"]]
    values = {
        "link": _link_name(row["link"], model), "n": number(row["n"]), "lost": percent(row["lost"]),
        "within": percent(row["within"]),
        "low": percent(row["within_low"]).removesuffix("%"), "high": percent(row["within_high"]).removesuffix("%"),
        "beyond": percent(row["beyond"]), "reason": reasons[first], "regained": number(row["regained"]),
    }  # fmt: skip
    notes: list[tuple[str, dict[str, Any]]] = []
    if others:
        notes.append(("analysis.losses.as_much_elsewhere", {"links": [names[place] for place in others]}))
    largest = table.iloc[most[0]]
    said = {"links": [names[place] for place in most], "lost": percent(largest["lost"])}
    if len(most) > 1:
        notes.append(("analysis.losses.largest_elsewhere_tied", said))
    elif most != [first]:
        said |= {"link": names[most[0]], "beyond": percent(largest["beyond"])}
        notes.append(("analysis.losses.largest_elsewhere", said))
    return "analysis.losses.bottleneck", values, tuple(notes)


def stage_losses(pipeline: Pipeline, within: Iterable[str]) -> Result:
    """List the losses of a pipeline by stage and reason, as `split_losses` takes them.

    Parameters
    ----------
    pipeline : Pipeline
    within : iterable of str
        The lost reasons that we could have changed.

    Returns
    -------
    Result
        Table: link (stage), n (deals whose fate in the stage is known), reason, n_lost, within.

    Raises
    ------
    LimitError
        Where the stage of the loss or outcomes are missing.

    Notes
    -----
    A deal lost without a reason has reason "unknown", beyond reach as long as nobody knows.

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300)
    >>> found = stage_losses(read(made.deals, made.events, model=made.model, as_of=made.as_of), ["Price"])
    >>> found.table["n_lost"].sum() == (made.deals["status"] == "lost").sum()
    np.True_
    """
    refuse_limits(pipeline, "split_losses", *WIN_LIMITS)
    if lost_nowhere(pipeline).sum() > FEW * (pipeline.deals["status"] == "lost").sum():
        refuse_limits(pipeline, "split_losses", "stage_of_loss_unknown")
    table = _loss_rows(pipeline, list(within))
    n = {"n": number(table["n_lost"].sum()), "within": number(table.loc[table["within"], "n_lost"].sum())}
    return Result(table, "analysis.losses.listed", n, model=pipeline.model, shown=partial(_named, pipeline.model))


def _named(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(link=[str(_link_name(link, model)) for link in table["link"]])


def _loss_rows(pipeline: Pipeline, within: list[str]) -> pd.DataFrame:
    counts = stage_counts(pipeline)
    n = dict(zip(counts["stage"].astype("str"), counts["n_advanced"] + counts["n_lost"], strict=True))
    lost = (pipeline.deals["status"] == "lost") & ~lost_nowhere(pipeline)
    stage = np.array(pipeline.model.stage_ids)[furthest_stage(pipeline)[lost].to_numpy()]
    reason = pipeline.deals.loc[lost, "lost_reason"].fillna("unknown").to_numpy()
    found = pd.DataFrame({"link": stage, "reason": reason}).value_counts().rename("n_lost").reset_index()
    found["n"], found["within"] = found["link"].map(n), found["reason"].isin(within)
    order = {name: at for at, name in enumerate(pipeline.model.stage_ids)}
    found = found.sort_values(["link", "n_lost"], key=lambda part: part.map(order) if part.name == "link" else -part)
    return found[["link", "n", "reason", "n_lost", "within"]].reset_index(drop=True)


def churn_ratio(periods: Result | pd.DataFrame, alarm: float = ALARM) -> Result:
    """Set disconnections against additions, period by period, with growth and what is left.

    Parameters
    ----------
    periods : Result or DataFrame
        One row a period, in order: period, additions, disconnections.
    alarm : float
        Share of additions above which disconnections give alarm.

    Returns
    -------
    Result
        Table: period, additions, disconnections, net (additions less disconnections), ratio with low, high
        (disconnections over additions), growth with growth_low, growth_high (additions over those of the period
        before, less 1), alarm (the ratio is surely above `alarm`).

    Raises
    ------
    DataError
        For missing columns.

    Notes
    -----
    Both are Poisson counts: Wilson's interval of their share, turned into odds.

    Examples
    --------
    >>> years = pd.DataFrame({"period": [2004, 2005], "additions": [40_000, 41_000], "disconnections": [5097, 9702]})
    >>> churn_ratio(years).table[["period", "net", "ratio", "alarm"]].round(3).values.tolist()
    [[2004, 34903, 0.127, False], [2005, 31298, 0.237, True]]
    """
    return _churn(table_of(periods), alarm)


def _churn(table: pd.DataFrame, alarm: float) -> Result:
    require_columns(table, ("period", "additions", "disconnections"))
    added, gone = (table[name].to_numpy(dtype=float) for name in ("additions", "disconnections"))
    ratio, low, high = _odds(gone, added)
    growth, growth_low, growth_high = (part - 1 for part in _odds(added[1:], added[:-1]))
    table = table[["period", "additions", "disconnections"]].assign(net=table["additions"] - table["disconnections"])
    table = table.assign(ratio=ratio, low=low, high=high, alarm=low > alarm)
    for name, part in (("growth", growth), ("growth_low", growth_low), ("growth_high", growth_high)):
        table[name] = np.append(np.nan, part)
    found = tuple(
        insight(
            "churn_alarm",
            row["period"],
            "analysis.losses.alarm",
            _churn_words(row, alarm),
            n_deals=int(row["disconnections"]),
            found=float(row["ratio"]),
            usual=alarm,
        )
        for _, row in table[table["alarm"]].iterrows()
    )
    return Result(table, *_read_churn(table, alarm), shown=_churn_for_people, findings=found)


def _churn_for_people(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.to_dict("records")
    ratios = [_with_interval({**row, "ratio_low": row["low"], "ratio_high": row["high"]}, "ratio") for row in rows]
    growths = ["–" if pd.isna(row["growth"]) else _with_interval(row, "growth") for row in rows]
    shown = pd.DataFrame({"period_now": table["period"].astype("str")})
    kept = shown.join(table[["additions", "disconnections", "net"]])
    return kept.assign(share_ratio=ratios, share_growth=growths, alarm=table["alarm"])


def _odds(part: NDArray[np.float64], whole: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the ratio of two Poisson counts with the ends that Wilson's interval of part / (part + whole) gives."""
    low, high = wilson(part, part + whole)
    with np.errstate(invalid="ignore", divide="ignore"):
        return tuple(np.where(whole > 0, odds, np.nan) for odds in (part / whole, low / (1 - low), high / (1 - high)))


def _churn_words(row: pd.Series[Any], alarm: float) -> dict[str, Any]:
    ends = {end: percent(row[end]).removesuffix("%") for end in ("low", "high")}
    period = str(row["period"])
    named = Text(period, f"{period} 年" if re.fullmatch(r"\d{4}", period) else f"{period} ")
    values: dict[str, Any] = {"period": named, "ratio": percent(row["ratio"]), **ends}
    return values | {"alarm": percent(alarm, 0), "net": number(row["net"])}


def _read_churn(table: pd.DataFrame, alarm: float) -> Reading:
    last = table.iloc[-1]
    key = f"analysis.losses.{'alarm' if last['alarm'] else 'calm'}"
    if pd.isna(last["growth"]):
        return key, _churn_words(last, alarm), ()
    moved = "up" if last["growth_low"] > 0 else "down" if last["growth_high"] < 0 else "flat"
    grown = {name.removeprefix("growth_"): points(last[name]) for name in ("growth", "growth_low", "growth_high")}
    side = both(lambda: say(f"analysis.losses.{moved}"))
    return key, _churn_words(last, alarm), (("analysis.losses.additions", {"side": side, **grown}),)


def synthesize_losses(rng: np.random.Generator, n: int = 20_000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Invent the chain of a telephone company's links, to practise on: nothing in it is real.

    Parameters
    ----------
    rng : numpy Generator
    n : int
        Target customers at the first link.

    Returns
    -------
    losses : DataFrame
        What `split_losses` takes, with loss_kind and synthetic = True, in words of the language in force.
    truth : DataFrame
        One row a link: link, within, beyond (the shares that generated the losses), reason and kind of each.

    Raises
    ------
    ValueError
        Where `n` is below 0.

    Notes
    -----
    Those who come to a link are lost there, or go on, by a multinomial draw. "install" would regain most.

    Examples
    --------
    >>> losses, _ = synthesize_losses(np.random.default_rng(7), 1_000)
    >>> losses["reason"].head(2).tolist()
    ['no leaflet', 'no need for a line']
    """
    words = [[part if isinstance(part, float) else say(f"analysis.invented.{part}") for part in row] for row in _LINKS]
    columns = ["link", "within", "beyond", "reason_within", "reason_beyond", "kind_within", "kind_beyond"]
    truth = pd.DataFrame(words, columns=columns)
    return _drawn_losses(rng, n, truth).assign(synthetic=True), truth


def _drawn_losses(rng: np.random.Generator, n: int, truth: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for link, near, far, *words in truth.itertuples(index=False):
        *lost, left = rng.multinomial(n, [near, far, 1 - near - far])
        rows += [(link, n, words[2 + at], words[at], int(lost[at]), at == 0) for at in (0, 1)]
        n = int(left)
    return pd.DataFrame(rows, columns=["link", "n", "loss_kind", "reason", "n_lost", "within"])
