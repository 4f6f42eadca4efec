"""Systems: every export form of every system that is known, there and back: read at once, without a word said."""

from functools import partial

import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading.read import read
from tests.support.writers import Truth, chinese, crm, generic, hubspot, logs, make_truth, salesforce, systems
from tests.support.writers.saved import save

SIX = {
    "dynamics": ("1-Qualify", "2-Develop", "3-Propose", "4-Close", "Won"),
    "bitrix_ru": ("Новая", "Подготовка документов", "Счёт на предоплату", "В работе", "Финальный счёт", "Won"),
    "bitrix_en": ("New deal", "Prepare documents", "Prepaid invoice", "In progress", "Final invoice", "Won"),
    "bitrix": ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON"),
    "amo_ru": ("Первичный контакт", "Переговоры", "Принимают решение", "Согласование договора", "Won"),
    "kommo": ("Initial contact", "Offer made", "Negotiation", "Contract discussion", "Won"),
    "numbers": ("1. Lead", "2. Offer", "Won"),
    "copper": ("Qualified", "Follow-up", "Presentation", "Contract Sent", "Negotiation", "Won"),
    "freshsales": ("New", "Qualification", "Discovery", "Demo", "Negotiation", "Won"),
    "monday": ("New", "Discovery", "Proposal", "Negotiation", "Legal", "Won"),
    "notion": ("Lead", "Qualified", "Proposal", "Negotiation", "Won"),
    "notion_zh": ("线索", "已确认", "方案", "谈判", "成交"),
    "airtable": ("Qualification", "Proposal", "Evaluation", "Negotiation", "Closed—won"),
    "wecom": ("初步沟通", "需求确认", "方案报价", "商务谈判", "赢单"),
    "dingtalk": ("初步接洽", "需求确定", "方案报价", "谈判审核", "赢单"),
    "shop": ("view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase"),
    "case": ("Applied", "Checked", "Offered", "Accepted"),
}
CRM = {
    "Dynamics 365 en": (partial(crm.dynamics, lang="en"), "dynamics"),
    "Dynamics 365 de": (partial(crm.dynamics, lang="de"), "dynamics"),
    "Dynamics 365 zh": (partial(crm.dynamics, lang="zh"), "dynamics"),
    "Dynamics 365 API": (crm.dynamics_api, "dynamics"),
    "Bitrix24 ru": (partial(crm.bitrix24, lang="ru"), "bitrix_ru"),
    "Bitrix24 en": (partial(crm.bitrix24, lang="en"), "bitrix_en"),
    "Bitrix24 API": (crm.bitrix24_api, "bitrix"),
    "Bitrix24 history": (crm.bitrix24_history, "bitrix"),
    "amoCRM ru": (partial(crm.amocrm, lang="ru"), "amo_ru"),
    "Kommo en": (partial(crm.amocrm, lang="en"), "kommo"),
    "Close csv": (crm.close, "numbers"),
    "Close json": (partial(crm.close, ending="json"), "numbers"),
    "Copper": (crm.copper, "copper"),
    "Copper API": (crm.copper_api, "copper"),
    "Freshsales": (crm.freshsales, "freshsales"),
    "Freshsales API": (crm.freshsales_api, "freshsales"),
    "monday": (crm.monday, "monday"),
    "Notion en": (partial(crm.notion, lang="en"), "notion"),
    "Notion zh": (partial(crm.notion, lang="zh"), "notion_zh"),
    "Airtable": (crm.airtable, "airtable"),
    "Airtable API": (crm.airtable_api, "airtable"),
    "企业微信": (crm.wecom, "wecom"),
    "钉钉": (crm.dingtalk, "dingtalk"),
    "钉钉 宜搭": (crm.yida, "dingtalk"),
}
LOGS = {
    "GA4 csv": logs.ga4,
    "GA4 JSON lines": partial(logs.ga4, ending="jsonl"),
    "Amplitude": logs.amplitude,
    "Mixpanel JSON lines": logs.mixpanel,
    "Mixpanel csv": partial(logs.mixpanel, ending="csv"),
    "PostHog csv": logs.posthog,
    "PostHog JSON": partial(logs.posthog, ending="json"),
    "Matomo": logs.matomo,
    "pm4py": logs.pm4py,
    "XES": logs.xes,
    "XES gz": partial(logs.xes, ending="xes.gz"),
}


def retold(names, n_deals=120):
    """Return a truth whose eight stages are these, in order; entries into the stage one is in already are none."""
    truth = make_truth(n_deals=n_deals, voids=False)
    last = len(truth.labels) - 1
    place = {label: round(i * (len(names) - 2) / (last - 1)) for i, label in enumerate(truth.labels[:-1])}
    place[truth.labels[-1]] = len(names) - 1
    swap = {label: names[number] for label, number in place.items()}
    events = truth.events.assign(stage=truth.events["stage"].map(swap))
    again = (events["stage"] == events["stage"].shift()) & (events["deal_id"] == events["deal_id"].shift())
    deals = truth.deals.assign(stage=truth.deals["stage"].map(swap))
    return Truth(deals, events[~again].reset_index(drop=True), tuple(names), truth.as_of)


