"""Pipedrive, Odoo, Zoho, Frappe, SuiteCRM and Business Central."""

import json

import pandas as pd

from . import LOG_ALONE, Export, close_or_expected, come_back, day, numbered, only_open, plain, shuffled, stamp, told

ODOO_IDS = ("1", "2", "3", "4", "7", "9", "12", "15")


def pipedrive(truth):
    """Write the columns of its pages: a won deal keeps its last open stage; of the moves nothing is told."""
    truth = truth.with_ids(lambda number: str(number + 1))
    deals, status = truth.deals, truth.deals["status"]
    before = truth.events[truth.events["stage"] != truth.labels[-1]].groupby("deal_id")["stage"].last()
    table = pd.DataFrame({
        "Deal - ID": deals["deal_id"], "Deal - Title": deals["name"], "Deal - Value": plain(deals["amount"]),
        "Deal - Currency of value": deals["currency"], "Deal - Owner": deals["owner"],
        "Deal - Organization": deals["account"], "Deal - Contact person": "",
        "Deal - Stage": deals["deal_id"].map(before), "Deal - Status": status.str.capitalize(),
        "Deal - Probability": "", "Deal - Deal created": stamp(deals["created_at"]),
        "Deal - Expected close date": day(deals["expected_close"]),
        "Deal - Won time": stamp(deals["closed_at"].where(status == "won")),
        "Deal - Lost time": stamp(deals["closed_at"].where(status == "lost")),
        "Deal - Lost reason": deals["lost_reason"].fillna(""), "Deal - Closed on": stamp(deals["closed_at"]),
        "Deal - Label": "", "Deal - Next activity date": "", "Deal - Total activities": "3",
    })  # fmt: skip
    back = come_back(truth, ["name", "account", "owner", "amount", "currency", "created_at", "closed_at",
                             "expected_close", "lost_reason"])  # fmt: skip
    return Export(
        {"deals-1.csv": table}, back, losses={"log of moves"}, preset="pipedrive", stages="industrial-8", **told(truth),
    )  # fmt: skip


def pipedrive_api(truth):
    """Write the API's fields: ids for stage, owner and organisation, and the time of the last stage change."""
    numbers = [str(number) for number in range(11, 11 + len(truth.labels) - 1)]
    truth = truth.with_ids(lambda number: str(number + 1)).with_stages([*numbers, "Won"])
    deals, status = truth.deals, truth.deals["status"]
    before = truth.events[truth.events["stage"] != "Won"].groupby("deal_id").last()
    changed = deals["deal_id"].map(before["entered_at"])
    table = pd.DataFrame({
        "id": deals["deal_id"], "title": deals["name"], "value": plain(deals["amount"]), "currency": deals["currency"],
        "owner_id": numbered(deals["owner"], "{}"), "org_id": numbered(deals["account"], "{}"), "person_id": "",
        "pipeline_id": "1", "stage_id": deals["deal_id"].map(before["stage"]), "status": status,
        "add_time": stamp(deals["created_at"]), "update_time": stamp(deals["closed_at"].fillna(changed)),
        "stage_change_time": stamp(changed.where(changed > deals["created_at"])),
        "won_time": stamp(deals["closed_at"].where(status == "won")),
        "lost_time": stamp(deals["closed_at"].where(status == "lost")),
        "first_won_time": stamp(deals["closed_at"].where(status == "won")), "close_time": stamp(deals["closed_at"]),
        "expected_close_date": day(deals["expected_close"]), "lost_reason": deals["lost_reason"].fillna(""),
        "probability": "", "origin": "ManuallyCreated", "is_archived": "false",
    })  # fmt: skip
    back = come_back(truth, ["name", "amount", "currency", "created_at", "closed_at", "expected_close", "lost_reason"],
                     owner=table["owner_id"], account=table["org_id"])  # fmt: skip
    return Export(
        {"deals.csv": table}, back, losses={"log of moves"}, preset="pipedrive", **told(truth),
    )  # fmt: skip


