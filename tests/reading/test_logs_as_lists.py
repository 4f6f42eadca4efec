"""Logs that look like lists of deals are read as logs, or refused with what to do; lists stay lists."""

import json

import pandas as pd
import pytest

from funnelkit.language import DataError, use_language
from funnelkit.reading.read import read
from tests.reading.test_systems import retold
from tests.support.writers import iso, stamp

STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review", "Closed Won")
HUBSPOT = ("appointmentscheduled", "qualifiedtobuy", "decisionmakerboughtin", "contractsent", "closedwon")


def states(names, lost):
    """Return (truth, a row for each stage or loss that a deal entered)."""
    truth = retold(names)
    ended = truth.deals[truth.deals["status"] == "lost"]
    ends = pd.DataFrame({"deal_id": ended["deal_id"], "stage": lost, "entered_at": ended["closed_at"]})
    deals = truth.deals.drop(columns="stage").assign(name=[f"Deal {n}" for n in range(len(truth.deals))])
    rows = pd.concat([truth.events, ends]).merge(deals, on="deal_id").sort_values("entered_at", kind="stable")
    return truth, rows.reset_index(drop=True)


def close(folder):
    truth, rows = states(STAGES, "Closed Lost")
    kind = {"Closed Won": "won", "Closed Lost": "lost"}
    events = [
        {"date_created": when, "action": "updated", "object_type": "opportunity", "object_id": row.deal_id,
         "changed_fields": ["status_id"], "previous_data": {},
         "data": {"id": row.deal_id, "lead_name": row.name, "status_label": row.stage, "value": row.amount * 100,
                  "status_type": kind.get(row.stage, "active"), "value_currency": "USD", "user_name": row.owner,
                  "date_created": created}}
        for row, when, created in zip(rows.itertuples(index=False), iso(rows["entered_at"]), iso(rows["created_at"]),
                                      strict=True)]  # fmt: skip
    other = {**events[0], "object_type": "activity.note", "data": {"id": "n1", "note": "Called"}}
    path = folder / "events.json"
    path.write_text(json.dumps({"data": [other, *events[::-1]], "cursor_next": None}), encoding="utf-8")
    return truth, rows, path


