"""Files of systems and regions that were not thought of: outcomes, ids, dates and amounts as they are written there."""

import json

import numpy as np
import pandas as pd
import pytest

from funnelkit.cli import main
from funnelkit.language import DataError
from funnelkit.reading.layouts.outcomes import status_word
from funnelkit.reading.read import read


def counts(pipeline):
    return pipeline.deals["status"].value_counts().to_dict()


def rules(pipeline):
    return {finding.rule for finding in pipeline.findings}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("종료(성사)", "won"), ("종료 (실패)", "lost"), ("成立 (受注)", "won"), ("不成立 (失注)", "lost"),
        ("مغلق - ربح", "won"), ("مغلق - خسارة", "lost"), ("5. Ended (Won)", "won"), ("Encerrado: perdido", "lost"),
        ("Demo (success)", None), ("Contract - Lost", None), ("Ended", None), ("Closed - won by a rival", None),
    ],
)  # fmt: skip
def test_an_outcome_stands_behind_a_word_for_closed(name, word):
    assert status_word(name) == word


def test_the_chance_of_a_win_tells_ends_that_no_word_explains():
    rows = {"id": range(12), "Stage": ["Foo", "Bar", "Baz", "Zut"] * 3, "Probability (%)": [10, 50, 100, 0] * 3}
    found = read(rows)
    assert counts(found) == {"open": 6, "won": 3, "lost": 3} and "outcomes_by_chance" in rules(found)
    assert counts(read(rows, won="Bar")) == {"open": 6, "won": 3, "lost": 3}  # a word declared goes before
    assert counts(read({**rows, "Status": ["open", "open", "won", "open"] * 3})) == {"open": 9, "won": 3}
    begins = {**rows, "Stage": ["Lead", "Offer", "Baz", "Demo"] * 3, "Probability (%)": [0, 50, 100, 20] * 3}
    assert counts(read(begins)) == {"open": 9, "won": 3}  # a pipeline that begins without a chance


def deals(rows=12, **columns):
    """Return a table of so many rows; a column shorter than that is repeated."""
    return {name: [values[n % len(values)] for n in range(rows)] for name, values in columns.items()}


@pytest.mark.parametrize("header", ["Phase", "Stufe", "Etapa do lead", "Försäljningsfas", "Fas", "ขั้นตอน", "ステータス"])
def test_a_column_called_like_stages_whose_cells_read_so_is_the_stage(header):
    found = read(deals(id=range(12), **{header: ["1 A", "2 B", "Won", "Lost"]}))
    assert counts(found) == {"open": 6, "won": 3, "lost": 3}


def test_a_status_that_holds_stages_is_the_stage_where_no_other_column_is():
    found = read(deals(id=range(12), Status=["1 Lead", "2 Offer", "Won", "Lost"]))
    assert counts(found) == {"open": 6, "won": 3, "lost": 3} and found.rows.quarantined == 0
    few = deals(id=range(12), Status=["open", "Won", "Lost", "open", "Lsot", "open"])
    assert read(few).rows.quarantined == 2  # a slip beside plain outcomes is no stage
    with pytest.raises(DataError, match="no column for 'stage'"):
        read({"id": [1, 2, 3], "Phase": ["Lead", "MQL", "Won"], "date": ["2026-01-02"] * 3}, stages="Lead,MQL,Won")
    two = deals(id=range(12), Step=["Lead", "Offer", "Talk", "Sign"], Result=["Going", "Landed", "Gone", "Going"])
    with pytest.raises(DataError, match=r"no column for 'stage'.* It may be 'Step'"):
        read(two, stages="Lead,Offer,Talk,Sign")


def dates(*texts, **options):
    found = read({"id": range(len(texts)), "stage": ["1 A"] * len(texts), "created": texts}, **options)
    return found.deals["created_at"].astype(str).tolist(), rules(found)


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (("令和7年1月13日", "平成31年4月30日", "令和元年5月1日"), ["2025-01-13", "2019-04-30", "2019-05-01"]),
        (("R7.1.13", "H31/4/30"), ["2025-01-13", "2019-04-30"]),
        (("民國114年1月13日",), ["2025-01-13"]),
        (("13/1/2568", "29/2/2567"), ["2025-01-13", "2024-02-29"]),
        (("2568-01-13", "2567-02-29"), ["2025-01-13", "2024-02-29"]),
        (("13 ocak 2025", "3 února 2025", "13 березня 2025"), ["2025-01-13", "2025-02-03", "2025-03-13"]),
        (("2025-01-13 23:30 PST", "2025-01-13 00:30 CET"), ["2025-01-14 07:30:00", "2025-01-12 23:30:00"]),
        (("2025-01-13 23:30 GMT+8", "2025-01-13 23:30 UTC-05:30"), ["2025-01-13 15:30:00", "2025-01-14 05:00:00"]),
    ],
)
def test_dates_of_other_calendars_languages_and_zones(texts, days):
    assert dates(*texts)[0] == days


