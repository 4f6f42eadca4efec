"""Forms: each system's export is known by its headers, in any dress; rows of other changes stay out; real files."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError, FunnelkitError
from funnelkit.reading.layouts.presets import find_form, preset_data, preset_names
from funnelkit.reading.read import read
from funnelkit.reading.summary import check_summary
from tests.support.readings import codes, found, table

DATA = Path(__file__).parents[4] / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.exists(), reason="real data sets are not in this checkout")


HEADERS = {
    "salesforce.opportunity": "Id,Name,AccountId,OwnerId,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon",
    "salesforce.history": "Id,OpportunityId,StageName,Amount,CloseDate,PrevAmount,CreatedDate,SystemModstamp",
    "salesforce.field_history": "Id,OpportunityId,Field,OldValue,NewValue,DataType,CreatedDate",
    "salesforce.history_report": "Opportunity Name,Edited By,Field / Event,Old Value,New Value,Edit Date",
    "salesforce.trending": "OpportunityId,EffectiveFromDate,EffectiveToDate,OldStageName,NewStageName",
    "hubspot.api": "hs_object_id,dealname,dealstage,closedate,createdate",
    "hubspot.export": "RECORD ID,Deal name,deal Stage,Amount,Close Date,Create Date,Deal owner,Pipeline",
    "pipedrive.export": "Deal - ID,Deal - Title*,Deal - Stage,Deal - Status,Organization",
    "pipedrive.api": "id,title,value,stage_id,status,add_time,won_time,lost_time",
    "odoo.lead": "id,name,stage_id,active,expected_revenue,create_date,duration_tracking",
    "odoo.tracking": "res_id,create_date,old_value_integer,new_value_integer,field",
    "zoho.deals": "Deal ID,Deal Owner,Stage,Amount,Overall sales duration,Sales cycle duration",
    "fxiaoke.opportunity": "_id,name,sales_stage__r,sales_status__r,create_time",
    "fxiaoke.export": "商机名称,销售阶段,商机状态,商机金额",
    "neocrm.opportunity": "id,opportunityName,money,saleStageId,lostStageId,winRate",
    "frappe.log": "parent,from,to,from_date,to_date,duration,log_owner",
    "cordys.opportunity": "id,customer_id,name,organization_id,stage,owner,create_time,update_time",
    "suitecrm.audit": "id,parent_id,date_created,field_name,before_value_string,after_value_string",
    "suitecrm.opportunities": "id,name,sales_stage,date_entered,date_closed,amount",
    "dynamics.export": "(Do Not Modify) Opportunity,(Do Not Modify) Row Checksum,Topic,Est. Revenue,Status,Created On",
    "dynamics.api": "opportunityid,name,statecode,stepname,estimatedvalue,createdon",
    "dynamics.view": "Topic,Potential Customer,Est. Close Date,Est. Revenue,Owner",
    "bitrix24.export": "ID,Stage,Deal Name,Income,Responsible,Closed,Created,Assumed close date",
    "bitrix24.export_ru": "ID,Стадия сделки,Название сделки,Сумма,Сделка закрыта,Дата создания",
    "bitrix24.api": "ID,TITLE,STAGE_ID,STAGE_SEMANTIC_ID,OPPORTUNITY,DATE_CREATE,CLOSEDATE",
    "bitrix24.history": "ID,TYPE_ID,OWNER_ID,CREATED_TIME,CATEGORY_ID,STAGE_SEMANTIC_ID,STAGE_ID",
    "amocrm.export_ru": "ID,Название сделки,Компания,Этап сделки,Бюджет,Дата создания сделки",
    "amocrm.export": "ID,Lead title,Company,Lead stage,Pipeline,Sale,Created at",
    "amocrm.api": "id,name,price,responsible_user_id,status_id,pipeline_id,created_at,closed_at",
    "close.opportunity": "id,lead_name,status_label,status_type,value,value_period,date_created,date_won",
    "copper.export": "Copper ID,Name,Company,Stage,Status,Value,Owned By,Win Probability",
    "copper.api": "id,name,assignee_id,pipeline_stage_id,status,monetary_value,win_probability",
    "freshsales.export": "ID,Deal name,Deal value,Deal stage,Sales owner,Closed date",
    "freshsales.api": "id,name,amount,deal_stage_id,deal_pipeline_id,expected_close,created_at",
    "monday.board": "Name,Stage,Owner,Deal Value,Item ID (auto generated)",
    "notion.deals": "Name,Account Owner,Company,Estimated Value,Stage,Last Contact",
    "notion.deals_zh": "名称,负责人,预计金额,阶段,创建时间",
    "airtable.opportunities": "Opportunity name,Status,Account,Estimated value,Proposal deadline",
    "airtable.api": "id,createdTime,Opportunity name,Status",
    "ga4.events": "event_date,event_timestamp,event_name,user_pseudo_id,platform",
    "amplitude.events": "$insert_id,amplitude_id,event_type,event_time,user_id",
    "mixpanel.events": "event,time,distinct_id,$insert_id",
    "mixpanel.table": "Event Name,Time,Distinct ID",
    "posthog.events": "uuid,event,timestamp,distinct_id,person_id,properties",
    "matomo.actions": "idvisitor,idvisit,server_time,name",
    "snowplow.events": "app_id,collector_tstamp,event,user_id,event_name,derived_tstamp",
    "activecampaign.api": "id,title,value,currency,stage,status,cdate,mdate",
    "hubspot.property_history": "Record ID,Property name,Value,Change date",
    "hubspot.webhook": "eventId,objectId,propertyName,propertyValue,occurredAt",
    "fxiaoke.list": "商机编号,商机名称（必填）,商机阶段（必填）,结单时间,生命状态,负责人（必填）",
    "neocrm.list": "商机名称,销售金额,结单日期,销售阶段,商机所有人,创建日期,输单阶段",
    "freshsales.export_amount": "ID,Name,Amount,Deal stage,Deal pipeline,Sales owner,Closed date",
    "xes.log": "case:concept:name,concept:name,time:timestamp,org:resource",
    "wecom.sheet": "商机编号,客户名称,跟进人,跟进阶段,预计金额,添加时间",
    "dingtalk.crm": "商机编号,商机名称,商机阶段,预计成交金额,负责人",
    "dingtalk.yida": "实例ID,实例标题,商机阶段,商机金额,提交人",
    "sap.history": "Opportunity ID,Changed On,Changed By,Attribute,Old Value,New Value",
    "sap.history_de": "Opportunity-ID,Geändert am,Geändert von,Attribut,Alter Wert,Neuer Wert",
    "business-central.entries": "Opportunity No.,Date of Change,Previous Sales Cycle Stage,Sales Cycle Stage",
}


@pytest.mark.parametrize(("form", "headers"), HEADERS.items())
def test_an_export_is_known_by_its_headers_in_any_dress(form, headers):
    headers = headers.split(",")
    dressed = [
        headers,
        headers[::-1],
        [f" {header.upper()} " for header in headers],
        [f"{header}*" for header in headers],
        [*headers, "x"],
    ]
    for names in dressed:
        met = find_form(names)
        assert f"{met.preset}.{met.name}" == form
    assert find_form(headers, layout="counts") is None
    assert find_form(headers, "generic") is None


def test_ordinary_tables_are_no_ones_export():
    for headers in ("deal_id,stage,entered_at", "id,stage,status,amount,created,closed", "deal_id,timestamp,name,value",
                    "商机编号,阶段,进入时间", "stage,count", "id,name,owner,stage,close date"):  # fmt: skip
        assert find_form(headers.split(",")) is None


def test_presets_hold_what_readers_use():
    for name in preset_names():
        raw = preset_data(name)
        if "stages" in raw:
            assert raw["won_stage"] in raw["stages"]
        assert set(raw) <= {"title", "stages", "own_stages", "won_stage", "flags_by_stage", "ends", "codes", "scale",
                            "columns", "events", "counts", "signs", "words", "foreign", "likely", "sequence",
                            "forms"}  # fmt: skip
        assert set(raw.get("ends", {})) <= {"won", "lost", "void", "open"}
        assert set(raw.get("codes", {}).values()) <= {"won", "lost", "void", "open"}
        for form in raw.get("forms", {}).values():
            assert form["layout"] in ("deals", "events", "counts")
            assert set(form) <= {"title", "layout", "needs", "any", "none", "prefix", "only", "limits", "columns"}
    assert preset_data("Business_Central") == preset_data("business-central")


AUDIT = """id|parent_id|date_created|created_by|field_name|before_value_string|after_value_string
1|A|2026-01-02 10:00|u|sales_stage|Prospecting|Qualification
2|A|2026-01-03 10:00|u|amount|10|20
3|B|2026-01-04 10:00|u|sales_stage|Prospecting|Closed Lost"""


def test_rows_of_other_changes_are_left_out_and_counted():
    pipeline = read(table(AUDIT), stages=["Prospecting", "Qualification"])
    assert (pipeline.rows.rows_in, pipeline.rows.good, pipeline.rows.ignored, pipeline.rows.quarantined) == (3, 2, 1, 0)
    note = found(pipeline, "rows_left_out")
    assert (note.severity, note.column, note.values["n"]) == ("note", "field_name", 1)
    assert "suitecrm" in found(pipeline, "form_found").value.lower()
    assert read(table(AUDIT), stages=["Prospecting", "Qualification"], preset="suitecrm").rows == pipeline.rows


def test_a_log_without_a_change_of_stage_is_refused_with_what_it_holds():
    with pytest.raises(DataError) as caught:
        read(table(AUDIT).iloc[[1]])
    assert caught.value.key == "no_row_of_form" and "amount" in str(caught.value) and "sales_stage" in str(caught.value)
    assert "没有值为 sales_stage 的行" in caught.value.say("zh")


def test_flags_of_a_stage_say_which_names_are_ends():
    rows = """Id|StageName|IsClosed|IsWon|OwnerId|CreatedDate|CloseDate
    1|Talk|false|false|o|2026-01-01|2026-05-01
    2|Signed|true|true|o|2026-01-01|2026-02-01
    3|Dead end|true|false|o|2026-01-01|2026-02-02"""
    pipeline = read(table(rows))
    assert pipeline.model.stage_ids == ("Talk", "Signed") and pipeline.model.won_stage == "Signed"
    assert pipeline.deals["status"].tolist() == ["open", "won", "lost"]
    given = read(table(rows), stages=["Talk", "Signed"])
    assert given.rows.quarantined == 0 and given.deals["status"].tolist() == ["open", "won", "lost"]


def test_a_few_stages_of_a_known_system_keep_its_order():
    rows = """Id|StageName|IsClosed|IsWon|OwnerId|CreatedDate|CloseDate
    1|Value Proposition|false|false|o|2026-01-01|2026-05-01
    2|Qualification|false|false|o|2026-01-01|2026-02-01"""
    assert read(table(rows)).model.stage_ids == tuple(preset_data("salesforce")["stages"])


def test_deleted_deals_are_void_and_closed_ones_without_outcome_too():
    flagged = """hs_object_id|dealstage|hs_is_closed|createdate|is_deleted
    1|Lead|true|2026-01-01|false
    2|Won|true|2026-01-01|true
    3|Lead|false|2026-01-01|false"""
    pipeline = read(table(flagged), stages=["Lead", "Won"])
    assert pipeline.deals["status"].tolist() == ["void", "void", "open"]
    assert pipeline.limit("outcome_unknown").values == {"n": 1}
    assert found(pipeline, "deleted_deals").values["n"] == 1
    assert found(pipeline, "closed_without_outcome").severity == "warn"


def test_the_stage_in_which_a_deal_was_lost_is_kept():
    rows = """id|opportunityName|money|saleStageId|lostStageId|winRate|createdAt
    1|n|10|输单|102|0|1767225600000
    2|n|10|103||100|1767225600000
    3|n|10|102|0|20|1767225600000"""
    pipeline = read(table(rows), stages=["101", "102", "103"])
    assert pipeline.deals["status"].tolist() == ["lost", "won", "open"]
    assert pipeline.events["stage"].tolist() == ["102", "103", "102"]
    assert not {"stage_of_loss_unknown"} & codes(pipeline)


def test_a_table_of_deals_is_not_a_log_of_its_customers():
    rows = """id|customer_id|name|stage|owner|create_time
    1|c|n|Lead|p|1767225600000
    2|c|n|Offer|p|1767225600000"""
    pipeline = read(table(rows), stages=["Lead", "Offer"])
    assert pipeline.layout == "deals" and pipeline.deals["deal_id"].tolist() == ["1", "2"]
    log = table(rows).assign(id=["1", "1"], stage=["Lead", "Offer"])
    assert read(log, stages=["Lead", "Offer"]).layout == "events"


def test_a_creation_column_named_date_entered_is_no_stage_entry():
    rows = """id|name|sales_stage|date_entered|date_closed|amount
    1|n|Prospecting|2026-01-01|2026-05-01|5"""
    pipeline = read(table(rows))
    assert pipeline.layout == "deals" and pipeline.deals["created_at"][0] == pd.Timestamp("2026-01-01")


def test_the_word_for_a_win_becomes_the_last_stage_where_status_stands_apart():
    rows = """id|stage|status|created|won time
    1|Offer|Success|2026-01-01|2026-02-01
    2|Offer|Open|2026-01-02|"""
    pipeline = read(table(rows))
    assert (pipeline.model.stage_ids, pipeline.model.won_stage) == (("Offer", "Success"), "Success")
    assert pipeline.events[["deal_id", "stage"]].values.tolist() == [["1", "Offer"], ["1", "Success"], ["2", "Offer"]]


CELLS = [
    "", "A", "2", "0", "Total", "Lead", "Won", "Lost", "StageName", "sales_stage", "2026-01-02 10:00", "soon", "-1",
    "100", "true", "False", '{"Lead": 86400}', "{}", "赢单", "1767225600000",
]  # fmt: skip
FURTHER = ["created", "is_deleted", "Status", "date entered Lead", "Date Closed", "Probability %", "active", "IsWon"]


@st.composite
def broken_exports(draw):
    """Draw an export of some system with further columns, its cells filled from few values at random."""
    headers = draw(st.sampled_from(sorted(HEADERS.values()))).split(",")
    headers += draw(
        st.lists(st.sampled_from([name for name in FURTHER if name not in headers]), unique=True, max_size=3)
    )
    n = draw(st.integers(0, 6))
    cell = st.sampled_from(draw(st.lists(st.sampled_from(CELLS), min_size=2, max_size=8)))
    return pd.DataFrame({header: draw(st.lists(cell, min_size=n, max_size=n)) for header in headers}, dtype="str")


@settings(max_examples=12, deadline=None)
@given(broken_exports(), st.sampled_from([None, ["Lead", "A", "Won"]]))
def test_a_broken_export_is_read_or_refused_and_no_row_is_lost(frame, stages):
    try:
        pipeline = read(frame, stages=stages)
    except DataError as error:
        assert error.say("en") and error.say("zh")
        return
    rows, deals = pipeline.rows, pipeline.deals
    assert rows.rows_in == len(frame) == rows.good + rows.quarantined + rows.ignored
    assert not deals["deal_id"].duplicated().any() and set(pipeline.events["deal_id"]) <= set(deals["deal_id"])
    assert deals.loc[deals["status"] == "open", "closed_at"].isna().all()
    assert all(each.message("en") and each.message("zh") for each in (*pipeline.findings, *pipeline.limits))


# --- real files ---

ANSWERS = {
    "salesforce/sf_opportunity_data.csv": ("quarantine", "close_before_create"),
    "salesforce/sf_opportunity_history_data.csv": ("warn", "no_final_newline"),
    "hubspot/hubspot_deal_data.csv": ("quarantine", "required"),
    "hubspot/hubspot_deal_stage_data.csv": ("reject", "stage_order_unknown"),
    "hubspot/hubspot_deal_property_history_data.csv": ("reject", "no_row_of_form"),
    "hubspot/hubspot_deal_pipeline_data.csv": ("reject", "no_column"),
    "hubspot/hubspot_deal_pipeline_stage_data.csv": ("reject", "no_column"),
    "maven_crm/accounts.csv": ("reject", "no_column"),
    "maven_crm/products.csv": ("reject", "no_column"),
    "maven_crm/sales_teams.csv": ("reject", "no_column"),
    "maven_crm/data_dictionary.csv": ("reject", "no_column"),
    "maven_crm/sales_pipeline.csv": ("warn", "closes_start_late"),
    "maven_crm/variants/excel_resaved_accounts.csv": ("reject", "no_column"),
    "maven_crm/variants/excel_resaved_products.csv": ("reject", "no_column"),
    "maven_crm/variants/excel_resaved_sales_teams.csv": ("reject", "no_column"),
    "maven_crm/variants/excel_resaved_data_dictionary.csv": ("reject", "no_column"),
    "maven_crm/variants/excel_resaved_sales_pipeline.csv": ("warn", "closes_start_late"),
}


def answer(path, preset_name=None):
    try:
        return check_summary(read(path, preset=preset_name), [path])
    except FunnelkitError as error:
        return check_summary(error, [path])


@real_data
@pytest.mark.parametrize(("file", "expected"), ANSWERS.items())
def test_real_files_are_read_or_refused_with_a_reason_that_is_true(file, expected):
    """With the preset of the folder's system the answer is the same as without."""
    plain = answer(DATA / file)
    rules = [finding["rule"] for finding in plain["findings"] if finding["severity"] != "note"]
    assert (plain["outcome"], expected[1] in rules) == (expected[0], True)
    assert plain["rows_in"] == plain["rows_good"] + plain["rows_quarantined"] + plain["rows_ignored"]
    system = file.split("/")[0]
    if system in preset_names():
        named = answer(DATA / file, system)
        assert {name: named[name] for name in ("outcome", "rows_good", "amount_total", "limits")} == {
            name: plain[name] for name in ("outcome", "rows_good", "amount_total", "limits")
        }


