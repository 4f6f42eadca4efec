"""HubSpot: the export of its pages and the properties of its API."""

import pandas as pd

from . import Export, close_or_expected, come_back, iso, numbered, only_open, plain, told

STAGES = (
    "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent",
    "96431842", "96431907_abc123_999", "closedwon",
)  # fmt: skip
LABELS = (
    "Appointment Scheduled", "Qualified To Buy", "Presentation Scheduled", "Decision Maker Bought-In",
    "Contract Sent", "Legal Review", "Board Approval", "Closed Won",
)  # fmt: skip


def pages(truth):
    """Write the export of the pages: eight labelled columns, no history, Closed Lost overwrites the stage."""
    truth = truth.with_ids(lambda number: str(9_812_345_001 + number)).with_stages(LABELS)
    deals = truth.deals
    table = pd.DataFrame({
        "Record ID": deals["deal_id"], "Deal Name": deals["name"],
        "Deal Stage": deals["stage"].mask(deals["status"] == "lost", "Closed Lost"), "Amount": plain(deals["amount"]),
        "Close Date": iso(close_or_expected(truth), "%Y-%m-%d %H:%M"),
        "Create Date": iso(deals["created_at"], "%Y-%m-%d %H:%M"),
        "Deal owner": deals["owner"], "Pipeline": "Sales Pipeline",
    })  # fmt: skip
    back = come_back(truth, ["name", "owner", "amount"], expected_close=only_open(truth),
                     created_at=deals["created_at"].dt.floor("min"),
                     closed_at=deals["closed_at"].dt.floor("min"))  # fmt: skip
    return Export(
        {"hubspot-crm-exports-all-deals.csv": table}, back, losses={"log of moves", "stage of loss"}, preset="hubspot",
        known_stage=("open", "won"), **told(truth),
    )  # fmt: skip


def api(truth):
    """Write the API's properties, all text: one date per stage, the latest, so earlier visits are lost."""
    truth = truth.with_ids(lambda number: str(9_812_345_001 + number)).with_stages(STAGES)
    deals, status = truth.deals, truth.deals["status"]
    table = pd.DataFrame({
        "hs_object_id": deals["deal_id"], "dealname": deals["name"], "amount": plain(deals["amount"]),
        "dealstage": deals["stage"].mask(status == "lost", "closedlost"), "pipeline": "default",
        "closedate": iso(close_or_expected(truth)), "createdate": iso(deals["created_at"]),
        "hubspot_owner_id": numbered(deals["owner"], "4711{:04d}"), "dealtype": "newbusiness",
        "hs_is_closed": (status != "open").map({True: "true", False: "false"}),
        "hs_is_closed_won": (status == "won").map({True: "true", False: "false"}),
        "hs_deal_stage_probability": status.map({"won": "1", "lost": "0", "open": "0.4"}),
        "closed_lost_reason": deals["lost_reason"].fillna(""), "hs_lastmodifieddate": iso(deals["created_at"]),
    })  # fmt: skip
    spells = truth.spells()
    latest = spells.groupby(["deal_id", "stage"], as_index=False).last()
    for stage in STAGES:
        at = latest[latest["stage"] == stage].set_index("deal_id")
        table[f"hs_v2_date_entered_{stage}"] = iso(deals["deal_id"].map(at["entered_at"]))
        table[f"hs_v2_date_exited_{stage}"] = iso(deals["deal_id"].map(at["left_at"]))
        stay = (at["left_at"] - at["entered_at"]).dt.total_seconds() * 1000
        table[f"hs_v2_latest_time_in_{stage}"] = deals["deal_id"].map(stay).map("{:.0f}".format).replace("nan", "")
    table["hs_v2_date_entered_closedlost"] = iso(deals["closed_at"].where(status == "lost"))
    back = come_back(truth, ["name", "amount", "created_at", "closed_at", "lost_reason"],
                     expected_close=only_open(truth), owner=table["hubspot_owner_id"])  # fmt: skip
    return Export(
        {"deals.csv": table}, back, latest[["deal_id", "stage", "entered_at"]],
        {"log of moves", "revisits"}, preset="hubspot",        source=("wide",), **told(truth),
    )  # fmt: skip
