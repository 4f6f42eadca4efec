"""Younger CRM exports, in the languages they have: Dynamics 365, Bitrix24, amoCRM and Kommo, Close, Copper, Freshsales,
monday.com, Notion, Airtable, 企业微信, 钉钉. Each gives {file name: table, rows or document}."""

import pandas as pd

from . import iso

ENDS = {"en": ("Won", "Lost"), "de": ("Gewonnen", "Verloren"), "zh": ("成功", "丢失")}


def blank(values):
    """Return values with None where there is none, as JSON has them."""
    return values.astype(object).where(values.notna(), None)


def local(times, form="%d.%m.%Y %H:%M:%S"):
    return iso(times, form)


def epoch_s(times):
    """Return seconds since 1970, None where there is no time."""
    return blank(times.map(lambda time: int(time.timestamp()), na_action="ignore"))


def before_end(truth):
    """Return the last stage of each deal that is not the win."""
    entered = truth.events[truth.events["stage"] != truth.labels[-1]]
    return truth.deals["deal_id"].map(entered.groupby("deal_id")["stage"].last())


def stage_or_end(truth, lost):
    """Return the stage, overwritten by the loss."""
    return truth.deals["stage"].mask(truth.deals["status"] == "lost", lost)


def planned(truth):
    deals = truth.deals
    return deals["closed_at"].where(deals["status"] != "open", deals["expected_close"])


_DYNAMICS = {
    "en": ["(Do Not Modify) Opportunity", "(Do Not Modify) Row Checksum", "(Do Not Modify) Modified On", "Topic",
           "Potential Customer", "Est. Close Date", "Est. Revenue", "Pipeline Phase", "Status", "Actual Close Date",
           "Owner", "Created On"],
    "de": ["(Nicht ändern) Verkaufschance", "(Nicht ändern) Zeilenprüfsumme", "(Nicht ändern) Geändert am", "Thema",
           "Potenzieller Kunde", "Geschätztes Abschlussdatum", "Geschätzter Umsatz", "Verkaufsphase", "Status",
           "Tatsächliches Abschlussdatum", "Besitzer", "Erstellt am"],
    "zh": ["(请勿修改) 商机", "(请勿修改) 行校验和", "(请勿修改) 修改时间", "主题", "潜在客户", "预计结束日期",
           "预计收入", "管道阶段", "状态", "实际结束日期", "负责人", "创建时间"],
}  # fmt: skip


def dynamics(truth, lang="en"):
    deals = truth.deals
    words = dict(zip(("won", "lost"), ENDS[lang], strict=True)) | {
        "open": {"en": "Open", "de": "Offen", "zh": "打开"}[lang]
    }
    values = [
        deals["deal_id"], "x+/1a==", deals["created_at"], deals["name"], deals["account"], deals["expected_close"],
        deals["amount"], before_end(truth), deals["status"].map(words), deals["closed_at"].dt.floor("D"),
        deals["owner"], deals["created_at"],
    ]  # fmt: skip
    return {"Active Opportunities.xlsx": pd.DataFrame(dict(zip(_DYNAMICS[lang], values, strict=True)))}


def dynamics_api(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "@odata.etag": 'W/"1"', "opportunityid": deals["deal_id"], "name": deals["name"],
        "statecode": deals["status"].map({"open": 0, "won": 1, "lost": 2}), "stepname": before_end(truth),
        "estimatedvalue": deals["amount"], "estimatedclosedate": blank(deals["expected_close"].dt.strftime("%Y-%m-%d")),
        "actualclosedate": blank(deals["closed_at"].dt.strftime("%Y-%m-%d")),
        "createdon": iso(deals["created_at"], "%Y-%m-%dT%H:%M:%SZ"), "_ownerid_value": deals["owner"],
    })  # fmt: skip
    return {"opportunities.json": {"@odata.context": "x", "value": table.to_dict("records")}}


_BITRIX = {
    "ru": ["ID", "Стадия сделки", "Название сделки", "Сумма", "Валюта", "Компания", "Ответственный", "Сделка закрыта",
           "Дата создания", "Предполагаемая дата закрытия"],
    "en": ["ID", "Stage", "Deal Name", "Income", "Currency", "Company", "Responsible", "Closed", "Created",
           "Assumed close date"],
}  # fmt: skip