def told(pipeline, form):
    """Print what came back of a form, and hold that nothing was quarantined."""
    status = pipeline.deals["status"].value_counts()
    counts = ", ".join(f"{status.get(word, 0)} {word}" for word in ("won", "lost", "open"))
    print(f"{form}: {len(pipeline.deals)} deals ({counts}), {len(pipeline.events)} entries, read at once")
    faults = [finding.message("en") for finding in pipeline.findings if finding.severity == "error"]
    assert pipeline.rows.quarantined == 0, faults[:3]


def names_of(pipeline):
    return [stage.name.en for stage in pipeline.model.stages]


@pytest.mark.parametrize("form", CRM)
def test_deals_of_a_system_are_read_at_once(form, tmp_path):
    write, stages = CRM[form]
    truth = retold(SIX[stages])
    pipeline = read(*save(write(truth), tmp_path))
    told(pipeline, form)
    deals = truth.deals
    assert len(pipeline.deals) == len(deals)
    assert pipeline.deals["status"].value_counts().to_dict() == deals["status"].value_counts().to_dict()
    assert pipeline.amount_total == pytest.approx(deals["amount"].sum(), abs=len(deals))
    assert names_of(pipeline)[:-1] == list(truth.labels[:-1])
    created = pipeline.deals["created_at"].dt.floor("D").value_counts()
    if form != "Airtable":  # its template has no date of creation
        assert created.to_dict() == deals["created_at"].dt.floor("D").value_counts().to_dict()
    last = pipeline.events.groupby("deal_id")["stage"].last().astype(str)
    still = pipeline.deals.loc[pipeline.deals["status"] == "open", "deal_id"]
    standing = deals.loc[deals["status"] == "open", "stage"].value_counts()
    assert last[still].value_counts().to_dict() == standing.to_dict()


@pytest.mark.parametrize("form", LOGS)
def test_events_of_a_system_are_read_at_once(form, tmp_path):
    truth = retold(SIX["case" if "XES" in form or form == "pm4py" else "shop"])
    pipeline = read(*save(LOGS[form](truth), tmp_path))
    told(pipeline, form)
    assert pipeline.layout == "events" and names_of(pipeline) == list(truth.labels)
    assert len(pipeline.deals) == len(truth.deals)
    found = pipeline.events["stage"].astype(str).value_counts().to_dict()
    assert found == truth.events["stage"].value_counts().to_dict()
    times = pipeline.events["entered_at"].dt.floor("s").sort_values(ignore_index=True)
    expected = truth.events["entered_at"].dt.floor("s").sort_values(ignore_index=True)
    pd.testing.assert_series_equal(times, expected, check_names=False, check_dtype=False)
    if "XES" in form:
        lost = int((truth.deals["status"] == "lost").sum())
        assert int((pipeline.deals["status"] == "lost").sum()) == lost


OLDER = {
    writer.__name__: (writer, voids)
    for writer, voids in {
        salesforce.opportunity: False, salesforce.opportunity_history: False, salesforce.field_history: False,
        salesforce.history_report: False,
        salesforce.opportunity_with_history: False, salesforce.opportunity_with_field_history: False,
        hubspot.pages: False, hubspot.api: False, systems.pipedrive: False, systems.pipedrive_api: False,
        systems.odoo: False, systems.zoho: False, chinese.fxiaoke: True, chinese.fxiaoke_labels: True,
        chinese.neocrm: False, systems.frappe: False, systems.suitecrm: False, systems.business_central: False,
        generic.wide: True, generic.long: False, generic.long_with_deals: True,
    }.items()
}  # fmt: skip
# Their stages are numbers, and neither a history nor a chance tells their order: it is asked.
ASKED = {"pipedrive_api", "odoo"}


@pytest.mark.parametrize("name", OLDER)
def test_older_forms_are_read_at_once_or_ask_for_the_order_alone(name, tmp_path):
    write, voids = OLDER[name]
    export = write(make_truth(n_deals=120, voids=voids))
    paths = save(export.tables, tmp_path)
    try:
        pipeline, how = read(*paths), "at once"
    except DataError as error:
        assert error.key == "stage_order_unknown", str(error)
        pipeline, how = read(*paths, stages=list(export.labels)), "once the order of stages is given"
    print(f"{name}: {len(pipeline.deals)} deals, read {how}")
    assert (how != "at once") == (name in ASKED)
    assert pipeline.rows.quarantined == 0 and len(pipeline.deals) == len(export.deals)
    counts = export.deals["status"].value_counts().to_dict()
    assert pipeline.deals["status"].value_counts().to_dict() == counts
