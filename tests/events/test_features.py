"""Every verb of event logs under every further feature of a rule: as plain Python finds it, or refused by name."""

from collections import Counter
from math import inf, nan
from statistics import mean, median

import numpy as np
import pandas as pd
import pytest

from funnelkit.events import (
    Rule,
    attribute_odds,
    compare_rules,
    conversion_trend,
    count_events,
    count_on,
    dropped,
    journeys,
    paths_between,
    step_matrix,
    step_rates,
    time_histogram,
    time_to_convert,
    time_trend,
    times_on,
    trend_on,
)
from funnelkit.language import RuleError
from tests.support.randomlogs import COLUMNS, START, by_entity, random_log
from tests.support.reference import made_path

N, DAY_S, DAY_US = 400, 86_400, 86_400_000_000
FEATURES = {
    "optional": (list("ABCD"), Rule(window="6d", optional="B")),
    "two_optional": (list("ABCD"), Rule(window="6d", reentry="latest", optional=("B", "C"))),
    "any_of": (["A", "B|C", "D"], Rule(window="6d", reentry="latest")),
    "interval": (list("ABC"), Rule(window="8d", gap="2d")),
    "windows": (list("ABC"), Rule(window="3d,5d", window_from="previous", reentry="latest")),
    "all": (["A", "B", "C|X", "D"], Rule(window="5d,7d", window_from="previous", gap="1d", optional="B")),
}
ENDS = {"young": 7, "old": 85}  # the day of the log: most windows still run, or hardly one


class Plain:
    """What plain Python finds in a log of days: when each entity made each step, and whose windows have run."""

    def __init__(self, feature, age):
        self.steps, self.rule = FEATURES[feature]
        log = random_log(np.random.default_rng(18), N, longest=11)
        log["second"] = (log["second"] + (log["id"] % 3 * 30 if age == "old" else 0)) * DAY_S
        log["at"] = (START + pd.to_timedelta(log["second"], unit="s")).astype("datetime64[us]")
        log["team"] = np.where(log["id"] % 5 < 2, "N", "S")
        self.log = log[log["second"] <= ENDS[age] * DAY_S]
        self.as_of, self.end = START + pd.Timedelta(days=ENDS[age]), ENDS[age] * DAY_US
        self.needed = [place for place, step in enumerate(self.steps) if step not in self.rule.optional]
        windows = self.rule.windows_us(len(self.needed) - 1)
        self.whole = sum(windows) if self.rule.window_from == "previous" else windows[0]
        named = {event: step for step in self.steps for event in step.split("|")}
        self.events = by_entity(self.log, N)
        own = [[(at, named.get(name), held) for at, name, held in events] for events in self.events]
        found = {who: made_path(events, self.steps, self.rule) for who, events in enumerate(own)}
        self.paths = {who: path for who, (path, _) in found.items() if path[0] is not None}
        self.first = {who: min(at for at, name, _ in own[who] if name == "A") for who in self.paths}
        self.open = {who for who in self.paths if found[who][1] > self.end}
        self.matured = {who for who in self.paths if self.first[who] <= self.end - self.whole}

    @property
    def options(self):
        return {"columns": COLUMNS, "as_of": self.as_of}

    def journeys(self):
        return journeys(self.log, self.steps, self.rule, attributes=["team"], **self.options)

    def made(self, place):
        return {who for who, path in self.paths.items() if path[place] is not None}

    def onward(self, place):
        """Return who made the needed step after one, whether they made that one or not; at the last, who made it."""
        return self.made(min((at for at in self.needed if at > place), default=place))

    def before(self, place):
        return max(at for at in self.needed if at < place)

    def days(self, place, since, of):
        """Return the days from one step to another of those who made both."""
        both = self.made(place) & self.made(since) & set(of)
        return [(self.paths[who][place] - self.paths[who][since]) / DAY_US for who in sorted(both)]

    def counts(self, of):
        """Return n_entered, n_advanced, n_lost, n_open by step of some entities."""
        rows = []
        for place in range(len(self.steps)):
            entered = self.made(place) & of
            advanced = entered & self.onward(place)
            still = (entered - advanced) & self.open
            rows.append([len(entered), len(advanced), len(entered - advanced - still), len(still)])
        return rows

    def share(self, who_made, place, of):
        """Return the product-limit share of those who began that had made a step by the end of the whole window."""
        watched = {who: (self.end - self.first[who]) / DAY_US for who in of}
        horizon = min(self.whole / DAY_US, max(watched.values()))
        since = {who: self.paths[who][0] if place == 0 else self.first[who] for who in of}  # all begin at once
        days = {who: (self.paths[who][place] - since[who]) / DAY_US if who in who_made else inf for who in of}
        left = 1.0
        for moment in sorted({at for who, at in days.items() if at <= min(watched[who], horizon)}):
            risk = sum(min(days[who], watched[who], horizon) >= moment for who in of)
            left *= 1 - sum(at == moment and at <= watched[who] for who, at in days.items()) / risk
        return 1 - left

    def rate(self, place, basis, of):
        """Return the rate onward of a step, held to what is known of all."""
        if place == len(self.steps) - 1:
            return nan
        entered, advanced, _, still = self.counts(of)[place]
        both, following = self.made(place) & self.onward(place), min(at for at in self.needed if at > place)
        if basis == "incidence":
            found = self.share(both, following, of) / self.share(self.made(place), place, of)
        else:
            found = len(both & self.matured & of) / len(self.made(place) & self.matured & of)
        return min(max(found, advanced / entered), (advanced + still) / entered)

    def made_rate(self, place, basis):
        """Return the share of those at the needed step before who made an optional step."""
        if basis == "incidence":
            everyone = set(self.paths)
            return self.share(self.made(place), place, everyone) / self.share(
                self.made(self.before(place)), self.before(place), everyone
            )
        return len(self.made(place) & self.matured) / len(self.made(self.before(place)) & self.matured)

    def made_bounds(self, place):
        """Return the least and the most of that share if none or all who may still come make it."""
        before = self.made(self.before(place))
        still = (before & self.open) - self.onward(self.before(place)) - self.made(place)
        return len(self.made(place)) / len(before), (len(self.made(place)) + len(still)) / len(before)