def odoo(truth, archived=True):
    """Write crm.lead with duration tracking: seconds in each stage, all visits together, so their order is lost.

    The order, and with it each entry, can be told for deals that never moved back. A default export leaves out
    what is archived, which is how a lead is lost.
    """
    truth = truth.with_ids(lambda number: str(number + 1)).with_stages(ODOO_IDS)
    spells = truth.spells()
    spells["seconds"] = (spells["left_at"].fillna(truth.as_of) - spells["entered_at"]).dt.total_seconds().astype(int)
    stays = spells.groupby(["deal_id", "stage"])["seconds"].sum()
    stays = {deal: rows.droplevel(0).to_dict() for deal, rows in stays.groupby(level=0)}
    deals, status = truth.deals, truth.deals["status"]
    table = pd.DataFrame({
        "id": deals["deal_id"], "name": deals["name"], "type": "opportunity", "user_id": deals["owner"],
        "team_id": deals["team"], "partner_id": deals["account"], "stage_id": deals["stage"],
        "active": (status != "lost").map({True: "True", False: "False"}),
        "probability": status.map({"won": "100.0", "lost": "0.0"}).fillna("40.0"),
        "expected_revenue": plain(deals["amount"]), "create_date": stamp(deals["created_at"]),
        "date_open": stamp(deals["created_at"]), "date_closed": stamp(deals["closed_at"]),
        "date_deadline": day(deals["expected_close"]),
        "date_last_stage_update": stamp(deals["deal_id"].map(truth.events.groupby("deal_id")["entered_at"].last())),
        "lost_reason_id": deals["lost_reason"].fillna(""), "priority": "0", "source_id": deals["source"],
        "duration_tracking": [json.dumps(stays[deal]) for deal in deals["deal_id"]],
    })  # fmt: skip
    back = come_back(truth, ["name", "account", "owner", "team", "amount", "created_at", "closed_at",
                             "expected_close", "lost_reason"])  # fmt: skip
    place = truth.events["stage"].map({stage: number for number, stage in enumerate(truth.labels)})
    forward = place.groupby(truth.events["deal_id"]).agg(lambda steps: steps.is_monotonic_increasing)
    events = truth.events[truth.events["deal_id"].map(forward)]
    losses = {"log of moves", "revisits", "order"}
    if not archived:
        kept = status != "lost"
        table, back, losses = table[kept], back[kept], losses | {"lost deals"}
        events = events[events["deal_id"].isin(back["deal_id"])]
    return Export(
        {"crm.lead.csv": table}, back.reset_index(drop=True), events, losses, preset="odoo", source=("wide",),
        **told(truth),
    )  # fmt: skip


def zoho(truth):
    """Write the deals of its pages: no history, Closed Lost overwrites the stage, durations in days."""
    truth = truth.with_ids(lambda number: f"zcrm_{4876876000000100001 + number}")
    truth = truth.with_stages([*truth.labels[:-1], "Closed Won"])
    deals, status = truth.deals, truth.deals["status"]
    cycle = (deals["closed_at"].dt.normalize() - deals["created_at"].dt.normalize()).dt.days
    table = pd.DataFrame({
        "Deal ID": deals["deal_id"], "Deal Owner": deals["owner"], "Deal Name": deals["name"],
        "Account Name": deals["account"], "Amount": plain(deals["amount"]),
        "Expected Revenue": plain(deals["amount"] * status.map({"won": 1.0, "lost": 0.0}).fillna(0.4)),
        "Stage": deals["stage"].mask(status == "lost", "Closed Lost"), "Closing Date": day(close_or_expected(truth)),
        "Created Time": stamp(deals["created_at"]), "Reason For Loss": deals["lost_reason"].fillna(""),
        "Overall Sales Duration": cycle.map("{:.0f}".format).replace("nan", ""),
        "Sales Cycle Duration": cycle.map("{:.0f}".format).replace("nan", ""), "Lead Conversion Time": "0",
    })  # fmt: skip
    back = come_back(truth, ["name", "account", "owner", "amount", "lost_reason", "created_at", "closed_at"],
                     expected_close=only_open(truth))  # fmt: skip
    return Export(
        {"Deals.csv": table}, back, losses={"log of moves", "stage of loss"}, preset="zoho", day=("closed_at",),
        known_stage=("open", "won"), **told(truth),
    )  # fmt: skip


