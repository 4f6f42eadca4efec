"""Outcomes: declared names, words of many languages, flags, exits; stages in the order that names or chances state."""

import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading import read
from funnelkit.reading.layouts.outcomes import declared_ends, leading, status_word
from tests.support.readings import rules, table


def statuses(pipeline):
    return dict(zip(pipeline.deals["deal_id"], pipeline.deals["status"], strict=True))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Closed Won", "won"), ("6. Closed Lost", "lost"), ("07 - Closed Won", "won"), ("D) Closed Lost", "lost"),
        ("④ 输单", "lost"), ("5、赢单", "won"), ("C6:WON", "won"), ("C12:LOSE", "lost"), ("Closed Won (100%)", "won"),
        ("Cerrado ganado", "won"), ("Geschlossen verloren", "lost"), ("Fermé gagné", "won"),
        ("Fechado perdido", "lost"),
        ("Сделка провалена", "lost"), ("Успешно реализовано", "won"), ("受注", "won"), ("失注", "lost"),
        ("Duplicado", "void"), ("Prospecting", None), ("2nd call", None), ("A_DECLINED", None),
        ("Lost and found", None),
    ],
)  # fmt: skip
def test_words_of_outcomes_also_behind_a_number(name, word):
    assert status_word(name) == word


def test_what_leads_a_name():
    assert leading("3.1 Offer")[0] == leading("3 Offer")[0] < leading("10 - Deal")[0]
    assert leading("A. First")[0] < leading("b) Second")[0]
    assert leading("Offer") is None and leading("100%") is None and leading("3D model") is None


def test_declared_names_are_taken_from_texts_and_lists_and_must_not_contradict():
    assert declared_ends("Signed, Paid", ["No"], None) == {"signed": "won", "paid": "won", "no": "lost"}
    with pytest.raises(DataError) as caught:
        declared_ends("Signed", ["signed"], None)
    assert caught.value.key == "outcome_twice"


DEALS = """id|stage|created|closed
1|Neu|2026-01-01|
2|Ja|2026-01-02|2026-02-01
3|Nix|2026-01-03|2026-02-02
4|Neu|2026-01-04|"""


def test_declared_outcomes_of_deals():
    found = read(table(DEALS), stages=["Neu"], won="Ja", lost=["Nix"])
    assert statuses(found) == {"1": "open", "2": "won", "3": "lost", "4": "open"} and found.rows.quarantined == 0
    assert found.model.stage_ids == ("Neu", "Ja") and found.model.won_stage == "Ja"
    assert statuses(read(table(DEALS), won=["Ja"], lost="Nix")) == statuses(found)  # the order is not needed: one stage
    warned = read(table(DEALS), won="Ja", lost=["Nix", "Nixx"])
    assert [f.value for f in warned.findings if f.rule == "outcome_unmet"] == ["Nixx"]


LOG = """deal_id|stage|entered_at
1|Sent|2026-01-01
1|Seen|2026-01-02
1|Paid|2026-01-03
2|Sent|2026-01-01
2|Seen|2026-01-04
2|Stop|2026-01-05
3|Sent|2026-01-02
3|Stop|2026-01-03
4|Sent|2026-01-06
5|Sent|2026-01-06
5|Stop|2026-01-07
6|Sent|2026-01-06
6|Stop|2026-01-08"""


def test_declared_outcomes_of_a_log():
    found = read(table(LOG), stages=["Sent", "Seen"], won="Paid", lost="Stop")
    assert statuses(found) == {"1": "won", "2": "lost", "3": "lost", "4": "open", "5": "lost", "6": "lost"}
    assert found.deals["closed_at"].dropna().dt.day.tolist() == [3, 5, 3, 7, 8]
    assert found.events["stage"].value_counts().to_dict() == {"Sent": 6, "Seen": 2, "Paid": 1}
    assert "stage_merged" not in rules(found)


def test_an_exit_by_its_name_is_taken_and_said_loudly():
    found = read(table(LOG.replace("Stop", "Rejected")))
    assert statuses(found)["3"] == "lost" and "Rejected" not in found.model.stage_ids
    told = next(finding for finding in found.findings if finding.rule == "outcomes_proposed")
    assert told.severity == "warn" and "--lost 'Rejected'" in told.message("en") and "Rejected" in told.message("zh")
    named = read(table(LOG.replace("Stop", "Rejected")), stages=["Sent", "Seen", "Paid", "Rejected"])
    assert statuses(named)["3"] == "open"  # whoever names it as a stage has it as a stage


def test_a_word_for_an_exit_that_deals_go_on_after_is_a_stage():
    rows = "\n".join(
        f"{i}|{name}|2026-01-0{day}" for i in range(5) for day, name in enumerate(("Sent", "Expired", "Again"), 1)
    )
    assert read(table("deal_id|stage|entered_at\n" + rows)).model.stage_ids == ("Sent", "Expired", "Again")