QUICK = [("all", "young"), ("two_optional", "old")]  # the other cells are slow tests
CELLS = [
    pytest.param((feature, age), id=f"{feature}-{age}", marks=() if (feature, age) in QUICK else pytest.mark.slow)
    for feature in FEATURES
    for age in ENDS
]


@pytest.fixture(scope="module", params=CELLS)
def plain(request):
    return Plain(*request.param)


def test_counts_and_rates(plain):
    table = count_events(plain.log, plain.steps, plain.rule, **plain.options).table
    everyone, basis = set(plain.paths), "matured" if 2 * len(plain.matured) >= len(plain.paths) else "incidence"
    assert table[["n_entered", "n_advanced", "n_lost", "n_open"]].to_numpy().tolist() == plain.counts(everyone)
    assert table["basis"].tolist() == [basis] * len(plain.steps)
    expected = [plain.rate(place, basis, everyone) for place in range(len(plain.steps))]
    assert table["rate"].tolist() == pytest.approx(expected, nan_ok=True)
    optional = [place for place in range(len(plain.steps)) if place not in plain.needed]
    if optional:
        made = [plain.made_rate(place, basis) for place in optional]
        assert table["made_rate"].dropna().tolist() == pytest.approx(made)
    rates = step_rates(count_events(plain.log, plain.steps, plain.rule, **plain.options)).table["rate"]
    for place, rate in list(enumerate(rates))[1:]:
        if place in plain.needed:
            assert rate == pytest.approx(plain.rate(plain.before(place), basis, everyone))
        else:
            low, high = plain.made_bounds(place)
            assert rate == pytest.approx(min(max(plain.made_rate(place, basis), low), high))
    by_team = count_events(plain.log, plain.steps, plain.rule, by="team", **plain.options).table
    for team, rows in by_team.groupby("team"):
        own = {who for who in everyone if (who % 5 < 2) == (team == "N")}
        assert rows[["n_entered", "n_advanced", "n_lost", "n_open"]].to_numpy().tolist() == plain.counts(own)


