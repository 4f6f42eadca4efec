"""Join: further tables beside the deals. Real spelling slips are found, no deal is lost, none is doubled."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelkit import cli
from funnelkit.language.errors import DataError
from funnelkit.reading.read import read

MAVEN = Path(__file__).parents[3] / "shared" / "data" / "maven_crm"
STAGES = ["Lead", "Won"]
real_data = pytest.mark.skipif(not MAVEN.exists(), reason="real data sets are not in this checkout")


def deals(*accounts):
    rows = {"id": [str(i) for i in range(len(accounts))], "stage": "Lead", "account": accounts}
    return pd.DataFrame(rows, dtype="str")


def found(pipeline, rule):
    return [finding for finding in pipeline.findings if finding.rule == rule]


def refused(*sources, **options):
    with pytest.raises(DataError) as caught:
        read(*sources, stages=STAGES, **options)
    return caught.value


# --- the real case ---


@real_data
def test_maven_with_its_accounts_products_and_teams():
    reference = json.loads((MAVEN / "reference.json").read_text())
    names = ("accounts", "products", "sales_teams")
    plain = read(MAVEN / "sales_pipeline.csv", as_of="2017-12-31")
    pipeline = read(MAVEN / "sales_pipeline.csv", as_of="2017-12-31", join=[MAVEN / f"{name}.csv" for name in names])
    table = pipeline.deals
    pd.testing.assert_frame_equal(table[plain.deals.columns], plain.deals)  # nothing lost, doubled or changed
    (spelling,) = found(pipeline, "join_spelling")
    assert (spelling.value, spelling.values["other"], spelling.values["n"], spelling.line) == (
        "GTXPro",
        "GTX Pro",
        1480,
        3,
    )
    assert "GTX Pro" in spelling.message("zh") and "1,480" in spelling.message("en")
    assert not found(pipeline, "join_unmatched")
    assert reference["quality"]["product_not_in_dim_raw"] == 1480
    lists = {finding.file: finding.values for finding in found(pipeline, "joined")}
    assert lists["products.csv"]["n"] == 8800 and lists["products.csv"]["unused"] == 0
    assert lists["accounts.csv"]["blank"] == reference["missing"]["account"]
    assert lists["sales_teams.csv"]["unused"] == 5  # five agents without a deal
    value = pd.to_numeric(table["sales_price"])[table["status"] == "open"].sum()
    assert value == reference["open_pipeline"]["open_list_value_total"]
    closed = table[table["status"].isin(["won", "lost"])]
    won = (closed["status"] == "won").groupby(closed["manager"]).agg(["sum", "size"])
    assert {name: (row["k"], row["n"]) for name, row in reference["win_rate_by_manager"].items()} == {
        name: tuple(row) for name, row in zip(won.index, won.to_numpy().tolist(), strict=True)
    }
    assert pipeline.rows.rows_in == 8800 + 85 + 7 + 35 == pipeline.rows.good


@real_data
def test_on_the_command_line(capsys, tmp_path):
    command = [
        "check",
        str(MAVEN / "sales_pipeline.csv"),
        "--join",
        str(MAVEN / "products.csv"),
        "--as-of",
        "2017-12-31",
    ]
    assert cli.main([*command, "--json", "--lang", "en"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [f["value"] for f in result["findings"] if f["rule"] == "join_spelling"] == ["GTXPro"]
    assert result["rows_in"] == 8807 and result["amount_total"] == 10_005_534


# --- the many sides of a key ---


def test_spelling_is_forgiven_and_reported_nearest_names_are_given():
    accounts = pd.DataFrame({"Account": ["Acme Corp", "北京 天工", "Zeta"], "sector": ["a", "b", "c"]})
    pipeline = read(deals("acme-corp", "北京天工", "Ｚeta", "Zetta", ""), stages=STAGES, join=[accounts])
    assert pipeline.deals["sector"].fillna("-").tolist() == ["a", "b", "c", "-", "-"]
    assert pipeline.deals["account"].tolist()[:4] == ["acme-corp", "北京天工", "Ｚeta", "Zetta"]
    assert {f.value: f.values["other"] for f in found(pipeline, "join_spelling")} == {
        "acme-corp": "Acme Corp", "北京天工": "北京 天工", "Ｚeta": "Zeta",
    }  # fmt: skip
    (strange,) = found(pipeline, "join_unmatched")
    assert (strange.value, strange.line, strange.values["nearest"]) == ("Zetta", 4, "Zeta")


def test_two_spellings_in_the_lookup_are_not_mixed_up():
    accounts = pd.DataFrame({"account": ["GTX Pro", "GTXPro"], "x": ["1", "2"]})
    pipeline = read(deals("GTXPro", "GTX Pro", "gtx pro"), stages=STAGES, join=[accounts])
    assert pipeline.deals["x"].fillna("-").tolist() == ["2", "1", "-"]
    assert len(found(pipeline, "join_unmatched")) == 1


def test_the_one_side_must_be_one(tmp_path):
    accounts = pd.DataFrame({"account": ["A", "A", "B", "C", "C", " "], "x": list("122334")})
    aside = tmp_path / "q.csv"
    pipeline = read(deals("A", "B", "C", "A"), stages=STAGES, join=[accounts], quarantine=str(aside))
    assert len(pipeline.deals) == 4
    assert pipeline.deals["x"].fillna("-").tolist() == ["-", "2", "3", "-"]
    assert [(f.rule, f.line) for f in pipeline.findings if f.severity == "error"] == [
        ("required", 6), ("duplicate_row", 5), ("duplicate_id", 1), ("duplicate_id", 2),
    ]  # fmt: skip
    assert (pipeline.rows.rows_in, pipeline.rows.good, pipeline.rows.quarantined) == (10, 6, 4)
    assert len(pd.read_csv(aside)) == 4
    corrected = accounts.drop(index=1)
    assert read(deals("A", "B", "C", "A"), stages=STAGES, join=[corrected]).deals["x"].tolist() == ["1", "2", "3", "1"]


def test_the_key_is_found_by_name_by_values_or_declared():
    accounts = pd.DataFrame({"Id": ["A", "B", "C"], "Name": ["x", "y", "z"]})
    assert read(deals("A", "B"), stages=STAGES, join=[accounts]).deals["Name"].tolist() == ["x", "y"]
    accounts["account"] = ["C", "A", "B"]  # a key by its name goes before one by its values
    assert read(deals("A", "B"), stages=STAGES, join=[accounts]).deals["Name"].tolist() == ["y", "z"]
    pipeline = read(deals("A", "B"), stages=STAGES, join=[accounts], on={"account": "id"})
    assert pipeline.deals["Name"].tolist() == ["x", "y"]
    assert pipeline.deals["account (DataFrame)"].tolist() == ["C", "A"] and pipeline.deals["account"].tolist() == [
        "A",
        "B",
    ]


def test_what_cannot_be_joined_says_why():
    nothing = pd.DataFrame({"colour": ["red"], "price": ["5"]})
    error = refused(deals("A"), join=[nothing])
    assert error.key == "no_join_key" and "colour" in str(error) and "--on" in str(error)
    unclear = pd.DataFrame({"one": ["A"], "two": ["A"]})
    assert refused(deals("A"), join=[unclear]).key == "join_unclear"
    error = refused(deals("A"), join=[unclear], on={"acount": "one"})
    assert error.key == "no_such_column" and "account" in str(error)
    counts = pd.DataFrame({"stage": ["Lead", "Won"], "count": [5, 2]})
    assert refused(counts, join=[unclear]).key == "join_counts"


def test_a_log_is_joined_by_a_column_of_its_rows():
    log = pd.DataFrame(
        {"id": ["1", "1"], "stage": STAGES, "entered": ["2026-01-01", "2026-01-02"], "agent": ["Ann", "Bob"]}
    )
    teams = pd.DataFrame({"agent": ["Ann", "Bob"], "team name": ["red", "blue"]})
    assert read(log, stages=STAGES, join=[teams]).deals["team name"].tolist() == ["blue"]


NAMES = st.sampled_from(["A", "a", "A A", "B", "", "C-1", "c1", "Ｂ"])


@settings(max_examples=40, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=8), st.lists(NAMES, min_size=1, max_size=6))
def test_deals_are_neither_lost_nor_doubled(many, one):
    accounts = pd.DataFrame({"account": one, "n": [str(i) for i in range(len(one))]}, dtype="str")
    try:
        pipeline = read(deals(*many), stages=STAGES, join=[accounts])
    except DataError as error:
        assert error.key == "no_join_key"
        return
    assert pipeline.deals["deal_id"].tolist() == [str(i) for i in range(len(many))]
    rows = pipeline.rows
    assert rows.rows_in == len(many) + len(one) == rows.good + rows.quarantined
    for account, n in zip(pipeline.deals["account"], pipeline.deals["n"], strict=True):
        if isinstance(n, str) and account in one:
            assert one[int(n)] == account
