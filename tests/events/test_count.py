"""Counting event logs of every kind of source, with what was left out said."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from funnelkit import cli
from funnelkit.events.count import count_events, step_rates
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, preset
from funnelkit.events.search import Bar, Search
from funnelkit.language.errors import DataError, RuleError
from funnelkit.reading import read

SHARED = Path(__file__).parents[3] / "shared"
COUNTS = ["n_entered", "n_advanced", "n_lost", "n_open"]


@pytest.fixture
def log():
    rows = [(1, "A", 0), (1, "B", 1), (1, "C", 2), (2, "A", 0), (2, "B", 9), (3, "A", 12), (4, "B", 1), (5, "A", 2)]
    frame = pd.DataFrame(rows, columns=["deal_id", "stage", "entered_at"])
    frame["entered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["entered_at"], unit="D")
    return frame.assign(team=["N", "N", "S", "S", "S", "N", "N", None])


def counts(table):
    return table[COUNTS].to_numpy().tolist()


def noted(found):
    """Return {note: values} of what a count says beside its figures."""
    notes = {key: values for key, values in found.notes if key.startswith("events.notes.")}
    return {key.rpartition(".")[2]: values for key, values in notes.items()}


# Within 11 days as of day 12: 1 is through, 2 stopped at B (its window closed), 3 and 5 stand at A, open.
EXPECTED = [[4, 2, 0, 2], [2, 1, 1, 0], [1, 1, 0, 0]]


def test_every_source_counts_the_same(tmp_path, log):
    log.to_csv(tmp_path / "log.csv", index=False)
    log.to_parquet(tmp_path / "log.parquet")
    log.iloc[:4].to_parquet(tmp_path / "one.parquet")
    log.iloc[4:].to_parquet(tmp_path / "two.parquet")
    connection = duckdb.connect()
    connection.execute("CREATE TABLE events AS SELECT * FROM log")
    sources = {
        "csv": tmp_path / "log.csv",
        "parquet": str(tmp_path / "log.parquet"),
        "two files": [tmp_path / "one.parquet", tmp_path / "two.parquet"],
        "frame": log,
        "arrow": pa.Table.from_pandas(log),
        "duckdb table": connection.table("events"),
        "text ids": log.assign(deal_id="d" + log["deal_id"].astype(str)),
        "zoned times": log.assign(entered_at=log["entered_at"].dt.tz_localize("Europe/Berlin")),
        "text times": log.assign(entered_at=log["entered_at"].dt.strftime("%Y-%m-%d %H:%M:%S+02:00")),
    }
    rule = Rule(window="11d")
    for name, source in sources.items():
        found = count_events(source, "ABC", rule)
        assert counts(found.table) == EXPECTED, name
        assert noted(found) == {}, name


def test_entered_is_advanced_lost_and_open(log):
    found = count_events(log, "ABC", Rule(window="10d"))
    assert found.as_of == pd.Timestamp("2026-01-13")
    # Of four that began, 1 and 2 advanced, 5's window closed this very day, 3's runs; 2's closed on day 10.
    assert counts(found.table) == [[4, 2, 1, 1], [2, 1, 1, 0], [1, 1, 0, 0]]
    late = count_events(log, "ABC", Rule(window="10d"), as_of="2026-02-01")
    assert counts(late.table) == [[4, 2, 2, 0], [2, 1, 1, 0], [1, 1, 0, 0]]


def test_events_of_the_future_do_not_set_the_date(tmp_path, log):
    wrong = log.assign(entered_at=log["entered_at"].mask(log["deal_id"] == 5, pd.Timestamp("2199-01-01")))
    wrong.to_parquet(tmp_path / "log.parquet")
    expected = count_events(wrong[wrong["deal_id"] != 5], "ABC", Rule(window="10d"))
    for source in (wrong, tmp_path / "log.parquet"):
        found = count_events(source, "ABC", Rule(window="10d"))
        assert found.as_of == expected.as_of and counts(found.table) == counts(expected.table)
        assert [str(value) for value in noted(found)["rows_of_the_future"].values()] == ["1", "1 January 2199"]
    given = count_events(wrong, "ABC", Rule(window="10d"), as_of="2199-01-02")
    assert given.table["n_open"].sum() == 1 and noted(given) == {}
    later = log.assign(entered_at=log["entered_at"] + pd.Timedelta(days=365 * 200))
    assert count_events(later, "ABC", Rule(window="10d")).as_of == later["entered_at"].max(), "the clock is wrong"


def test_nothing_after_the_as_of_date_is_read(log):
    found = count_events(log, "ABC", Rule(window="10d"), as_of="2026-01-02")
    assert counts(found.table) == [[2, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert noted(found)["rows_after_as_of"] == {"n": 4}


def test_what_was_left_out_is_counted(log):
    log["deal_id"] = log["deal_id"].astype("object")
    log.loc[0, "deal_id"] = None
    log.loc[1, "deal_id"] = ""
    log["entered_at"] = log["entered_at"].astype(str)
    log.loc[3, "entered_at"] = "soon"
    log.loc[4, "entered_at"] = "infinity"
    aside = noted(count_events(log, "ABC", Rule(window="10d")))["set_aside"]
    assert aside["n"] == 4 and "line 4, column entered_at: 'soon' is not a date" in str(aside["where"])
    timed = log.assign(entered_at=pd.to_datetime(log["entered_at"], errors="coerce"))
    left_out = noted(count_events(timed, "ABC", Rule(window="10d")))
    assert left_out == {"rows_without_id": {"n": 2}, "rows_without_time": {"n": 2}}


def test_a_step_that_never_occurs_is_zero_with_the_nearest_names(log):
    log["stage"] = log["stage"].map({"A": "Lead", "B": "Offer", "C": "Won"})
    found = count_events(log, ["Lead", "Ofer", "Won"])
    assert found.table["n_entered"].tolist() == [4, 0, 0]
    assert noted(found)["step_never_occurs"] == {"step": "Ofer", "nearest": "Offer"}
    notes = noted(count_events(log, ["Lead", "Won"], Rule(exclude=("Ofer",))))
    assert notes["excluded_never_occurs"] == {"step": "Ofer", "nearest": "Offer"}


@pytest.mark.parametrize("rule", ["default", "clickhouse_strict_order", "hubspot_any", "bitrix24", Rule(order="any")])
def test_an_empty_log_is_a_table_of_zeros(log, rule):
    for source in (log.iloc[:0], log.assign(stage="other")):
        assert counts(count_events(source, "ABC", rule).table) == [[0, 0, 0, 0]] * 3
        table = count_events(source, "ABC", rule, by="team").table
        assert table.empty and list(table.columns[:6]) == ["team", "stage", *COUNTS]


@pytest.mark.parametrize(
    ("attribute", "entered"),
    [
        ("first", {"": [1, 0, 0], "N": [2, 1, 1], "S": [1, 1, 0]}),
        ("last", {"": [1, 0, 0], "N": [1, 0, 0], "S": [2, 2, 1]}),
        ("step", {"": [1, 0, 0], "N": [2, 1, 0], "S": [1, 1, 1]}),
    ],
)
def test_breakdown_takes_the_value_that_the_rule_names(log, attribute, entered):
    table = count_events(log, "ABC", Rule(attribute=attribute), by="team").table
    found = {team: group["n_entered"].tolist() for team, group in table.groupby("team")}
    assert found == entered
    assert (table["n_entered"] == table[["n_advanced", "n_lost", "n_open"]].sum(axis=1)).all()


@pytest.mark.parametrize("name", ["ga4_open", "hubspot_any", "bitrix24"])
def test_steps_that_count_for_themselves_add_up(name):
    rng = np.random.default_rng(3)
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 30, 900), unit="D")
    log = pd.DataFrame({"deal_id": rng.integers(0, 300, 900), "stage": rng.choice(list("ABCL"), 900), "entered_at": at})
    rule = preset(name, "5d" if name == "ga4_open" else None, ("L",) if name == "bitrix24" else ())
    table = count_events(log, "ABC", rule).table
    assert (table["n_entered"] == table[["n_advanced", "n_lost", "n_open"]].sum(axis=1)).all()
    touched = [log.loc[log["stage"] == step, "deal_id"].nunique() for step in "ABC"]
    if name == "bitrix24":
        lost = set(log.loc[log["stage"] == "L", "deal_id"])
        furthest = log[log["stage"] != "L"].groupby("deal_id")["stage"].max()
        assert table["n_entered"].iloc[0] >= (~furthest.index.isin(lost)).sum()
    else:
        assert table["n_entered"].tolist() == touched
    rates = step_rates(table).table
    assert rates["rate"].dropna().between(0, 1).all()


def test_partitions_and_their_bar_change_nothing(log, capsys):
    whole = count_events(log, "ABC", Rule(window="10d"), by="team").table
    parts = count_events(log, "ABC", Rule(window="10d"), by="team", partition_rows=2, progress=True).table
    pd.testing.assert_frame_equal(whole, parts)
    error = capsys.readouterr().err
    assert error.startswith("\r  0%|") and "\r100%|██████████|" in error and error.endswith("\n")


def test_rates_are_of_those_whose_whole_window_has_passed_with_bounds_for_all(log):
    found = count_events(log, "ABC", Rule(window="10d"))
    first = found.table.iloc[0]
    # 1, 2 and 5 began 10 days before day 12, two of them advanced; 3 began that day.
    assert first[["k", "n", "n_open", "basis", "horizon_days"]].tolist() == [2, 3, 1, "matured", 10]
    assert first[["rate", "floor", "ceiling"]].tolist() == pytest.approx([2 / 3, 2 / 4, 3 / 4])
    assert found.table["rate_of_first"].tolist() == pytest.approx([1, 2 / 3, 1 / 3])
    assert np.isnan(found.table["rate"].iloc[-1]), "nothing follows the last step"
    steps = step_rates(found).table
    assert steps["n_entered"].tolist() == [4, 2, 1] and steps["n_open"].tolist() == [0, 1, 0]
    assert steps["rate"].tolist()[1:] == found.table["rate"].tolist()[:-1], "each at the step that it leads to"


def test_a_young_entity_counts_by_its_beginning_not_by_its_outcome(log):
    quick = pd.DataFrame({"deal_id": [6, 6], "stage": ["A", "B"], "entered_at": log["entered_at"].max()})
    both = pd.concat([log, quick.assign(team="N")])
    for name in ("k", "n", "rate"):
        assert count_events(both, "ABC", Rule(window="10d")).table[name].iloc[0] == pytest.approx(
            count_events(log, "ABC", Rule(window="10d")).table[name].iloc[0]
        )


def test_without_a_window_whoever_has_not_advanced_is_open(log):
    found = count_events(log, "ABC")
    assert counts(found.table) == [[4, 2, 0, 2], [2, 1, 0, 1], [1, 1, 0, 0]]
    assert found.table["basis"].tolist() == ["share"] * 3 and np.isnan(found.table["horizon_days"]).all()
    assert found.table[["rate", "floor", "ceiling"]].iloc[0].tolist() == [0.5, 0.5, 1.0]


def test_declared_losses_are_lost_and_void_entities_not_counted(log):
    ends = pd.DataFrame({"deal_id": [2, 5, 3], "stage": ["Declined", "Cancelled", "Test"]})
    log = pd.concat([log, ends.assign(entered_at=pd.Timestamp("2026-01-20"), team="N")])
    rule = Rule(lost=("Declined", "Cancelled"), void="Test")
    found = count_events(log, "ABC", rule)
    assert counts(found.table) == [[3, 2, 1, 0], [2, 1, 1, 0], [1, 1, 0, 0]]
    assert noted(found)["void"] == {"n": 1, "names": "Test"}
    with pytest.raises(RuleError, match="A is both a step and excluded, lost or void"):
        count_events(log, "ABC", Rule(lost="A"))


def test_any_of_several_events_may_count_as_a_step(tmp_path, log):
    log.to_parquet(tmp_path / "log.parquet")
    renamed = log.assign(stage=log["stage"].replace("C", "B"))
    expected = counts(count_events(renamed, "AB").table)
    for source in (log, tmp_path / "log.parquet", log.assign(deal_id="d" + log["deal_id"].astype(str))):
        for steps in (["A", "B|C"], ["A", ("B", "C")]):
            found = count_events(source, steps)
            assert counts(found.table) == expected
            assert found.table["stage"].tolist() == ["A", "B|C"]
    with pytest.raises(RuleError, match="B would count as two different steps"):
        count_events(log, ["A|B", "B"])


def test_bad_input_says_what_and_what_to_do(tmp_path, log):
    for bad, error, message in [
        ({"log": tmp_path / "no.csv"}, DataError, "no such file"),
        ({"log": log, "columns": LogColumns("deal")}, DataError, r"no column named 'deal'\. Nearest: deal_id"),
        ({"log": log, "by": "taem"}, DataError, r"no column named 'taem'\. Nearest: team"),
        ({"log": log.assign(entered_at=5)}, DataError, "column entered_at holds numbers"),
        ({"log": 5}, DataError, "a int is no event log"),
        ({"log": log, "steps": ["A"]}, RuleError, "at least two steps"),
        ({"log": log, "steps": 5}, RuleError, "steps are a list of names in order, not int"),
        ({"log": log, "columns": 5}, DataError, "columns are a LogColumns or a dict with id, stage, at, not int"),
        ({"log": log, "columns": {"time": "x"}}, DataError, "columns of a log are id, stage, at; 'time' is none"),
        ({"log": log, "as_of": "soon"}, DataError, "as-of date 'soon' is not a date"),
        ({"log": log, "rule": "mixpannel"}, RuleError, r"no rule named 'mixpannel'\. Known: mixpanel"),
    ]:
        options = {"steps": "AB", **bad}
        with pytest.raises(error, match=message):
            count_events(options.pop("log"), options.pop("steps"), **options)
    (tmp_path / "a.csv").write_text("deal_id,stage,entered_at\n")
    log.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="either CSV or Parquet"):
        count_events([tmp_path / "a.csv", tmp_path / "b.parquet"], "AB")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="cannot be read as an event log"):
        count_events(tmp_path / "broken.parquet", "AB")


def test_names_with_quotes_are_only_names(log):
    odd = "st\"a'ge {x}"
    log = log.rename(columns={"stage": odd}).assign(**{odd: log["stage"] + "'; --{y}"})
    steps = ["A'; --{y}", "B'; --{y}"]
    found = count_events(log, steps, columns=LogColumns(stage=odd), by="team")
    assert found.table["n_entered"].sum() == 6


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not beside this checkout")
def test_helpdesk_from_the_command_line(capsys):
    path = str(SHARED / "data" / "helpdesk" / "helpdesk.csv")
    options = ["--id", "CaseID", "--stage", "ActivityID", "--at", "CompleteTimestamp", "--steps", "1,8,6", "--json"]
    assert cli.main(["count", path, *options]) == 0
    assert [row["n_entered"] for row in json.loads(capsys.readouterr().out)["rows"]] == [3749, 3519, 3519]
    assert cli.main(["count", path, *options, "--rule", "mixpanel", "--window", "30d", "--by", "ActivityID"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {"ActivityID", "step", "k", "n", "n_open", "rate", "low", "high", "basis", "horizon_days"} <= set(rows[0])
    assert cli.main(["count", path, *options, "--rule", "mixpanell", "--lang", "zh"]) == 2
    assert "没有名为“mixpanell”的规则" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lang", "head", "bounds"),
    [
        ("en", "If none or all of the open advance", "50.0% to 100.0%"),
        ("zh", "升迁率范围（进行中的全不升迁～全部升迁）", "50.0%～100.0%"),
    ],
)
def test_the_printed_table_gives_the_bounds_that_the_open_allow(tmp_path, capsys, lang, head, bounds):
    log = pd.DataFrame({"deal_id": [1, 1, 2], "stage": ["A", "B", "A"]})
    log["entered_at"] = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-09"])
    log.to_csv(tmp_path / "log.csv", index=False)
    options = ["--steps", "A,B", "--rule", "posthog", "--window", "8d", "--lang", lang]
    assert cli.main(["count", str(tmp_path / "log.csv"), *options]) == 0
    shown = capsys.readouterr().out
    # One of the two has advanced, the other's window is still open: of the one whose whole window has passed, all have.
    assert head in shown and bounds in shown and "100.0% [20.7, 100.0]" in shown


def test_a_bar_that_is_off_writes_nothing(log, capsys):
    with Search(log, "AB") as search, Bar(search.log, 3, False) as bar:
        assert list(bar.over([1, 2], [1, 2], 1.0)) == [1, 2] and bar.done == 1
    assert capsys.readouterr().err == ""


def test_a_count_says_itself_in_both_languages(log):
    found = count_events(log, "ABC", Rule(window="10d"))
    assert found.sentences() == [
        "4 began with A; 1 reached C.",
        "Of those whose whole window (10 days) has passed, 33.3% [6.1, 79.2] (n = 3) reached C.",
        "1 may still advance: in the end 25.0% to 50.0% of all who began will have come through.",
    ]
    assert found.sentences("zh")[1] == "窗口（10 天）已满者中，到达“C”的占 33.3% [6.1, 79.2]（n = 3）。"
    bundle = found._repr_mimebundle_()
    assert '<img class="fk" alt="' in bundle["text/html"] and "66.7% [20.8, 93.9]" in bundle["text/plain"]
    by_team = count_events(log, "ABC", Rule(window="10d"), by="team")
    assert by_team.picture == "" and by_team.sentences() == found.sentences()
    nobody = count_events(log.iloc[:0], "ABC")
    assert nobody.sentences()[0] == "Nobody in the log began with A."


def test_a_rate_is_said_only_where_steps_come_one_after_the_other(log):
    assert count_events(log, "AB", "hubspot_any").sentences()[0] == "4 did A, 3 did B."
    assert "at least one of the steps" in count_events(log, "AB", Rule(order="any")).sentences()[0]


def test_several_columns_split_a_count(tmp_path, log):
    log["kind"] = ["x", "x", "x", "y", "y", None, "x", "x"]
    log.to_parquet(tmp_path / "log.parquet")
    one = count_events(log.assign(both=log["team"].fillna("") + "|" + log["kind"].fillna("")), "ABC", by="both").table
    for source in (log, tmp_path / "log.parquet"):
        table = count_events(source, "ABC", by=["team", "kind"]).table
        assert list(table.columns[:3]) == ["team", "kind", "stage"]
        table = table.assign(both=table["team"] + "|" + table["kind"]).sort_values(["both", "stage"])
        assert table["both"].tolist() == one["both"].tolist()
        assert counts(table) == counts(one)
    assert count_events(log, "ABC", by=["team"]).table.columns[0] == "team"
    rates = step_rates(count_events(log, "ABC", by=["team", "kind"]))
    assert list(rates.table.columns[:3]) == ["team", "kind", "step"]


def test_step_rates_name_the_narrowest_step(log):
    found = step_rates(count_events(log, "ABC", Rule(window="10d")))
    assert found.reading().startswith("The narrowest step is C: 50.0% [")
    assert "66.7% [20.8, 93.9]" in found.show().text
    by_team = step_rates(count_events(log, "ABC", Rule(window="10d"), by="team"))
    assert by_team.sentences() == found.sentences(), "of all segments together"


@pytest.mark.slow  # which runs where the extra is installed
def test_a_polars_table_is_a_log(log):
    polars = pytest.importorskip("polars", reason="polars is in the bench extra")
    assert counts(count_events(polars.from_pandas(log), "ABC", Rule(window="11d")).table) == EXPECTED


def test_a_pipeline_is_a_log(log):
    pipeline = read(log[["deal_id", "stage", "entered_at"]], stages=["A", "B", "C"])
    found = count_events(pipeline, "ABC", Rule(window="11d"))
    assert counts(found.table) == EXPECTED