def test_journeys_and_who_dropped_out(plain):
    found = plain.journeys()
    table = found.table.set_index("id").sort_index()
    assert table.index.tolist() == sorted(plain.paths)
    for who, row in table.iterrows():
        times = [row[f"at_{place}"] for place in range(1, len(plain.steps) + 1)]
        assert [None if pd.isna(at) else (at - START) // pd.Timedelta(1, "us") for at in times] == plain.paths[who]
        last = max(place for place in plain.needed if plain.paths[who][place] is not None)
        assert row["depth"] == last + 1
        assert row["is_open"] == (who in plain.open and last < len(plain.steps) - 1)
    for place, step in enumerate(plain.steps[:-1]):
        assert set(dropped(found, step).table["id"]) == plain.made(place) - plain.onward(place) - plain.open, step


def test_times(plain):
    found = plain.journeys()
    times = time_to_convert(found).table.to_dict("records")
    last = len(plain.steps) - 1
    pairs = [(place, plain.before(place)) for place in range(1, last + 1)] + [(last, 0)]
    for row, (place, since) in zip(times, pairs, strict=True):
        days = plain.days(place, since, plain.matured)
        assert row["n"] == len(days)
        if days:
            assert (row["p50_days"], row["mean_days"]) == pytest.approx((median(days), mean(days)))
        if place and row["stage"] != "total":
            assert time_histogram(found, row["stage"]).table["n"].sum() == len(days)


def test_trends(plain):
    found, months = plain.journeys(), {}
    for who in plain.paths:
        months.setdefault((START + pd.Timedelta(plain.first[who], "us")).strftime("%Y-%m"), set()).add(who)
    last = len(plain.steps) - 1
    trend = conversion_trend(found).table.assign(month=lambda table: table["cohort"].dt.strftime("%Y-%m"))
    rows = {row["month"]: row for row in trend.to_dict("records")}
    assert set(rows) == set(months)
    for month, of in months.items():
        through, matured = plain.made(last) & of, plain.matured & of
        expected = (len(of), len(through), len(through & matured), len(matured), len((plain.open & of) - through))
        assert tuple(rows[month][name] for name in ("n_entered", "n_converted", "k", "n", "n_open")) == expected
    times = time_trend(found).table.assign(month=lambda table: table["cohort"].dt.strftime("%Y-%m"))
    for row in times.to_dict("records"):
        days = plain.days(last, 0, plain.matured & months[row["month"]])
        assert row["n"] == len(days) and (not days or row["p50_days"] == pytest.approx(median(days)))


def test_odds_and_ways(plain):
    found, last = plain.journeys(), len(plain.steps) - 1
    odds = attribute_odds(found, "team").table.set_index("value")
    for team, row in odds.iterrows():
        own = {who for who in plain.matured if (who % 5 < 2) == (team == "N")}
        assert (row["k"], row["n"]) == (len(own & plain.made(last)), len(own))
    ways = Counter()
    for who in plain.made(last):
        since, until = plain.paths[who][0], plain.paths[who][last]
        between = sorted((at, name) for at, name, _ in plain.events[who] if since < at < until)
        ways[" > ".join(name for _, name in between)] += 1
    table = paths_between(plain.log, found, "A", plain.steps[-1], limit=10_000).table
    assert dict(zip(table["path"], table["n"], strict=True)) == ways
    second = Counter()
    for way, n in ways.items():
        second[[*(way.split(" > ") if way else []), plain.steps[-1], plain.steps[-1]][1]] += n
    matrix = step_matrix(plain.log, found, "A", plain.steps[-1], positions=2).table.query("position == 2")
    assert dict(zip(matrix["event"], matrix["n"], strict=True)) == second


@pytest.mark.slow
def test_an_engine_answers_the_same_or_refuses_the_field_before_it_is_opened(plain):
    ibis = pytest.importorskip("ibis", reason="Ibis is in the bench and spark extras")
    connection = ibis.duckdb.connect()
    connection.create_table("log", plain.log)
    for ask, here in [
        (count_on, lambda: count_events(plain.log, plain.steps, plain.rule, **plain.options).table.iloc[:, :5]),
        (times_on, lambda: time_to_convert(plain.journeys()).table),
        (trend_on, lambda: conversion_trend(plain.journeys()).table),
    ]:
        if plain.rule.optional:
            with pytest.raises(RuleError, match=r"engine duckdb does not count rules with optional="):
                ask("duckdb:///nowhere/at/all.duckdb", "log", plain.steps, plain.rule, **plain.options)
            continue
        theirs = ask(connection, "log", plain.steps, plain.rule, **plain.options).table
        pd.testing.assert_frame_equal(theirs[here().columns], here())


def test_a_rule_of_ones_own_beside_the_presets(plain):
    rules = {"own": plain.rule, "ga4": "ga4_closed"}
    row = compare_rules(plain.log, plain.steps, rules=rules, **plain.options).table.iloc[0]
    counts = count_events(plain.log, plain.steps, plain.rule, **plain.options)
    first, last = counts.table.iloc[0], counts.table.iloc[-1]
    assert [row[step] for step in plain.steps] == counts.table["n_entered"].tolist()
    assert row[["k", "n", "basis"]].tolist() == [last["n"], first["n"], first["basis"]]
    assert row["n_open"] == len(plain.open - plain.made(len(plain.steps) - 1))
    assert str(row["reading"]).startswith(plain.rule.sentences()[0]) and " d" in str(row["window"])