def _passages(truth, won, lost):
    """Return each stay with where it led: deal_id, stage, to (None while there), entered_at, left_at; ends included."""
    spells = truth.spells()
    spells["to"] = spells["next"].mask(spells["next"].isna() & (spells["status"] == "lost"), lost)
    ends = truth.deals.loc[truth.deals["status"] == "lost"]
    ends = pd.DataFrame({"deal_id": ends["deal_id"], "stage": lost, "entered_at": ends["closed_at"]})
    return pd.concat([spells, ends], ignore_index=True)


def frappe(truth):
    """Write the status change logs of CRM deals: from, to, when and how long; the deal's own fields are elsewhere."""
    truth = truth.with_ids("CRM-DEAL-2024-{:05d}".format).with_stages([*truth.labels[:-1], "Won"])
    rows = _passages(truth, "Won", "Lost")
    stay = (rows["left_at"] - rows["entered_at"]).dt.total_seconds()
    table = pd.DataFrame({
        "parent": rows["deal_id"], "from": rows["stage"], "to": rows["to"].fillna(""),
        "from_date": stamp(rows["entered_at"]), "to_date": stamp(rows["left_at"]),
        "duration": stay.map("{:.0f}".format).replace("nan", ""), "log_owner": "sales@example.com",
    })  # fmt: skip
    back = come_back(truth, ["created_at", "closed_at"])
    return Export(
        {"status_change_log.csv": shuffled(table)}, back, truth.events, {"amount", "owner"}, preset="frappe",
        **told(truth),
    )  # fmt: skip


def suitecrm(truth):
    """Write opportunities_audit: changes only, so a first stage has no time and deals that never moved are missing."""
    truth = truth.with_ids(lambda number: f"8f2c1a3e-5b7d-4c21-9a10-{number:012x}")
    truth = truth.with_stages([*truth.labels[:-1], "Closed Won"])
    rows = _passages(truth, "Closed Won", "Closed Lost").query("to.notna()", engine="python")
    stages = pd.DataFrame({
        "parent_id": rows["deal_id"], "date_created": stamp(rows["left_at"]), "created_by": "1",
        "field_name": "sales_stage", "data_type": "enum", "before_value_string": rows["stage"],
        "after_value_string": rows["to"],
    })  # fmt: skip
    some = truth.deals[truth.deals["deal_id"].isin(stages["parent_id"])].iloc[::4]
    amounts = pd.DataFrame({
        "parent_id": some["deal_id"], "date_created": stamp(some["created_at"] + pd.Timedelta(minutes=1)),
        "created_by": "1", "field_name": "amount", "data_type": "currency",
        "before_value_string": plain(some["amount"] * 0.5), "after_value_string": plain(some["amount"]),
    })  # fmt: skip
    table = shuffled(pd.concat([stages, amounts], ignore_index=True))
    table.insert(0, "id", [f"aa00{number:08x}" for number in range(len(table))])
    moved = truth.deals["deal_id"].isin(stages["parent_id"])
    back = come_back(truth, ["closed_at"])[moved.to_numpy()].reset_index(drop=True)
    later = truth.events[truth.events.groupby("deal_id").cumcount() > 0]
    return Export(
        {"opportunities_audit.csv": table}, back, later, LOG_ALONE,
        preset="suitecrm", **told(truth),
    )  # fmt: skip


