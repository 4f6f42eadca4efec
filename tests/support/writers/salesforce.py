"""Salesforce: Opportunity, OpportunityHistory and OpportunityFieldHistory."""

from dataclasses import replace

import numpy as np
import pandas as pd

from . import LOG_ALONE, Export, close_or_expected, come_back, day, iso, numbered, only_open, plain, shuffled, told

STAGES = (
    "Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers",
    "Proposal/Price Quote", "Negotiation/Review", "Closed Won",
)  # fmt: skip
LOST = "Closed Lost"


def _named(truth):
    return truth.with_ids("0065g00000{:05d}AAA".format).with_stages(STAGES)


def _opportunity(truth):
    deals, status = truth.deals, truth.deals["status"]
    stage = deals["stage"].mask(status == "lost", LOST)
    probability = status.map({"won": "100", "lost": "0", "open": "40"})
    return pd.DataFrame({
        "Id": deals["deal_id"], "Name": deals["name"], "AccountId": numbered(deals["account"], "0015g00000{:05d}AAA"),
        "OwnerId": numbered(deals["owner"], "0055g00000{:05d}AAA"), "StageName": stage,
        "Amount": plain(deals["amount"]), "ExpectedRevenue": plain(deals["amount"] * probability.astype(float) / 100),
        "Probability": probability, "CloseDate": day(close_or_expected(truth)), "CreatedDate": iso(deals["created_at"]),
        "IsClosed": (status != "open").map({True: "true", False: "false"}),
        "IsWon": (status == "won").map({True: "true", False: "false"}),
        "ForecastCategoryName": status.map({"won": "Closed", "lost": "Omitted", "open": "Pipeline"}),
        "LeadSource": deals["source"], "Type": "New Business", "NextStep": "", "CampaignId": "",
        "HasOpenActivity": "false", "HasOverdueTask": "false", "FiscalYear": "2025", "FiscalQuarter": "1",
    })  # fmt: skip


def _opportunity_deals(truth, table, expected=None):
    expected = only_open(truth) if expected is None else expected
    return come_back(truth, ["name", "amount", "created_at", "closed_at"], account=table["AccountId"],
                     owner=table["OwnerId"], expected_close=expected)  # fmt: skip


def opportunity(truth):
    """Write Opportunity alone: Closed Lost overwrites the stage, CloseDate is a day, there is no history."""
    truth = _named(truth)
    table = _opportunity(truth)
    return Export(
        {"Opportunity.csv": table}, _opportunity_deals(truth, table), losses={"log of moves", "stage of loss"},
        preset="salesforce", day=("closed_at",), known_stage=("open", "won"), **told(truth),
    )  # fmt: skip


def _moves(truth):
    """Return every entry into a stage with Closed Lost among them: deal_id, stage, entered_at, in order of time."""
    lost = truth.deals.loc[truth.deals["status"] == "lost", ["deal_id", "closed_at"]]
    lost = lost.rename(columns={"closed_at": "entered_at"}).assign(stage=LOST)
    return pd.concat([truth.events, lost]).sort_values(["deal_id", "entered_at"], kind="stable", ignore_index=True)


def _history(truth):
    """Return OpportunityHistory: a row for each change of stage, and for changes of the amount alone."""
    rng = np.random.default_rng(1)
    rows = _moves(truth).merge(truth.deals[["deal_id", "amount", "owner", "closed_at", "expected_close"]], on="deal_id")
    following = rows.groupby("deal_id")["entered_at"].shift(-1)
    # In a third of the stays that end, the amount was put right an hour before the end: a row with the same stage.
    long = following - rows["entered_at"] > pd.Timedelta(days=1)
    touched = rows[long & (rng.random(len(rows)) < 0.33)]
    extra = touched.assign(entered_at=following.loc[touched.index] - pd.Timedelta(hours=1))
    changed = extra.groupby("deal_id")["entered_at"].min()
    rows = pd.concat([rows, extra]).sort_values(["deal_id", "entered_at"], kind="stable", ignore_index=True)
    early = rows["entered_at"] < rows["deal_id"].map(changed)
    rows["then"] = rows["amount"].where(~early, rows["amount"] * 0.8)
    closed = rows["stage"].isin([LOST, STAGES[-1]])
    rows["close"] = rows["closed_at"].where(closed, rows["expected_close"])
    group = rows.groupby("deal_id")
    return shuffled(pd.DataFrame({
        "Id": [f"0085g00000{number:05d}AAA" for number in range(len(rows))],
        "OpportunityId": rows["deal_id"], "StageName": rows["stage"], "Amount": plain(rows["then"]),
        "ExpectedRevenue": plain(rows["then"] * 0.4), "CloseDate": day(rows["close"]),
        "Probability": rows["stage"].map({STAGES[-1]: "100", LOST: "0"}).fillna("40"),
        "ForecastCategory": rows["stage"].map({STAGES[-1]: "Closed", LOST: "Omitted"}).fillna("Pipeline"),
        "PrevAmount": plain(group["then"].shift()).replace("nan", ""), "PrevCloseDate": day(group["close"].shift()),
        "CreatedById": numbered(rows["owner"], "0055g00000{:05d}AAA"), "CreatedDate": iso(rows["entered_at"]),
        "SystemModstamp": iso(rows["entered_at"]), "IsDeleted": "false",
    }))  # fmt: skip