@real_data
def test_the_reasons_hold_in_the_files_themselves():
    deals = pd.read_csv(DATA / "hubspot" / "hubspot_deal_data.csv")
    assert deals["deal_pipeline_stage_id"].isna().all()
    names = pd.read_csv(DATA / "hubspot" / "hubspot_deal_property_history_data.csv")["name"]
    assert not names.str.contains("dealstage").any()
    assert not pd.read_csv(DATA / "hubspot" / "hubspot_deal_stage_data.csv")["deal_id"].duplicated().any()
    rows = pd.read_csv(DATA / "salesforce" / "sf_opportunity_data.csv", parse_dates=["close_date", "created_date"])
    early = rows["close_date"] < rows["created_date"].dt.normalize()
    assert early.sum() == 1 and rows["is_deleted"].all()
    pipeline = read(DATA / "salesforce" / "sf_opportunity_data.csv")
    assert (pipeline.deals["status"] == "void").all() and pipeline.limit("no_outcome")
    history = read(DATA / "salesforce" / "sf_opportunity_history_data.csv")
    assert history.layout == "events" and history.limit("history_starts_late").values["n"] == 6


def test_messages_of_a_webhook_are_a_history(tmp_path):
    first = "appointmentscheduled"
    moves = [(1, 1, first), (1, 3, "qualifiedtobuy"), (1, 7, "closedwon"), (2, 2, first), (2, 9, "closedlost")]
    sent = [("dealstage", *move) for move in moves] + [("amount", 2, 4, "500")]
    messages = [
        {
            "objectId": deal,
            "propertyName": name,
            "propertyValue": value,
            "occurredAt": 1_700_000_000_000 + day * 86_400_000,
        }
        for name, deal, day, value in sent
    ]
    path = tmp_path / "webhook.jsonl"
    path.write_text("\n".join(map(json.dumps, messages)))
    pipeline = read(path)
    assert pipeline.layout == "events" and pipeline.deals["status"].tolist() == ["won", "lost"]
    assert pipeline.rows.ignored == 1


@real_data
def test_a_resaved_file_gives_the_same_figures():
    plain = answer(DATA / "maven_crm" / "sales_pipeline.csv")
    other = answer(DATA / "maven_crm" / "variants" / "excel_resaved_sales_pipeline.csv")
    for name in ("outcome", "layout", "rows_in", "rows_good", "amount_total", "limits", "sample"):
        assert plain[name] == other[name], name


@real_data
def test_the_command_answers_too():
    file = DATA / "salesforce" / "sf_opportunity_history_data.csv"
    command = [sys.executable, "-m", "funnelkit", "check", str(file), "--preset", "salesforce", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and json.loads(run.stdout)["rows_good"] == 10