def hubspot(folder):
    truth, rows = states(HUBSPOT, "closedlost")
    records = []
    for deal, group in rows.groupby("deal_id", sort=False):
        last, times = group.iloc[-1], iso(group["entered_at"])
        told = [{"value": stage, "timestamp": time, "sourceType": "CRM_UI"}
                for stage, time in zip(group["stage"], times, strict=True)]  # fmt: skip
        fields = {"amount": str(last["amount"]), "dealname": last["name"], "hubspot_owner_id": last["owner"],
                  "dealstage": last["stage"], "createdate": last["created_at"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                  "closedate": iso(group["closed_at"]).iloc[-1] or None}  # fmt: skip
        history = {"dealstage": told[::-1], "amount": [{"value": fields["amount"], "timestamp": times.iloc[0]}]}
        records.append({"id": deal, "properties": fields, "propertiesWithHistory": history, "archived": False})
    path = folder / "deals.json"
    path.write_text(json.dumps({"results": records, "paging": {"next": {"after": "1"}}}), encoding="utf-8")
    return truth, rows, path


def zoho(folder):
    truth, rows = states(STAGES, "Closed Lost")
    table = pd.DataFrame({
        "Deal Name": rows["name"], "Account Name": rows["account"], "Deal Owner": rows["owner"],
        "Stage": rows["stage"], "Stage Duration (Days)": 3, "Amount": rows["amount"], "Modified By": rows["owner"],
        "Closing Date": rows["expected_close"].dt.strftime("%Y-%m-%d"), "Modified Time": stamp(rows["entered_at"]),
    })  # fmt: skip
    path = folder / "stage history.csv"
    table.to_csv(path, index=False)
    return truth, rows, path


def same(pipeline, truth, rows):
    """Hold outcomes, amounts and entries equal to the truth."""
    assert pipeline.layout == "events" and pipeline.rows.quarantined == 0
    assert pipeline.deals["status"].value_counts().to_dict() == truth.deals["status"].value_counts().to_dict()
    assert pipeline.deals["amount"].sum() == pytest.approx(truth.deals["amount"].sum())
    closed = pipeline.deals["closed_at"].dropna().sort_values(ignore_index=True)
    expected = truth.deals["closed_at"].dt.floor("s").dropna().sort_values(ignore_index=True)
    pd.testing.assert_series_equal(closed, expected, check_names=False, check_dtype=False)
    names = {stage.id: stage.name.en for stage in pipeline.model.stages}
    found = pd.DataFrame({"stage": pipeline.events["stage"].astype(str).map(names).str.casefold(),
                          "entered_at": pipeline.events["entered_at"]})  # fmt: skip
    wanted = truth.events.assign(stage=truth.events["stage"].str.casefold(),
                                 entered_at=truth.events["entered_at"].dt.floor("s"))  # fmt: skip
    columns = ["entered_at", "stage"]
    pd.testing.assert_frame_equal(
        found[columns].sort_values(columns, ignore_index=True),
        wanted[columns].sort_values(columns, ignore_index=True), check_dtype=False,
    )  # fmt: skip


@pytest.mark.parametrize("write", [close, hubspot, zoho])
def test_a_history_in_the_form_of_a_list_is_read_as_one(write, tmp_path):
    truth, rows, path = write(tmp_path)
    same(read(path), truth, rows)


def test_a_log_of_an_unknown_form_is_refused_and_what_the_sentence_says_reads_it(tmp_path):
    truth, rows, path = zoho(tmp_path)
    with pytest.raises(DataError) as refused:
        read(path, preset="generic")
    assert refused.value.key == "rows_are_entries" and "--map entered_at='Modified Time'" in str(refused.value)
    assert "--map deal_id='Deal Name'" in str(refused.value)
    told = {"deal_id": "Deal Name", "entered_at": "Modified Time"}
    same(read(path, preset="generic", map=told), truth, rows)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_states_without_a_time_are_refused(lang):
    _, rows = states(STAGES, "Closed Lost")
    use_language(lang)
    table = rows[["deal_id", "name", "stage", "amount"]]
    for given in (table, table.drop(columns="deal_id")):
        with pytest.raises(DataError) as refused:
            read(given)
        assert refused.value.key == "rows_are_states"
        assert f"{len(rows)}" in str(refused.value)


def test_deals_that_share_their_name_are_no_states():
    """A list without ids names what is sold: the same product to the same customer, won and lost again and again."""
    truth = retold(STAGES)
    n = range(len(truth.deals))
    table = pd.DataFrame({
        "Product": ["GTX" for _ in n], "Account": [f"Company {i % 7}" for i in n], "Deal name": ["GTX" for _ in n],
        "Stage": truth.deals["stage"], "Amount": truth.deals["amount"].round(-6), "Created": truth.deals["created_at"],
    })  # fmt: skip
    assert len(read(table).deals) == len(table)


def test_a_few_ids_that_stand_twice_are_set_aside_and_the_rest_is_read():
    _, rows = states(STAGES, "Closed Lost")
    table = rows.drop_duplicates("deal_id", keep="last")[["deal_id", "name", "stage", "amount"]]
    pipeline = read(pd.concat([table, table.head(8).assign(amount=1)]))
    assert pipeline.rows.quarantined == 16 and len(pipeline.deals) == len(table) - 8


def test_names_for_ids_stand_in_another_table_of_the_document(tmp_path):
    truth = retold(("New", "Qualification", "Discovery", "Demo", "Negotiation", "Won"))
    labels = [*truth.labels, "Lost"]
    stage = truth.deals["stage"].where(truth.deals["status"] != "lost", "Lost")
    deals = [{"id": number, "name": deal.name, "amount": deal.amount, "deal_stage_id": 7000 + labels.index(name),
              "owner_id": 5, "created_at": deal.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "deal_pipeline_id": 1,
              "stage_updated_time": None, "expected_close": None}
             for number, (deal, name) in enumerate(zip(truth.deals.itertuples(), stage, strict=True))]  # fmt: skip
    stages = [{"id": 7000 + place, "name": name, "position": place + 1} for place, name in enumerate(labels)]
    owners = [{"id": 5, "display_name": "Ann Lee"}]
    path = tmp_path / "view.json"
    document = {"deals": deals, "owners": owners, "deal_stages": stages[::-1], "meta": {"total": len(deals)}}
    path.write_text(json.dumps(document), encoding="utf-8")
    pipeline = read(path)
    assert pipeline.deals["status"].value_counts().to_dict() == truth.deals["status"].value_counts().to_dict()
    assert [item.name.en for item in pipeline.model.stages] == list(truth.labels)
    assert set(pipeline.deals["owner"]) == {"Ann Lee"}
    told = [finding.column for finding in pipeline.findings if finding.rule == "names_looked_up"]
    assert told == ["deal_stage_id", "owner_id"]
    document["deal_stages"] = stages[1:]  # a stage without a name: then all stay numbers
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError) as asked:
        read(path)
    assert asked.value.key == "stage_order_unknown"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_exports_of_the_same_deals_on_two_days_are_refused(lang, tmp_path):
    _, rows = states(STAGES, "Closed Lost")
    use_language(lang)
    columns = ["deal_id", "name", "stage", "amount"]
    early, late = (rows.drop_duplicates("deal_id", keep=which)[columns] for which in ("first", "last"))
    for name, table in (("january.csv", early), ("june.csv", late)):
        table.to_csv(tmp_path / name, index=False)
    with pytest.raises(DataError) as refused:
        read(tmp_path / "january.csv", tmp_path / "june.csv")
    assert refused.value.key == "deals_in_several_files"
    assert "january.csv, " in str(refused.value) and "june.csv" in str(refused.value)
    assert len(read(tmp_path / "june.csv").deals) == len(late)