def bitrix24(truth, lang="ru"):
    deals = truth.deals
    won, lost = {"ru": ("Сделка успешна", "Сделка провалена"), "en": ("Deal won", "Deal lost")}[lang]
    stage = stage_or_end(truth, lost).mask(deals["status"] == "won", won)
    closed = (deals["status"] != "open").map({True: "Y", False: "N"})
    values = [deals["deal_id"], stage, deals["name"], deals["amount"].map("{:.2f}".format), deals["currency"],
              deals["account"], deals["owner"], closed, local(deals["created_at"]),
              local(planned(truth), "%d.%m.%Y")]  # fmt: skip
    return {"DEAL.csv": pd.DataFrame(dict(zip(_BITRIX[lang], values, strict=True)))}


def _bitrix_rows(truth):
    deals = truth.deals
    return pd.DataFrame({
        "ID": deals["deal_id"], "TITLE": deals["name"], "STAGE_ID": stage_or_end(truth, "LOSE"),
        "STAGE_SEMANTIC_ID": deals["status"].map({"open": "P", "won": "S", "lost": "F"}),
        "OPPORTUNITY": deals["amount"].map("{:.2f}".format), "CURRENCY_ID": deals["currency"],
        "ASSIGNED_BY_ID": deals["owner"], "CLOSED": (deals["status"] != "open").map({True: "Y", False: "N"}),
        "DATE_CREATE": iso(deals["created_at"], "%Y-%m-%dT%H:%M:%S+00:00"),
        "CLOSEDATE": iso(planned(truth), "%Y-%m-%dT%H:%M:%S+00:00"),
    })  # fmt: skip


def bitrix24_api(truth):
    return {"crm.deal.list.json": {"result": _bitrix_rows(truth).to_dict("records"), "total": len(truth.deals)}}


def bitrix24_history(truth):
    """Write the deals and the history of their stages; a loss is a move to LOSE."""
    lost = truth.deals[truth.deals["status"] == "lost"]
    ends = pd.DataFrame({"deal_id": lost["deal_id"], "stage": "LOSE", "entered_at": lost["closed_at"]})
    moves = pd.concat([truth.events, ends], ignore_index=True)
    table = pd.DataFrame({
        "ID": range(1, len(moves) + 1), "TYPE_ID": 2, "OWNER_ID": moves["deal_id"],
        "CREATED_TIME": iso(moves["entered_at"], "%Y-%m-%dT%H:%M:%S+00:00"), "CATEGORY_ID": 0,
        "STAGE_SEMANTIC_ID": moves["stage"].map({truth.labels[-1]: "S", "LOSE": "F"}).fillna("P"),
        "STAGE_ID": moves["stage"],
    })  # fmt: skip
    return {"deals.csv": _bitrix_rows(truth), "stagehistory.csv": table}


_AMO = {
    "ru": ["ID", "Название сделки", "Компания", "Ответственный", "Этап сделки", "Воронка", "Бюджет",
           "Дата создания сделки", "Дата закрытия"],
    "en": ["ID", "Lead title", "Company", "Responsible", "Lead stage", "Pipeline", "Sale", "Created at", "Closed at"],
}  # fmt: skip


def amocrm(truth, lang="ru"):
    deals = truth.deals
    won, lost = {"ru": ("Успешно реализовано", "Закрыто и не реализовано"), "en": ("Closed - won", "Closed - lost")}[
        lang
    ]
    stage = stage_or_end(truth, lost).mask(deals["status"] == "won", won)
    values = [deals["deal_id"], deals["name"], deals["account"], deals["owner"], stage, "Воронка", deals["amount"],
              local(deals["created_at"]), local(deals["closed_at"])]  # fmt: skip
    name = "amocrm_export_leads.csv" if lang == "ru" else "kommo_export_leads.xlsx"
    return {name: pd.DataFrame(dict(zip(_AMO[lang], values, strict=True)))}


