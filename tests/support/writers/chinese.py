"""Fxiaoke and Neocrm."""

import pandas as pd

from . import Export, close_or_expected, come_back, day, epoch_ms, numbered, only_open, plain, told

LABELS = ("项目立项", "初步接触", "方案设计", "业绩展示", "方案确认", "项目评估", "商务谈判", "签约成交")
STATUS = {"open": "进行中", "won": "赢单", "lost": "输单", "void": "无效"}
STATUS_CODE = {"open": "1", "won": "2", "lost": "3", "void": "4"}
LOST_LABEL, WON_LABEL = "输单", "赢单"


def fxiaoke(truth):
    """Write NewOpportunityObj: status apart from stage, epoch milliseconds, a third exit, only the last move's time."""
    truth = truth.with_ids(lambda number: f"{0x5F1E6A0000 + number:024x}").with_stages(LABELS)
    deals, status = truth.deals, truth.deals["status"]
    moved = deals["deal_id"].map(truth.events.groupby("deal_id")["entered_at"].max())
    until = deals["closed_at"].fillna(truth.as_of)
    table = pd.DataFrame({
        "_id": deals["deal_id"], "name": deals["name"], "account_id": numbered(deals["account"], "acc{:05d}"),
        "account_id__r": deals["account"], "amount": plain(deals["amount"]),
        "close_date": epoch_ms(close_or_expected(truth).dt.floor("D")),
        "sales_stage": numbered(deals["stage"], "{}"), "sales_stage__r": deals["stage"],
        "sales_status": status.map(STATUS_CODE), "sales_status__r": status.map(STATUS),
        "sales_process_id__r": "标准流程", "probability": status.map({"won": "100", "lost": "0"}).fillna("40"),
        "owner": numbered(deals["owner"], "{}"), "owner__r": deals["owner"], "owner_department": deals["team"],
        "create_time": epoch_ms(deals["created_at"]), "last_modified_time": epoch_ms(until),
        "stg_changed_time": epoch_ms(moved), "cost_time": epoch_ms_span(until - deals["created_at"]),
        "life_status": "normal", "life_status__r": "正常", "record_type": "default__c", "is_deleted": "false",
    })  # fmt: skip
    back = come_back(truth, ["name", "account", "owner", "team", "amount", "created_at", "closed_at"],
                     expected_close=only_open(truth))  # fmt: skip
    return Export(
        {"NewOpportunityObj.csv": table}, back, losses={"log of moves"}, preset="fxiaoke", stages="industrial-8",
        day=("closed_at",), **told(truth),
    )  # fmt: skip


def epoch_ms_span(spans):
    """Return durations in whole milliseconds as text."""
    return (spans.dt.total_seconds() * 1000).map("{:.0f}".format)


def fxiaoke_labels(truth):
    """Write what a Chinese user sees of it: labels for headers, days for dates; the only close date is the expected."""
    truth = truth.with_ids(lambda number: f"SJ2024{number:06d}").with_stages(LABELS)
    deals = truth.deals
    table = pd.DataFrame({
        "商机编号": deals["deal_id"], "商机名称": deals["name"], "客户名称": deals["account"], "负责人": deals["owner"],
        "销售阶段": deals["stage"], "商机状态": deals["status"].map(STATUS), "商机金额": plain(deals["amount"]),
        "赢率": deals["status"].map({"won": "100", "lost": "0"}).fillna("40"),
        "预计结单日期": day(deals["expected_close"]), "创建时间": deals["created_at"].dt.strftime("%Y年%m月%d日"),
        "输单原因": deals["lost_reason"].fillna(""),
    })  # fmt: skip
    back = come_back(truth, ["name", "account", "owner", "amount", "lost_reason", "created_at", "expected_close"])
    return Export(
        {"deals.csv": table}, back, losses={"log of moves", "closes"}, preset="fxiaoke", stages="industrial-8",
        day=("created_at",), **told(truth),
    )  # fmt: skip


def neocrm(truth):
    """Write the opportunity object: `lostStageId` says where a deal was lost; times are epoch milliseconds as text."""
    truth = truth.with_ids(lambda number: str(1_912_345_678_900_001 + number)).with_stages((*LABELS[:-1], WON_LABEL))
    deals, status = truth.deals, truth.deals["status"]
    lost = status == "lost"
    table = pd.DataFrame({
        "id": deals["deal_id"], "entityType": "11010000400001", "ownerId": numbered(deals["owner"], "30{:04d}"),
        "opportunityName": deals["name"], "accountId": numbered(deals["account"], "50{:06d}"), "opportunityType": "1",
        "money": plain(deals["amount"]), "saleStageId": deals["stage"].mask(lost, LOST_LABEL),
        "lostStageId": deals["stage"].where(lost, ""), "winRate": status.map({"won": "100", "lost": "0"}).fillna("40"),
        "reasonDesc": deals["lost_reason"].fillna(""), "closeDate": epoch_ms(close_or_expected(truth).dt.floor("D")),
        "commitmentFlg": "1", "sourceId": numbered(deals["source"], "{}"), "projectBudget": "", "actualCost": "",
        "recentActivityRecordTime": epoch_ms(deals["created_at"]), "createdAt": epoch_ms(deals["created_at"]),
    })  # fmt: skip
    back = come_back(truth, ["name", "amount", "lost_reason", "created_at", "closed_at"], owner=table["ownerId"],
                     account=table["accountId"], expected_close=only_open(truth))  # fmt: skip
    return Export(
        {"opportunity.csv": table}, back, losses={"log of moves"}, preset="neocrm", day=("closed_at",), **told(truth),
    )  # fmt: skip