def business_central(truth):
    """Write Opportunity Entry: days, stages by number; the closing entry keeps the stage, its chance is 100 or 0."""
    numbers = [str(number + 1) for number in range(len(truth.labels) - 1)]
    truth = truth.with_ids("OP{:06d}".format).with_stages([*numbers, "Won"])
    deals = truth.deals.set_index("deal_id")
    rows = truth.events[truth.events["stage"] != "Won"].assign(chance="40", closed="")
    last = rows.groupby("deal_id")["stage"].last()
    ends = truth.deals[truth.deals["status"] != "open"]
    ends = pd.DataFrame({
        "deal_id": ends["deal_id"], "stage": ends["deal_id"].map(last), "entered_at": ends["closed_at"],
        "chance": ends["status"].map({"won": "100", "lost": "0"}), "closed": day(ends["closed_at"]),
    })  # fmt: skip
    rows = pd.concat([rows, ends]).sort_values(["deal_id", "entered_at"], kind="stable", ignore_index=True)
    group = rows.groupby("deal_id")
    latest = group.cumcount(ascending=False) == 0
    table = pd.DataFrame({
        "Entry No.": [str(number + 1) for number in range(len(rows))], "Opportunity No.": rows["deal_id"],
        "Date of Change": day(rows["entered_at"]), "Previous Sales Cycle Stage": group["stage"].shift().fillna("0"),
        "Sales Cycle Stage": rows["stage"],
        "Days Open": (rows["entered_at"] - rows["deal_id"].map(deals["created_at"])).dt.days.astype(str),
        "Estimated Value (LCY)": plain(rows["deal_id"].map(deals["amount"])), "Probability %": rows["chance"],
        "Estimated Close Date": day(rows["deal_id"].map(deals["expected_close"])), "Date Closed": rows["closed"],
        "Active": latest.map({True: "Yes", False: "No"}),
    })  # fmt: skip
    back = come_back(truth, ["amount", "created_at", "closed_at", "expected_close"])
    return Export(
        {"Opportunity Entry.csv": table}, back, truth.events, {"owner", "hours"}, preset="business-central",
        day=("created_at", "closed_at", "entered_at"), **told(truth),
    )  # fmt: skip


def pipedrive_messages(truth, version=2):
    """Write what a webhook was sent since before the first deal: a message for each new deal, move, outcome and other
    change, with messages about a person between; in version 1 with the whole deal before the change."""
    stages = {label: 10 + number for number, label in enumerate(truth.labels)}
    rows = []
    for number, deal in enumerate(truth.deals.itertuples(), 1):
        rows += _messages_of(number, deal, truth.events[truth.events["deal_id"] == deal.deal_id], stages, truth)
    rows.sort(key=lambda row: (row[0], row[1] is not None))
    return {"webhook.jsonl": [_message(version, *row) for row in rows]}


def _messages_of(number, deal, entries, stages, truth):
    """Return (time, state before, state after) of each change of a deal; the amount is told after its first entry."""
    state, moved = {"id": number, "title": deal.name, "value": 0, "currency": deal.currency, "owner_name": deal.owner,
                    "org_name": deal.account, "status": "open", "lost_reason": None,
                    **dict.fromkeys(("stage_change_time", "won_time", "lost_time", "close_time"))}, []  # fmt: skip
    for entry in entries.itertuples():
        if entry.stage == truth.labels[-1]:
            change = {"status": "won", "won_time": entry.entered_at, "close_time": entry.entered_at}
        elif not moved:
            change = {"stage_id": stages[entry.stage], "add_time": entry.entered_at}
        else:
            change = {"stage_id": stages[entry.stage], "stage_change_time": entry.entered_at}
        moved.append((entry.entered_at, change))
    if deal.status == "lost":
        end = {"status": "lost", "lost_time": deal.closed_at, "close_time": deal.closed_at,
               "lost_reason": deal.lost_reason}  # fmt: skip
        moved.append((deal.closed_at, end))
    moved.append((min(moved[-1][0] + pd.Timedelta(hours=3), truth.as_of), {"value": deal.amount}))
    found, before = [], None
    for time, change in moved:
        state = {**state, **change, "update_time": time}
        found.append((time, before, state))
        before = state
    return found


def _message(version, time, before, after):
    form = {1: "%Y-%m-%d %H:%M:%S", 2: "%Y-%m-%dT%H:%M:%SZ"}[version]
    before, after = ({name: cell.strftime(form) if isinstance(cell, pd.Timestamp) else cell
                      for name, cell in state.items()} if state else None for state in (before, after))  # fmt: skip
    if version == 1:
        about = {"action": "updated" if before else "added", "object": "deal", "id": after["id"],
                 "timestamp": int(time.timestamp()), "v": 1}  # fmt: skip
        return {"v": 1, "matches_filters": {"current": []}, "meta": about, "current": after, "previous": before,
                "retry": 0, "event": f"{about['action']}.deal"}  # fmt: skip
    about = {"action": "change" if before else "create", "entity": "deal", "entity_id": str(after["id"]),
             "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "version": "2.0"}  # fmt: skip
    previous = {name: before.get(name) for name in after if before.get(name) != after[name]} if before else None
    return {"meta": about, "data": after, "previous": previous}
