"""The analyses as the report shows them: sentences, a short table, and a first page that sums them up."""

import re
from dataclasses import replace

import pandas as pd

from funnelkit.charts import backtest_chart, bridge_chart, compare_chart, control_chart, forecast_chart
from funnelkit.language import (
    FunnelkitError,
    Shown,
    bullets,
    label,
    note,
    number,
    percent,
    points,
    rate_text,
    raw,
    say,
    show,
)
from funnelkit.stats import rate_columns

LATEST_PERIODS, MOST_DEALS = 13, 20


# What the first page says of each analysis: the sentence that answers its question, where it found an answer.
SUMMARISED = {
    "comparison": 1, "signal": 0, "change": 0, "bottleneck": 2, "stays": 0, "stuck": 0, "forecast": 0, "backtest": 0,
    "health": 0, "target": 0, "people": 0,
}  # fmt: skip


def summary(found, pipeline):
    """Return the first page: one sentence for each question, in the order of the report."""
    lines = []
    for name, place in SUMMARISED.items():
        result = found.get(name)
        if result is not None and not isinstance(result, FunnelkitError):
            answers = result.sentences()
            ask, answer = say(f"report.report.ask_{name}"), answers[min(place, len(answers) - 1)]
            lines.append(say("report.report.answer", ask=ask, answer=answer))
    if not lines:
        return note(say("report.report.no_summary"), "warn")
    shown = bullets(lines, "good")
    return Shown(shown.html, shown.text, {"summary": lines})


def explain(found, name):
    """Return what an analysis says, or why the source cannot support it; a reason that stands just above, only once."""
    result, above = found[name], found.get(_ABOVE.get(name))
    if not isinstance(result, FunnelkitError):
        return bullets(result.sentences())
    reason = result.say()
    if isinstance(above, FunnelkitError) and above.say() == reason:
        return None
    return note(reason[0].upper() + reason[1:] if _PLAIN.match(reason) else reason)


_ABOVE = {"cycle": "stays", "backtest": "forecast", "target": "health"}  # the other analysis of the same section
_PLAIN = re.compile(r"[a-z]+ ")  # a reason that begins with a word, not with the name of a file


def table(found, name, pipeline):
    """Return an analysis's short table; nothing where there is no analysis to show.

    What is exported are the same rows with their numbers: rates as fractions, stages by id and by name.
    """
    result = found[name]
    if isinstance(result, FunnelkitError):
        return None
    rows = _ROWS[name](result.table) if name in _ROWS else result.table
    if rows.empty:
        return None
    shown = show(_TABLES[name](rows, pipeline.model), model=pipeline.model)
    return replace(shown, table=raw(_exported(rows, name, pipeline.model)))


def _exported(rows, name, model):
    """Return the columns of an analysis that are exported, the stage's name beside its id."""
    wanted = _EXPORTED[name].split()
    if name == "people":
        wanted = [rows.columns[0], *wanted]
    rows = rows[[column for column in wanted if column in rows]].copy()
    if "stage" in rows:
        names = [None if pd.isna(stage) else _stage(stage, model) for stage in rows["stage"]]
        rows.insert(rows.columns.get_loc("stage") + 1, "stage_name", names)
    if name == "backtest":  # deals are counted: whole numbers
        counted = rows["measure"] == "n_won"
        actual = [int(n) if whole else n for n, whole in zip(rows["actual"], counted, strict=True)]
        rows["actual"] = pd.Series(actual, index=rows.index, dtype=object)
        rows["in_80"] = rows["in_80"].astype(bool)
    return rows


def picture(found, name, pipeline):
    """Return an analysis's chart; nothing where there is no analysis to show."""
    result = found[name]
    return None if isinstance(result, FunnelkitError) else _PICTURES[name](result, pipeline.model)


def _comparison_picture(result, model):
    compared = result.table[result.table["status"] == "compared"]
    return compare_chart(compared, model) if len(compared) else None