def test_a_calendar_that_cannot_be_told_is_refused_with_advice():
    for text in ("1403/10/13", "13-10-1446", "1403-10-13"):
        with pytest.raises(DataError, match="another calendar") as caught:
            dates(text, text)
        assert caught.value.key == "calendar_other"
    assert "date_range" in dates("2025-01-02", "2565-01-02")[1]  # a slip among years of ours


def test_years_of_two_digits_are_told_from_days_by_what_varies():
    days = ["13", "20", "03", "14", "27", "06", "18"]
    assert dates(*(f"{day}.0{n % 3 + 1}.25" for n, day in enumerate(days)))[0][0] == "2025-01-13"
    assert dates(*(f"25.0{n % 3 + 1}.{day}" for n, day in enumerate(days)))[0][0] == "2025-01-13"
    with pytest.raises(DataError, match="could be"):
        dates("13.01.25", "20.01.25")  # too few to tell
    with pytest.raises(DataError, match="could be"):
        dates(*(f"0{n}/02/25" for n in range(1, 9)))  # the month is still open


def amounts(*texts, header="amount"):
    found = read({"id": range(len(texts)), "stage": ["1 A"] * len(texts), header: texts})
    return found.deals["amount"].tolist(), found.deals["currency"].dropna().tolist()


@pytest.mark.parametrize(
    ("texts", "values", "currencies"),
    [
        (("3.5 Lakh", "1.2 Cr", "2 crore", "7,25,000"), [3.5e5, 1.2e7, 2e7, 7.25e5], []),
        (("١٢٥٠٠٫٥٠", "٨٬٣٠٠٫٠٠"), [12500.5, 8300.0], []),
        (("\\12,500.0", "\\8,300.0"), [12500.0, 8300.0], []),  # a yen sign of Shift JIS
        (("RMB 300", "RMB 500"), [300.0, 500.0], ["CNY"] * 2),
        (("500 TL", "1.500,50 TL"), [500.0, 1500.5], ["TRY"] * 2),
    ],
)
def test_amounts_as_regions_write_them(texts, values, currencies):
    assert amounts(*texts) == (values, currencies)


def test_a_word_for_not_closed_yet_is_no_date_and_no_fault():
    rows = deals(id=range(12), stage=["1 A", "2 B", "Won", "Lost"], closed=["não fechado", "não fechado", "2026-02-03"])
    assert read(rows).rows.quarantined == 0
    rows["created"] = ["x"] + ["2026-01-02"] * 10 + ["x"]
    assert read(rows).rows.quarantined == 2  # a deal without a beginning is none


# --- tables of counts ------------------------------------------------------------------------------------------------


def entered(pipeline):
    return pipeline.counts.groupby("stage", observed=True)["n_entered"].sum().astype(int).to_dict()


def test_counts_with_a_column_a_period(tmp_path):
    path = tmp_path / "months.csv"
    path.write_text(
        'Stage,Jan 2026,Feb 2026,Total\nVisit,"12,400","13,010","25,410"\nTrial,310,322,632\nPaid,71,80,151\n'
    )
    found = read(path)
    assert list(entered(found).values()) == [25410, 632, 151] and "counts_by_period" in rules(found)
    assert found.counts["period"].unique().tolist() == ["Jan 2026", "Feb 2026"]


def test_counts_with_a_column_a_stage_only_where_they_shrink():
    table = {
        "月份": ["1月", "2月"],
        "曝光量": ["10.2万", 98000],
        "点击量": [8400, 8010],
        "付费数": [88, 79],
        "付费率": ["1%", "1%"],
    }
    found = read(table)
    assert entered(found) == {"曝光量": 200000, "点击量": 16410, "付费数": 167} and "counts_by_stage" in rules(found)
    with pytest.raises(DataError, match="no column"):
        read({"Month": ["Jan", "Feb"], "Cost": [5, 6], "Clicks": [50, 70], "Orders": [3, 9]})


def flagged(rng, n=400):
    stages = {"visited": np.ones(n, int)}
    for name, share in (("registered", 0.8), ("activated", 0.5), ("paid", 0.3)):
        stages[name] = (list(stages.values())[-1] * (rng.random(n) < share)).astype(int)
    device = rng.choice(["ios", "web"], n)
    return pd.DataFrame({"user_id": range(n), "device": device, "age": rng.integers(18, 80, n), **stages})


