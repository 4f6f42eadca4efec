"""One log in many forms gives one count; what cannot be read is told, never counted as nothing."""

import gzip
import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.events.count import count_events
from funnelkit.events.journeys import journeys
from funnelkit.events.log import Log, LogColumns
from funnelkit.events.rule import Rule
from funnelkit.language import DataError

STEPS = ["view", "cart|fav", "buy"]
RULE = Rule(window="12d")
NAMES = {"view": "浏览", "cart": "加购", "fav": "收藏", "buy": "购买", "noise": "其他"}
COUNTED = ["n_entered", "n_advanced", "n_lost", "n_open", "k", "n"]


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(4)
    n = 1_200
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 60 * 1440, n) * 60, unit="s")
    who, what = rng.integers(1, 300, n), rng.choice(list(NAMES), n)
    return pd.DataFrame({"deal_id": who, "stage": what, "entered_at": at.as_unit("us")})


def counted(source, steps=STEPS, **options):
    return count_events(source, steps, RULE, **options).table[COUNTED].to_numpy().tolist()


def written(log, form):
    """Return the log with its times in a form."""
    at = log["entered_at"]
    if form.startswith("epoch"):
        divisor = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}[form]
        return log.assign(entered_at=at.astype("int64") // divisor)
    return log.assign(entered_at=at.dt.strftime(form))


FORMS = (
    "epoch_s", "epoch_ms", "epoch_us", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%MZ", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M",
    "%Y年%m月%d日 %H:%M",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_times_of_every_form_give_one_count(tmp_path, log, form):
    written(log, form).to_csv(tmp_path / "log.csv", index=False)
    assert counted(tmp_path / "log.csv") == counted(log)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d", "%Y-%m-%dT%H:%M+00:00"])
def test_a_time_without_a_zone_is_utc_wherever_the_machine_stands(tmp_path, log, form):
    at = pd.to_datetime(log["entered_at"].dt.strftime(form), utc=True, format=form).dt.tz_localize(None)
    texts = log.astype({"deal_id": str}).assign(entered_at=log["entered_at"].dt.strftime(form))
    texts.to_csv(tmp_path / "log.csv", index=False)
    first = at[log["stage"] == "view"].groupby(log["deal_id"].astype(str)).min().sort_index()
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'America/New_York'")
        for source in (tmp_path / "log.csv", texts, db.from_df(texts)):
            found = journeys(source, ["view", "buy"], Rule()).table.astype({"id": str}).set_index("id")["at_1"]
            assert found.sort_index().tolist() == first.tolist()


def test_times_that_look_plain_but_are_not_go_through_the_reader(tmp_path):
    path = tmp_path / "log.csv"
    rows = [(1, "view", "13-02-26"), (1, "buy", "14-02-26"), (2, "view", "28-02-26")]
    pd.DataFrame(rows, columns=["deal_id", "stage", "entered_at"]).to_csv(path, index=False)
    with pytest.raises(DataError, match="could be 2026-02-13"):
        count_events(path, ["view", "buy"])
    with Log(path, reading={"date_order": "dmy"}) as opened:
        assert opened.facts()["latest"] == pd.Timestamp("2026-02-28"), "and not of the year 28"
    mixed = [(1, "view", "2026-02-01 10:00:00+08:00"), (1, "buy", "2026-02-01 12:00:00")]
    pd.DataFrame(mixed, columns=["deal_id", "stage", "entered_at"]).to_csv(path, index=False)
    told = dict(count_events(path, ["view", "buy"]).notes)["events.notes.set_aside"]
    assert told["n"] == 1 and "line 3" in str(told["where"])


def test_numbers_as_times_of_typed_sources(tmp_path, log):
    expected = counted(log)
    for form in FORMS[:3]:
        table = written(log, form)
        table.to_parquet(tmp_path / "log.parquet")
        assert counted(table) == counted(tmp_path / "log.parquet") == expected
    with pytest.raises(DataError, match="column entered_at holds numbers that are no times, such as 3"):
        counted(log.assign(entered_at=3))


def test_files_of_every_kind_give_one_count(tmp_path, log):
    expected, folder = counted(log), tmp_path
    text = written(log, "%Y-%m-%d %H:%M:%S")
    text.to_csv(folder / "tabs.tsv", index=False, sep="\t")
    text.to_csv(folder / "marks.csv", index=False, sep=";")
    text.to_excel(folder / "log.xlsx", index=False)
    (folder / "log.csv.gz").write_bytes(gzip.compress(text.to_csv(index=False).encode()))
    (folder / "log.jsonl").write_text("\n".join(json.dumps(row) for row in text.to_dict("records")) + "\n")
    connection = duckdb.connect(folder / "log.duckdb")
    connection.execute("CREATE TABLE log AS SELECT * FROM text")
    connection.close()
    names = ("tabs.tsv", "marks.csv", "log.xlsx", "log.csv.gz", "log.jsonl", "log.duckdb")
    assert {name: counted(folder / name) for name in names} == dict.fromkeys(names, expected)
    assert counted(text.to_dict("list")) == counted(text.to_dict("records")) == expected


def test_names_of_columns_and_chinese_text_are_found(tmp_path, log):
    chinese = log.assign(stage=log["stage"].map(NAMES)).rename(columns={"deal_id": "商机编号", "stage": "阶段"})
    chinese.rename(columns={"entered_at": "进入时间"}).to_csv(tmp_path / "zh.csv", index=False, encoding="gb18030")
    steps = ["浏览", "加购|收藏", "购买"]
    assert counted(tmp_path / "zh.csv", steps) == counted(log)
    assert counted(tmp_path / "zh.csv", steps, reading={"encoding": "gb18030"}) == counted(log)


@pytest.mark.parametrize("far", [False, True])
def test_a_faulty_line_costs_itself_only(tmp_path, capsys, log, far):
    text = written(log, "%Y-%m-%d %H:%M:%S").to_csv(index=False)
    lines = text.splitlines()
    place = len(lines) if far else 3
    lines.insert(place, "7,view")
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(lines) + "\n")
    assert counted(path) == counted(log)
    options = ["count", str(path), "--steps", ",".join(STEPS), "--quarantine", str(tmp_path / "aside.csv")]
    assert cli.main([*options, "--lang", "en"]) == 0
    shown = capsys.readouterr().out
    assert f"1 row was quarantined: clicks.csv, line {place + 1}: 2 cells where the header has 3" in shown
    assert "7,view" in (tmp_path / "aside.csv").read_text()


def test_what_cannot_be_read_at_all_is_refused_with_the_value(tmp_path, capsys):
    path = tmp_path / "none.csv"
    path.write_text("deal_id,stage,entered_at\n1,view,shortly\n1,buy,later\n")
    assert cli.main(["count", str(path), "--steps", "view,buy", "--lang", "en"]) == 2
    assert (
        "no row can be read. The first: none.csv, line 2" in (error := capsys.readouterr().err) and "shortly" in error
    )
    with pytest.raises(DataError, match=r"no column named 'whon'\. Nearest"):
        counted(path, columns=LogColumns(id="whon"))


def test_options_of_the_reader_hold_for_a_log(tmp_path, log):
    early = log.assign(entered_at=log["entered_at"] - pd.Timedelta(hours=8))
    zoned = early.assign(entered_at=early["entered_at"].dt.strftime("%Y-%m-%d %H:%M:%SZ"))
    zoned.to_csv(tmp_path / "log.csv", index=False)
    with Log(tmp_path / "log.csv", reading={"timezone": "Asia/Shanghai"}) as opened:
        assert opened.facts()["latest"] == log["entered_at"].max()
    both = zoned.rename(columns={"stage": "what"})
    both.to_csv(tmp_path / "other.csv", index=False)
    assert counted(tmp_path / "other.csv", reading={"map": {"stage": "what"}}) == counted(early)


def test_the_command_line_counts_what_was_declared(tmp_path, capsys):
    lives = {1: "SPAW", 2: "SPAD", 3: "SC", 4: "SPA", 5: "SX"}
    rows = [(who, name, f"2026-01-{day:02d}") for who, life in lives.items() for day, name in enumerate(life, who)]
    pd.DataFrame(rows, columns=["case", "activity", "when"]).to_csv(tmp_path / "log.csv", index=False)
    options = ["--id", "case", "--stage", "activity", "--at", "when", "--steps", "S,P,A", "--json"]
    ends = ["--won", "W", "--lost", "D,C", "--void", "X"]
    assert cli.main(["count", str(tmp_path / "log.csv"), *options, *ends]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    found = [[row["step"], *(row[name] for name in COUNTED[:4])] for row in rows]
    assert found == [["S", 4, 3, 1, 0], ["P", 3, 3, 0, 0], ["A", 3, 1, 1, 1], ["W", 1, 1, 0, 0]]
