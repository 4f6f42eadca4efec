"""Event logs as analytics systems and process mining hand them out. Each gives {file name: table, rows or document}."""

from xml.sax.saxutils import quoteattr

import pandas as pd

from . import iso


def ga4(truth, ending="csv"):
    """Write rows of the BigQuery export; times in microseconds."""
    events = truth.events
    table = pd.DataFrame({
        "event_date": iso(events["entered_at"], "%Y%m%d"),
        "event_timestamp": events["entered_at"].astype("datetime64[us]").astype("int64"),
        "event_name": events["stage"], "user_pseudo_id": events["deal_id"] + ".1700000000", "platform": "WEB",
    })  # fmt: skip
    if ending == "csv":
        return {"events.csv": table}
    param = [{"key": "ga_session_id", "value": {"int_value": "1"}}]
    return {"events.jsonl": [{**row, "event_params": param} for row in table.to_dict("records")]}


def amplitude(truth):
    events = truth.events
    table = pd.DataFrame({
        "$insert_id": [f"i{number}" for number in range(len(events))], "amplitude_id": 7, "app": 1,
        "event_type": events["stage"], "event_time": iso(events["entered_at"], "%Y-%m-%d %H:%M:%S.%f"),
        "user_id": events["deal_id"], "uuid": "x", "device_id": "d",
    })  # fmt: skip
    rows = [{**row, "event_properties": {"page": "a"}, "user_properties": {}} for row in table.to_dict("records")]
    return {"1_2026-01-05.json.gz": rows}


def mixpanel(truth, ending="jsonl"):
    events = truth.events
    times = [int(time.timestamp()) for time in events["entered_at"]]
    if ending == "csv":
        names = {"Event Name": events["stage"], "Time": times, "Distinct ID": events["deal_id"], "City": "x"}
        return {"events.csv": pd.DataFrame(names)}
    return {"export.jsonl": [
        {"event": stage, "properties": {"time": time, "distinct_id": deal, "$insert_id": f"i{number}", "mp_lib": "web"}}
        for number, (stage, time, deal) in enumerate(zip(events["stage"], times, events["deal_id"], strict=True))
    ]}  # fmt: skip


def posthog(truth, ending="csv"):
    events = truth.events
    table = pd.DataFrame({
        "uuid": [f"u{number}" for number in range(len(events))], "event": events["stage"],
        "timestamp": iso(events["entered_at"], "%Y-%m-%dT%H:%M:%S.%fZ"),
        "distinct_id": "anonymous-" + events["deal_id"], "person_id": events["deal_id"],
        "properties": '{"$lib": "web"}',
    })  # fmt: skip
    if ending == "csv":
        return {"events.csv": table}
    rows = [{**row, "properties": {"$lib": "web", "$current_url": "x"}} for row in table.to_dict("records")]
    return {"events.json": {"next": None, "results": rows}}


def matomo(truth):
    events = truth.events
    table = pd.DataFrame({
        "idlink_va": range(1, len(events) + 1), "idsite": 1, "idvisitor": events["deal_id"], "idvisit": 5,
        "server_time": iso(events["entered_at"], "%Y-%m-%d %H:%M:%S"), "name": events["stage"], "type": 4,
    })  # fmt: skip
    return {"log_link_visit_action.csv": table}


def pm4py(truth):
    """Write the table that process mining libraries make of a log."""
    events = truth.events
    table = pd.DataFrame({
        "case:concept:name": events["deal_id"], "concept:name": events["stage"],
        "time:timestamp": iso(events["entered_at"], "%Y-%m-%d %H:%M:%S+00:00"), "org:resource": "r1",
        "lifecycle:transition": "complete",
    })  # fmt: skip
    return {"log.csv": table}


def xes(truth, ending="xes"):
    """Write an event log; a loss is an event of its own."""
    lost = truth.deals[truth.deals["status"] == "lost"]
    ends = pd.DataFrame({"deal_id": lost["deal_id"], "stage": "Lost", "entered_at": lost["closed_at"]})
    events = pd.concat([truth.events, ends]).sort_values(["deal_id", "entered_at"], kind="stable")
    parts = ["<?xml version='1.0' encoding='UTF-8'?>\n<log xes.version='1.0'>\n"]
    for deal, rows in events.groupby("deal_id", sort=False):
        parts.append(f"<trace><string key='concept:name' value={quoteattr(deal)}/>\n")
        parts += [
            f"<event><string key='concept:name' value={quoteattr(stage)}/>"
            f"<date key='time:timestamp' value='{time:%Y-%m-%dT%H:%M:%S.000}+00:00'/></event>\n"
            for stage, time in zip(rows["stage"], rows["entered_at"], strict=True)
        ]
        parts.append("</trace>\n")
    return {f"log.{ending}": "".join([*parts, "</log>\n"])}