def amocrm_api(truth):
    """Write leads of the API; with their stages by number, only status 142 and 143 have a meaning."""
    deals, names = truth.deals, {label: 1000 + number for number, label in enumerate(truth.labels[:-1])}
    stage = deals["stage"].map(names).mask(deals["status"] == "won", 142).mask(deals["status"] == "lost", 143)
    table = pd.DataFrame({
        "id": range(1, len(deals) + 1), "name": deals["name"], "price": deals["amount"].round(0).astype(int),
        "responsible_user_id": deals["owner"], "status_id": stage.astype(int), "pipeline_id": 7,
        "created_at": epoch_s(deals["created_at"]), "closed_at": epoch_s(deals["closed_at"]), "is_deleted": False,
    })  # fmt: skip
    links = {"self": {"href": "x"}}
    return {"leads.json": {"_page": 1, "_links": links, "_embedded": {"leads": table.to_dict("records")}}}


def close(truth, ending="csv"):
    deals, status = truth.deals, truth.deals["status"]
    zone = "%Y-%m-%dT%H:%M:%S.%f+00:00"
    table = pd.DataFrame({
        "id": "oppo_" + deals["deal_id"], "lead_name": deals["account"], "status_label": stage_or_end(truth, "Lost"),
        "status_type": status.replace("open", "active"), "value": (deals["amount"] * 100).round(0).astype(int),
        "value_currency": deals["currency"], "value_period": "one_time", "confidence": 50, "user_name": deals["owner"],
        "date_created": iso(deals["created_at"], zone),
        "date_won": iso(deals["closed_at"].where(status == "won"), zone),
        "date_lost": iso(deals["closed_at"].where(status == "lost"), zone),
    })  # fmt: skip
    return {f"opportunities.{ending}": table if ending == "csv" else table.to_dict("records")}


def copper(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "Copper ID": deals["deal_id"], "Name": deals["name"], "Company": deals["account"], "Pipeline": "Sales",
        "Stage": before_end(truth), "Status": deals["status"].replace("void", "abandoned").str.capitalize(),
        "Value": deals["amount"], "Owned By": deals["owner"], "Win Probability": 40,
        "Close Date": iso(planned(truth), "%m/%d/%Y"), "Created At": iso(deals["created_at"], "%m/%d/%Y"),
        "Loss Reason": deals["lost_reason"].fillna(""),
    })  # fmt: skip
    return {"opportunities.csv": table}


def copper_api(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "id": range(1, len(deals) + 1), "name": deals["name"], "assignee_id": deals["owner"],
        "close_date": iso(planned(truth), "%m/%d/%Y"), "company_name": deals["account"], "pipeline_id": 1,
        "pipeline_stage_id": before_end(truth), "status": deals["status"].replace("void", "abandoned").str.capitalize(),
        "monetary_value": deals["amount"], "date_created": epoch_s(deals["created_at"]), "win_probability": 40,
        "loss_reason_id": None, "tags": [[] for _ in range(len(deals))],
    })  # fmt: skip
    return {"opportunities.json": table.to_dict("records")}


def freshsales(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "ID": deals["deal_id"], "Deal name": deals["name"], "Deal value": deals["amount"], "Account": deals["account"],
        "Deal pipeline": "Default", "Deal stage": stage_or_end(truth, "Lost"), "Sales owner": deals["owner"],
        "Expected close date": iso(deals["expected_close"], "%Y-%m-%d"),
        "Closed date": iso(deals["closed_at"], "%Y-%m-%d"),
        "Created at": iso(deals["created_at"], "%Y-%m-%d %H:%M:%S"), "Lost reason": deals["lost_reason"].fillna(""),
    })  # fmt: skip
    return {"deals.csv": table}


def freshsales_api(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "id": range(1, len(deals) + 1), "name": deals["name"], "amount": deals["amount"],
        "deal_stage_id": stage_or_end(truth, "Lost"), "deal_pipeline_id": 5, "owner_id": deals["owner"],
        "expected_close": blank(deals["expected_close"].dt.strftime("%Y-%m-%d")),
        "closed_date": blank(deals["closed_at"].dt.strftime("%Y-%m-%d")),
        "created_at": iso(deals["created_at"], "%Y-%m-%dT%H:%M:%SZ"), "custom_field": [{} for _ in range(len(deals))],
    })  # fmt: skip
    return {"deals.json": {"deals": table.to_dict("records"), "meta": {"total": len(deals)}}}