def opportunity_history(truth):
    """Write OpportunityHistory alone: who owns the deal, its name and account are not in it."""
    truth = _named(truth)
    deals = come_back(truth, ["amount", "created_at", "closed_at", "expected_close"])
    return Export(
        {"OpportunityHistory.csv": _history(truth)}, deals, truth.events, {"owner"}, preset="salesforce",
        day=("closed_at",), **told(truth),
    )  # fmt: skip


def opportunity_with_history(truth):
    """Write Opportunity and OpportunityHistory: together nothing but the day's hour of the close is lost."""
    truth = _named(truth)
    table = _opportunity(truth)
    tables = {"Opportunity.csv": table, "OpportunityHistory.csv": _history(truth)}
    back = _opportunity_deals(truth, table, truth.deals["expected_close"])  # rows before the close have it
    return Export(
        tables, back, truth.events, preset="salesforce", day=("closed_at",), **told(truth),
    )  # fmt: skip


def _field_history(truth):
    rows = _moves(truth)
    rows["old"] = rows.groupby("deal_id")["stage"].shift()
    rows = rows[rows["old"].notna()]
    stages = pd.DataFrame({
        "OpportunityId": rows["deal_id"], "Field": "StageName", "OldValue": rows["old"], "NewValue": rows["stage"],
        "DataType": "DynamicEnum", "at": rows["entered_at"],
    })  # fmt: skip
    some = truth.deals.iloc[::5]
    amounts = pd.DataFrame({
        "OpportunityId": some["deal_id"], "Field": "Amount", "OldValue": plain(some["amount"] * 0.8),
        "NewValue": plain(some["amount"]), "DataType": "Currency", "at": some["created_at"] + pd.Timedelta(minutes=5),
    })  # fmt: skip
    born = pd.DataFrame({"OpportunityId": truth.deals["deal_id"], "Field": "created", "OldValue": "", "NewValue": "",
                         "DataType": "Text", "at": truth.deals["created_at"]})  # fmt: skip
    rows = pd.concat([stages, amounts, born], ignore_index=True)
    rows.insert(0, "Id", [f"0175g00000{number:05d}AAA" for number in range(len(rows))])
    rows["CreatedById"], rows["CreatedDate"], rows["IsDeleted"] = "0055g0000000001AAA", iso(rows["at"]), "false"
    return shuffled(rows.drop(columns="at"))


def opportunity_with_field_history(truth):
    """Write Opportunity and OpportunityFieldHistory: the first stage is the first change's old value."""
    truth = _named(truth)
    table = _opportunity(truth)
    tables = {"Opportunity.csv": table, "OpportunityFieldHistory.csv": _field_history(truth)}
    return Export(
        tables, _opportunity_deals(truth, table), truth.events, preset="salesforce", day=("closed_at",),
        source=("history", "inferred"), **told(truth),
    )  # fmt: skip


def field_history(truth):
    """Write OpportunityFieldHistory alone: the `created` rows tell when deals began, of amounts only changes show."""
    truth = _named(truth)
    unmoved = ~truth.deals["deal_id"].isin(_field_history(truth).query("Field == 'StageName'")["OpportunityId"])
    table = _field_history(truth).query("Field == 'StageName'").reset_index(drop=True)
    deals = come_back(truth, ["closed_at"])[~unmoved.to_numpy()].reset_index(drop=True)
    first = truth.events.groupby("deal_id").cumcount() == 0
    kept = truth.events[~first & truth.events["deal_id"].isin(deals["deal_id"])]
    return Export(
        {"OpportunityFieldHistory.csv": table}, deals, kept, LOG_ALONE,
        preset="salesforce", **told(truth),
    )  # fmt: skip


def history_report(truth):
    """Write the same history as a report exports it: other words, other fields beside the stage."""
    export, every = field_history(truth), _field_history(_named(truth))
    field = every["Field"].map({"StageName": "Stage", "Amount": "Amount", "created": "Created."})
    day = pd.to_datetime(every["CreatedDate"]).dt.strftime("%m/%d/%Y %H:%M:%S")
    table = pd.DataFrame({
        "Opportunity ID": every["OpportunityId"], "Edited By": "Jo Bloggs", "Field / Event": field,
        "Old Value": every["OldValue"], "New Value": every["NewValue"], "Edit Date": day,
    })  # fmt: skip
    return replace(export, tables={"OpportunityHistoryReport.csv": table})