def test_a_branch_by_its_shape_is_named_with_what_it_does():
    rows = LOG.replace("Stop", "Archive") + "\n1|Sent2|2026-01-01"
    found = read(table(rows))
    told = [f for f in found.findings if f.rule == "stage_is_branch" and f.value == "Archive"]
    assert told and "--lost 'Archive'" in told[0].message("en")


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("Y", "N"), ("TRUE", "FALSE"), ("Ja", "Nein"), ("是", "否")])
def test_flags_are_no_dates(yes, no):
    rows = f"""id|stage|created|close date|Closed|Won
    1|Lead|2026-01-01|2026-02-01|{yes}|{yes}
    2|Lead|2026-01-02|2026-02-02|{yes}|{no}
    3|Lead|2026-01-03|2026-03-03|{no}|{no}"""
    found = read(table(rows), stages=["Lead", "Offer", "Won"])
    assert list(statuses(found).values()) == ["won", "lost", "open"] and found.rows.quarantined == 0
    assert found.deals["closed_at"].dropna().dt.day.tolist() == [1, 2]


def test_a_column_without_a_date_does_not_win_over_one_with_dates():
    rows = "id|stage|closed|close date\n1|Won|on time|2026-02-01\n2|Won|late|2026-02-02"
    found = read(table(rows), stages=["Lead", "Won"])
    assert found.rows.good == 2 and found.deals["closed_at"].dt.day.tolist() == [1, 2]


def test_a_status_decides_where_the_stage_is_unknown_or_says_otherwise():
    rows = "id|stage|status\n1|Zombie|Lost\n2|Won|Lost\n3|Lead|Won\n4|Zombie|Open\n5|Lead|Declined"
    found = read(table(rows), stages=["Lead", "Won"])
    assert statuses(found) == {"1": "lost", "2": "lost", "3": "won", "5": "lost"}
    assert {"stage_by_status", "status_contradicts"} <= set(rules(found, "warn")) and found.rows.quarantined == 1
    assert set(found.events.loc[found.events["stage"] == "Won", "deal_id"]) == {"3"}


def test_the_status_beside_a_history_is_what_became_of_the_deal():
    rows = """deal_id|stage|entered_at|status
    a|Lead|2026-01-01|Won
    a|Offer|2026-01-03|Won
    b|Lead|2026-01-02|Lost
    b|Offer|2026-01-04|Lost
    c|Lead|2026-01-03|Open"""
    found = read(table(rows))
    assert statuses(found) == {"a": "won", "b": "lost", "c": "open"}
    assert found.model.stage_ids == ("Lead", "Offer", "Won")
    assert found.events.groupby("deal_id")["stage"].apply(list).to_dict()["a"] == ["Lead", "Offer", "Won"]
    results = read(table(rows.replace("status", "result")))  # what an event resulted in
    assert set(statuses(results).values()) == {"open"}


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["2. Offer", "1. Lead", "10. Deal", "11. Closed Won", "12. Closed Lost"], "leading"),
        (["b) Offer", "a) Lead", "c) Deal", "d) Closed Won", "e) Closed Lost"], "leading"),
    ],
)
def test_order_from_what_leads_the_names(names, why):
    found = read(pd.DataFrame({"id": range(5), "stage": names}))
    assert found.model.stage_ids == (names[1], names[0], names[2], names[3]) and f"stage_order_{why}" in rules(found)
    assert found.deals["status"].tolist() == ["open"] * 3 + ["won", "lost"]


def test_order_from_chances_or_categories():
    frame = pd.DataFrame(
        {"id": range(8), "stage": ["Offer", "Lead", "Demo", "Won"] * 2, "Probability (%)": [50, 10, 30, 100] * 2}
    )
    found = read(frame)
    assert found.model.stage_ids == ("Lead", "Demo", "Offer", "Won") and "stage_order_chance" in rules(found)
    stages = pd.Categorical(frame["stage"], ["Demo", "Lead", "Offer", "Won"], ordered=True)
    ordered = read(frame.assign(stage=stages).drop(columns="Probability (%)"))
    assert ordered.model.stage_ids == ("Demo", "Lead", "Offer", "Won") and "stage_order_categories" in rules(ordered)
    own = frame.assign(**{"Probability (%)": range(8)})  # chances of the deals, not of the stages
    with pytest.raises(DataError, match="which comes first"):
        read(own)


def test_outcomes_alone_make_one_step():
    flags = read(pd.DataFrame({"Deal Name": ["x", "y"], "IsWon": [True, False], "IsClosed": [True, True]}))
    assert flags.deals["status"].tolist() == ["won", "lost"] and len(flags.model.stages) == 2
    words = read(table("name|status|created\nx|Won|2026-01-01\ny|Lost|2026-01-02\nz|Open|2026-01-03"))
    assert words.deals["status"].tolist() == ["won", "lost", "open"] and {"one_step", "id_made"} <= set(rules(words))
    assert not words.limit("stage_of_loss_unknown")
    stage = read(table("id|stage\n1|Won\n2|Lost\n3|Open"))
    assert stage.deals["status"].tolist() == ["won", "lost", "open"] and str(stage.model.stages[0].name) == "Open"