def monday(truth):
    """Write a board: its name, then of each group the title, the header and the items."""
    deals = truth.deals
    table = pd.DataFrame({
        "Name": deals["name"], "Stage": stage_or_end(truth, "Lost"), "Owner": deals["owner"],
        "Deal Value": deals["amount"], "Close Date": iso(planned(truth), "%b %d, %Y"),
        "Deal creation date": iso(deals["created_at"], "%b %d, %Y %I:%M %p"),
        "Item ID (auto generated)": deals["deal_id"],
    })  # fmt: skip
    rows = [["Deals"], ["All opportunities"], []]
    for title, closed in (("Active deals", False), ("Closed deals", True)):
        rows += [[title], list(table.columns), *table[(deals["status"] != "open") == closed].values.tolist(), []]
    return {"Deals_1700000000.xlsx": rows}


def notion(truth, lang="en"):
    deals = truth.deals
    stage = stage_or_end(truth, {"en": "Lost", "zh": "输单"}[lang])
    names = {"en": ["Name", "Account Owner", "Company", "Estimated Value", "Stage", "Created time", "Closed date"],
             "zh": ["名称", "负责人", "公司", "预计金额", "阶段", "创建时间", "成交日期"]}[lang]  # fmt: skip
    form = {"en": "%B %d, %Y %I:%M %p", "zh": "%Y年%m月%d日 %H:%M"}[lang]
    values = [deals["name"] + " " + deals["deal_id"], deals["owner"], deals["account"], deals["amount"], stage,
              iso(deals["created_at"], form), iso(deals["closed_at"], form)]  # fmt: skip
    return {"Sales CRM 1a2b.csv": pd.DataFrame(dict(zip(names, values, strict=True)))}


def airtable(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "Opportunity name": deals["name"] + " " + deals["deal_id"], "Status": stage_or_end(truth, "Closed—lost"),
        "Account": deals["account"], "Owner": deals["owner"], "Estimated value": deals["amount"].map("${:,.2f}".format),
        "Expected close date": iso(planned(truth), "%Y-%m-%d"), "Last contact": iso(deals["created_at"], "%Y-%m-%d"),
    })  # fmt: skip
    return {"Opportunities-Grid view.csv": table}


def airtable_api(truth):
    deals = truth.deals
    stage = stage_or_end(truth, "Closed—lost")
    records = [
        {"id": f"rec{deal['deal_id']}", "createdTime": f"{deal['created_at']:%Y-%m-%dT%H:%M:%S.000Z}",
         "fields": {"Opportunity name": deal["name"], "Status": stage[row], "Estimated value": deal["amount"],
                    "Owner": {"id": "usr1", "email": "a@example.com", "name": deal["owner"]}, "Tags": ["a", "b"]}}
        for row, deal in deals.iterrows()
    ]  # fmt: skip
    return {"records.json": {"records": records, "offset": "itr1"}}


def wecom(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "商机编号": deals["deal_id"], "客户名称": deals["account"], "商机名称": deals["name"], "跟进人": deals["owner"],
        "所属部门": deals["team"], "跟进阶段": stage_or_end(truth, "输单"), "预计金额": deals["amount"],
        "添加时间": deals["created_at"], "成交时间": deals["closed_at"], "流失原因": deals["lost_reason"].fillna(""),
    })  # fmt: skip
    return {"客户跟进.xlsx": table}


def dingtalk(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "商机编号": deals["deal_id"], "商机名称": deals["name"], "客户名称": deals["account"],
        "商机阶段": stage_or_end(truth, "输单"), "预计成交金额": deals["amount"],
        "预计成交时间": iso(deals["expected_close"], "%Y-%m-%d"), "负责人": deals["owner"],
        "创建时间": iso(deals["created_at"], "%Y-%m-%d %H:%M"), "结束时间": iso(deals["closed_at"], "%Y-%m-%d %H:%M"),
    })  # fmt: skip
    return {"商机.xlsx": table}


def yida(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "实例ID": "FINST-" + deals["deal_id"], "实例标题": deals["name"], "提交人": deals["owner"],
        "提交时间": iso(deals["created_at"], "%Y-%m-%d %H:%M:%S"), "客户名称": deals["account"],
        "商机阶段": stage_or_end(truth, "输单"), "商机金额": deals["amount"],
        "成交时间": iso(deals["closed_at"], "%Y-%m-%d %H:%M:%S"),
    })  # fmt: skip
    return {"商机登记.xlsx": table}