@pytest.mark.parametrize(("yes", "no"), [(1, 0), (True, False), ("是", "否"), ("Yes", "No")])
def test_a_flag_for_each_stage_is_counted_by_the_columns_of_few_names(tmp_path, yes, no):
    rows = flagged(np.random.default_rng(3))
    truth = rows.groupby("device")[["visited", "registered", "activated", "paid"]].sum()
    stages = list(truth)
    rows[stages] = rows[stages].replace({1: yes, 0: no})
    rows.to_csv(tmp_path / "users.csv", index=False)
    for source in (rows, tmp_path / "users.csv"):
        found = read(source)
        assert entered(found) == truth.sum().to_dict() and "counts_by_flag" in rules(found)
        by_device = found.counts.pivot(index="device", columns="stage", values="n_entered")[stages]
        assert by_device.astype(int).to_dict() == truth.to_dict()


def test_flags_that_are_no_stages_are_refused_with_what_to_do():
    rows = flagged(np.random.default_rng(4)).assign(newsletter=[0, 1] * 200)
    with pytest.raises(DataError, match=r"no yes would follow a no, but [0-9,]+ rows have one .* Put the columns"):
        read(rows)
    assert entered(read(rows.drop(columns="newsletter")))["visited"] == 400
    with pytest.raises(DataError, match="no column"):  # a row an event: the id comes again
        read(pd.concat([rows, rows]).drop(columns="newsletter"))
    with pytest.raises(DataError, match="no column"):  # two flags agree too often by chance
        read(rows[["user_id", "visited", "paid"]])


def test_a_report_of_a_funnel_with_remarks_above_and_sums_within(tmp_path):
    path = tmp_path / "funnel.csv"
    path.write_text(
        "# ----\n# Funnel 1\n# 20260101-20260131\n\nStep,Device,Active users (Step 1 is 100%),Completion rate\n"
        "1. Visit,Total,500,0.2\n1. Visit,mobile,300,0.1\n1. Visit,desktop,200,0.35\n"
        "2. Buy,Total,100,\n2. Buy,mobile,30,\n2. Buy,desktop,70,\n"
    )
    found = read(path)
    assert list(entered(found).values()) == [500, 100]
    assert found.rows.quarantined == 2 and "totals_row" in rules(found)


def test_a_mark_in_a_count_parts_thousands():
    found = read({"Etapa": ["Visitas", "Vendas"], "Quantidade": ["10.000", "78"], "Conversão": ["100%", "0,78%"]})
    assert list(entered(found).values()) == [10000, 78]


# --- stages dated in columns, ids that some events lack --------------------------------------------------------------


def test_columns_of_dates_called_like_stages_beside_outcomes():
    table = {"Deal ID": list("abcde"), "Lead": ["2026-01-02"] * 5, "Demo": ["2026-01-09"] * 4 + [None],
             "Quote": ["2026-01-19", "2026-01-20", None, None, None], "Won": ["2026-02-02"] + [None] * 4,
             "Lost": [None, "2026-02-03", "2026-02-04", None, None]}  # fmt: skip
    found = read(table)
    assert counts(found) == {"won": 1, "lost": 2, "open": 2} and found.deals["closed_at"].notna().sum() == 3
    assert [stage.name.en for stage in found.model.stages] == ["Lead", "Demo", "Quote", "Won"]
    later = {**table, "Won": ["2026-02-02"] * 5, "Demo": [None, None, "2026-01-09", None, "2026-01-09"]}
    with pytest.raises(DataError, match="no column"):  # a quote without a demo: dates of something else
        read(later)


def test_wide_dates_need_no_id():
    table = {"Company": ["x", "y"], "Date entered Lead": ["2026-01-02"] * 2, "Date entered Won": ["2026-01-09", None]}
    assert counts(read(table)) == {"won": 1, "open": 1}