def _change_picture(result, model):
    names = {"mix": label("mix"), "rate": label("win_rate")}
    parts = result.table.assign(name=result.table["part"].map(names), change_low=result.table["low"])
    return bridge_chart(parts.assign(change_high=parts["high"]), _rate_before(result))


def _rate_before(result):
    """Return the rate that the change started from: the segments' rates, weighted by their shares."""
    return float((result.segments["share_before"] * result.segments["rate_before"]).sum())


def _signal_picture(result, model):
    return control_chart(result.table[result.table["n"] > 0].tail(2 * LATEST_PERIODS))


def _forecast_picture(result, model):
    return forecast_chart(result)


def _backtest_picture(result, model):
    return backtest_chart(result.table)


def _stage(value, model):
    return str(model.stage(value).name) if value in model.stage_ids else say("report.report.overall")


def _frame(rows):
    return pd.DataFrame(rows)


def _comparison(table, model):
    return _frame(
        {
            "against": label(row["against"]), "stage": _stage(row["stage"], model),
            "rate_now": rate_text(row),
            "rate_then": rate_text(_rated(row["k_before"], row["n_before"])),
            "change_points": _points_text(row),
            "clear": say(f"language.present.{str(bool(row['clear'])).lower()}"),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _rated(k, n):
    return {name: value.item() for name, value in rate_columns(k, n).items()}


def _points_text(row):
    ends = (points(row["change_low"]), points(row["change_high"]))
    return say("report.report.points", change=points(row["change"]), low=ends[0], high=ends[1])


def _change(table, model):
    return _frame(
        {
            "part": label({"rate": "win_rate"}.get(row["part"], row["part"])),
            "change_points": say("report.report.points", change=points(row["change"]), low=points(row["low"]),
                                 high=points(row["high"])),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _signal(table, model):
    return _frame(
        {
            "period_now": row["period"], "win_rate": rate_text(row),
            "usual_range": _between(percent(row["lower"]), percent(row["upper"])),
            "signal": _verdict(row["signal"]),
        }
        for row in table.astype({"signal": "object"}).to_dict("records")
    )  # fmt: skip


def _verdict(signal):
    return say(f"report.report.signal_{'none' if pd.isna(signal) else str(bool(signal)).lower()}")


def _bottleneck(table, model):
    return _frame(
        {
            "stage": _stage(row["stage"], model), "rate_now": percent(row["rate"]), "n": number(row["n"]),
            "gain_points": _range(row, "gain_points", 1), "p_best": percent(row["p_best"], 0),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _stays(table, model):
    return _frame(
        {
            "stage": _stage(row["stage"], model), "n_stays": number(row["n"]), "n_open": number(row["n_open"]),
            "median_days": _range({**row, "median_days_low": row["low_days"], "median_days_high": row["high_days"]},
                                  "median_days", 1),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _stuck(table, model):
    return _frame(
        {
            "deal_id": row["deal_id"], "account": _or_dash(row["account"]), "owner": _or_dash(row["owner"]),
            "amount": number(row["amount"]), "stage": _stage(row["stage"], model),
            "age_days": number(row["age_days"]), "usual_days": number(row["usual_days"]),
            "act_by": "–" if pd.isna(row["act_by"]) else f"{row['act_by']:%Y-%m-%d}",
            "status": label(f"is_{row['state']}"),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _or_dash(value):
    return "–" if pd.isna(value) or value == "" else str(value)


def _health(table, model):
    return _frame(
        {
            "condition": label(f"condition_{row['condition']}"),
            "stage": say("report.report.all_stages") if pd.isna(row["stage"]) else _stage(row["stage"], model),
            "figure_health": number(row["figure"], 2), "n": number(row["n"]),
            "usual_range": _between(number(row["low"], 2), number(row["high"], 2)),
            "verdict": label(f"health_{row['verdict']}"),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _target(table, model):
    return _frame(
        {
            "stage": _stage(row["stage"], model), "rate_now": rate_text({"n_open": 0, **row}),
            "n_open": number(row["n_open"]), "entries": number(row["entries"]),
            "per_week": number(row["per_week"], 1), "past_per_week": number(row["past_per_week"], 1),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _people(table, model):
    who = table.columns[0]
    return _frame(
        {
            who: _or_dash(row[who]), "win_rate": rate_text(_rated(row["k"], row["n"])),
            "expected": percent(row["expected"]),
            "usual_range": _between(percent(row["limit_low"]), percent(row["limit_high"])),
            "shrunk": percent(row["shrunk"]), "verdict": label(f"verdict_{row['verdict']}"),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _gates(table, model):
    return table[["deal_id", "stage", "verdict", "to_stage", "gate"]]


def _cycle(table, model):
    return _frame(
        {
            "outcome": label(row["outcome"]), "n_closed": number(row["n_closed"]),
            "median_days": _range({**row, "median_days_low": row["low_days"], "median_days_high": row["high_days"]},
                                  "median_days", 1),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _forecast(table, model):
    return _frame(
        {
            "period_now": row["period"], "part": label(f"part_{row['part']}"),
            "measure": label(f"measure_{row['measure']}"), "median": number(row["median"]),
            "band_80": f"{number(row['low_80'])} – {number(row['high_80'])}",
            "band_95": f"{number(row['low_95'])} – {number(row['high_95'])}",
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _backtest(table, model):
    return _frame(
        {
            "from_day": f"{row['origin']:%Y-%m-%d}", "to_day": f"{row['end']:%Y-%m-%d}",
            "measure": label(f"measure_{row['measure']}"), "actual": number(row["actual"]),
            "band_80": f"{number(row['low_80'])} – {number(row['high_80'])}",
            "held": say(f"language.present.{str(bool(row['in_80'])).lower()}"),
        }
        for row in table.to_dict("records")
    )  # fmt: skip


def _between(low, high):
    """Return two ends as a range, a dash where neither is known."""
    return low if low == high == "–" else f"{low} – {high}"


def _range(row, name, decimals):
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{number(row[name], decimals)} [{number(low, decimals)}, {number(high, decimals)}]"


# The rows that are shown, where these are not all.
_ROWS = {
    "comparison": lambda table: table[table["status"] == "compared"],
    "signal": lambda table: table.tail(LATEST_PERIODS),
    "stays": lambda table: table[table["n"] > 0],
    "stuck": lambda table: table[table["state"].isin(["stuck", "late", "soon"])].head(MOST_DEALS),
    "backtest": lambda table: table[(table["part"] == "total") & (table["method"] == "forecast")],
}
_EXPORTED = {
    "comparison": "against stage period period_before k n rate low high k_before n_before rate_before"
                  " change change_low change_high clear",
    "change": "part n_before n_after change low high", "signal": "period k n rate low high centre lower upper signal",
    "bottleneck": "stage n rate gain_points gain_points_low gain_points_high p_best",
    "stays": "stage n n_open median_days low_days high_days",
    "cycle": "outcome n n_closed median_days low_days high_days",
    "stuck": "deal_id account owner amount stage age_days usual_days act_by state",
    "forecast": "period start end part measure median low_80 high_80 low_95 high_95",
    "backtest": "origin end measure actual low_80 high_80 in_80", "health": "condition stage figure n low high verdict",
    "target": "stage k n rate low high n_open entries per_week past_per_week",
    "people": "k n rate expected limit_low limit_high shrunk verdict",
    "gates": "deal_id stage verdict to_stage gate",
}  # fmt: skip
_TABLES = {
    "comparison": _comparison, "change": _change, "signal": _signal, "bottleneck": _bottleneck, "stays": _stays,
    "stuck": _stuck, "cycle": _cycle, "forecast": _forecast, "backtest": _backtest, "health": _health,
    "target": _target,
    "people": _people, "gates": _gates,
}  # fmt: skip
_PICTURES = {
    "comparison": _comparison_picture, "change": _change_picture, "signal": _signal_picture,
    "forecast": _forecast_picture, "backtest": _backtest_picture,
}  # fmt: skip
