"""Event rows: one log in many forms gives the same counts, and what is missing is asked once, with what it may be."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from funnelkit.cli import main
from funnelkit.language.errors import DataError
from funnelkit.reading import read_events

STEPS = {"view": "浏览", "cart": "加购", "buy": "购买", "leave": "离开"}


def log(n=1500):
    rng = np.random.default_rng(3)
    times = pd.Timestamp("2025-03-01") + pd.to_timedelta(np.sort(rng.integers(0, 86_400 * 60, n)), unit="s")
    ids = [f"u{i:04d}" for i in rng.integers(0, 300, n)]
    return pd.DataFrame({"user_id": ids, "event": rng.choice(list(STEPS), n, p=[0.5, 0.3, 0.1, 0.1]), "time": times})


def seconds(times):
    return times.astype("datetime64[s]").astype("int64")


FORMS = {
    "ISO": lambda t: t.dt.strftime("%Y-%m-%dT%H:%M:%S"),
    "epoch s": seconds,
    "epoch ms": lambda t: seconds(t) * 1000,
    "epoch us": lambda t: seconds(t) * 1_000_000,
    "d.m.y": lambda t: t.dt.strftime("%d.%m.%Y %H:%M:%S"),
    "m/d/y": lambda t: t.dt.strftime("%m/%d/%Y %H:%M:%S"),
    "m/d/y of twelve hours": lambda t: t.dt.strftime("%m/%d/%Y %I:%M:%S %p"),
    "年月日": lambda t: t.dt.strftime("%Y年%m月%d日 %H:%M:%S"),
}


def counted(capsys, path, *options, steps="view,cart,buy"):
    assert main(["count", str(path), "--steps", steps, "--window", "14d", "--json", *options]) == 0
    return [row["n_entered"] for row in json.loads(capsys.readouterr().out)["rows"]]


def test_every_form_of_a_log_counts_alike(tmp_path, capsys):
    table, found = log(), {}
    for name, form in FORMS.items():
        path = tmp_path / f"{len(found)}.csv"
        table.assign(time=form(table["time"])).to_csv(path, index=False)
        found[name] = counted(capsys, path)
    table.sample(frac=1, random_state=1).to_csv(path, index=False)
    found["shuffled"] = counted(capsys, path)
    path.write_text(table.to_csv(index=False) + "u9999,view,no time\n", encoding="utf-8")
    found["one bad line"] = counted(capsys, path)
    table.to_excel(tmp_path / "x.xlsx", index=False)
    found["workbook"] = counted(capsys, tmp_path / "x.xlsx")
    table.to_parquet(tmp_path / "x.parquet")
    found["Parquet"] = counted(capsys, tmp_path / "x.parquet")
    chinese = table.assign(event=table["event"].map(STEPS))
    chinese.columns = ["用户编号", "事件", "时间"]
    chinese.to_csv(path, index=False, encoding="gb18030")
    found["GB 18030"] = counted(capsys, path, "--encoding", "gb18030", steps="浏览,加购,购买")
    assert found == dict.fromkeys(found, found["ISO"]) and found["ISO"][0] > found["ISO"][2] > 0


def test_columns_that_are_missing_are_asked_once_with_what_they_may_be():
    rows = {"who": ["a", "b"], "what": ["x", "y"], "when": ["2025-01-01", "2025-01-02"]}
    with pytest.raises(DataError) as caught:
        read_events(rows)
    told = str(caught.value)
    assert told.startswith("3 things have to be known before") and told.count("no column for") == 3
    assert told.endswith("(on the command line, `--map entered_at=COLUMN`). It may be 'when'.")
    with pytest.raises(DataError, match=r"--map deal_id=COLUMN`\)\. It may be '用户'"):
        read_events({"用户": ["a", "b"], "事件": ["x", "y"], "时间": ["2025-01-01", "2025-01-02"]})


DEALS = "Deal ID,Stage,Amount,Created\nA1,Lead,100,2026-01-05\nA2,Offer,250,2026-01-06\nA3,Won,250,2026-01-07\n"


def test_a_list_of_deals_is_no_log_unless_a_column_is_named_as_its_time(tmp_path, capsys):
    path = tmp_path / "deals.csv"
    path.write_text(DEALS)
    assert main(["count", str(path), "--steps", "Lead,Offer", "--lang", "en"]) == 2
    said = capsys.readouterr().err
    assert "one row per deal" in said and "funnelkit report --data" in said
    assert main(["count", str(path), "--steps", "Lead,Offer", "--map", "entered_at=Created"]) == 0
    log = "Deal,Stage,Date\nA1,Lead,2026-01-05\nA1,Offer,2026-01-06\nA2,Lead,2026-01-07\n"
    assert read_events(io.StringIO(log)).headers == ("Deal", "Stage", "Date")


def test_count_asks_for_the_encoding_and_all_else_at_once(tmp_path):
    path = tmp_path / "deals.csv"
    path.write_bytes(DEALS.replace("Amount", "Erwarteter Wert des Geschäfts").encode("cp1252"))
    with pytest.raises(DataError) as caught:
        read_events(path)
    assert [error.key for error in caught.value.values["problems"]] == ["encoding_unclear", "deals_are_no_log"]
    assert "Geschäfts" in str(caught.value)