def test_events_of_visitors_count_where_some_have_no_user(tmp_path, capsys):
    n = range(20)
    log = {"userId": [None if i % 2 else f"u{i // 4}" for i in n], "anonymousId": [f"a{i // 4}" for i in n],
           "event": ["view", "buy"] * 10, "timestamp": [f"2026-01-{1 + i:02d}T00:00:00" for i in n]}  # fmt: skip
    found = read(log, stages="view,buy")
    assert found.rows.good == 20 and found.deals["deal_id"].nunique() == 5 and "id_without_blanks" in rules(found)
    path = tmp_path / "log.csv"
    pd.DataFrame(log).to_csv(path, index=False)
    assert main(["count", str(path), "--steps", "view,buy", "--lang", "en"]) == 0
    assert "10 rows have no 'userId'" in capsys.readouterr().out
    slip = {**log, "userId": [None, *(f"u{i // 4}" for i in range(1, 20))]}
    assert read(slip, stages="view,buy").rows.quarantined == 1  # one row without a user is a fault of that row


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("ID|Zákazník|Fáze|Částka|Měna|Uzavřeno|Důvod", "cp1250"),
        ("ID;Ügyfél;Fázis;Összeg;Felelős;Létrehozás;Érték;Időpont;Költségű", "cp1250"),
        ("ID;Client;Étape;Montant;Créé;Clôturé", "cp1252"),
        ("ID;Kunde;Fase;Beløb;Oprettet på", "cp1252"),
        ("ID;Cliente;Opportunità;Perché;Così;Più;Però", "cp1252"),
    ],
)
def test_the_encoding_proposed_is_that_of_the_language(header, encoding, tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes((header + "\n").encode(encoding) * 3)
    with pytest.raises(DataError) as caught:
        read(path)
    problems = caught.value.values.get("problems", (caught.value,))
    assert next(each.values["likely"] for each in problems if each.key == "encoding_unclear") == encoding


def test_archived_opportunities_are_lost_in_every_language():
    table = {"Stufe": ["Neu"] * 3, "Aktiv": [True, False, True], "Erwarteter Umsatz": [1, 2, 3]}
    assert counts(read(table, stages="Neu,Gewonnen")) == {"open": 2, "lost": 1}


def test_currencies_in_words():
    rows = deals(id=range(12), stage=["1 A"], amount=["5"], currency=["US Dollar : USD"])
    assert read(rows).deals["currency"].unique().tolist() == ["USD"]


def test_a_stage_whose_deals_all_have_a_close_date_where_no_other_has_looks_closed():
    rows = deals(id=range(12), stage=["1 A", "2 B", "3 Zut", "Won"], closed=[None, None, "2026-02-03", "2026-02-03"])
    found = read(rows)
    said = [finding.message() for finding in found.findings if finding.rule == "stage_looks_closed"]
    assert len(said) == 1 and "'3 Zut'" in said[0] and counts(found) == {"open": 9, "won": 3}
    assert "stage_looks_closed" not in rules(read(rows, lost="3 Zut"))
    rows["closed"] = ["2026-12-31", None, "2026-12-31", "2026-02-03"] * 3  # expected closes, by stage or not
    rows["closed"][4] = None
    assert "stage_looks_closed" not in rules(read(rows))


def test_a_mark_over_the_last_letter_is_part_of_a_name():
    assert status_word("6. แพ้") == "lost" and status_word("Won ❤️") == "won"


def test_the_state_of_a_deal_that_was_changed_last_holds():
    rows = {"id": ["a", "b", "a"], "stage": ["1 A", "1 A", "Won"], "amount": [5, 6, 7],
            "Last modified": ["2026-01-02", "2026-01-03", "2026-01-04"]}  # fmt: skip
    found = read(rows)
    assert counts(found) == {"open": 1, "won": 1} and found.amount_total == 13 and "older_state" in rules(found)
    rows["Last modified"][2] = rows["Last modified"][0]  # none is the later one
    assert read(rows).rows.quarantined == 2


def test_amounts_of_a_log_are_told_once_a_deal_too():
    days = ["2026-01-02", "2026-01-03", "2026-01-04"]
    log = {"deal_id": list("aab"), "stage": ["1 A", "2 B", "1 A"], "entered_at": days, "amount": [5.0, 5.0, 6.0]}
    found = read(log)
    said = [finding.message() for finding in found.findings if finding.rule == "amounts_of_rows"]
    assert found.amount_total == 16 and "16.00" in said[0] and "11.00" in said[0]


def test_messages_of_moves_nested_in_data(tmp_path):
    path = tmp_path / "moves.jsonl"
    lines = [
        {"event": "moved", "occurred_at": f"2026-01-0{day}T00:00:00Z",
         "data": {"deal": {"id": deal, "amount": {"value": 5, "currency": "EUR"}}, "from": old, "to": new}}
        for day, deal, old, new in [(2, 1, None, "1 A"), (3, 1, "1 A", "won"), (4, 2, None, "1 A")]
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    found = read(path)
    assert counts(found) == {"won": 1, "open": 1} and found.deals["currency"].tolist() == ["EUR", "EUR"]
