"""Spreadsheets of no system: wide (a date column per stage), long (a row per entry) and counts."""

import pandas as pd

from . import Export, come_back, day, plain, shuffled, stamp, told


def wide(truth):
    """Write one row per deal with the day of the first entry into each stage."""
    deals = truth.deals
    first = truth.events.groupby(["deal_id", "stage"], as_index=False)["entered_at"].min()
    table = pd.DataFrame({
        "Deal ID": deals["deal_id"], "Deal name": deals["name"], "Account": deals["account"], "Owner": deals["owner"],
        "Team": deals["team"], "Amount": plain(deals["amount"]), "Currency": deals["currency"],
        "Created": stamp(deals["created_at"]), "Status": deals["status"], "Closed at": stamp(deals["closed_at"]),
        "Expected close": day(deals["expected_close"]), "Lost reason": deals["lost_reason"].fillna(""),
    })  # fmt: skip
    for label in truth.labels:
        at = first[first["stage"] == label].set_index("deal_id")["entered_at"]
        table[label] = stamp(deals["deal_id"].map(at))
    back = come_back(truth, ["name", "account", "owner", "team", "amount", "currency", "created_at", "closed_at",
                             "expected_close", "lost_reason"])  # fmt: skip
    return Export(
        {"wide.csv": table}, back, first, {"log of moves", "revisits"}, source=("wide",),
        stages="industrial-8", **told(truth),
    )  # fmt: skip


def long(truth):
    """Write one row per entry into a stage; a loss is an entry into Lost. Of the deal only its id is told."""
    lost = truth.deals[truth.deals["status"] == "lost"]
    lost = pd.DataFrame({"deal_id": lost["deal_id"], "stage": "Lost", "entered_at": lost["closed_at"]})
    table = pd.concat([truth.events, lost], ignore_index=True)
    table = shuffled(table.assign(entered_at=stamp(table["entered_at"])))
    back = come_back(truth, ["created_at", "closed_at"])
    return Export(
        {"events.csv": table}, back, truth.events, {"amount", "owner"}, stages="industrial-8", **told(truth),
    )  # fmt: skip


def long_with_deals(truth):
    """Write deals and their entries: two tables that together lose nothing."""
    deals = truth.deals
    times = {name: stamp(deals[name]) for name in ("created_at", "closed_at")}
    table = deals.assign(amount=plain(deals["amount"]), expected_close=day(deals["expected_close"]), **times)
    events = shuffled(truth.events.assign(entered_at=stamp(truth.events["entered_at"])))
    back = come_back(truth, ["name", "account", "owner", "team", "amount", "currency", "created_at", "closed_at",
                             "expected_close", "lost_reason"])  # fmt: skip
    return Export(
        {"deals.csv": table, "events.csv": events}, back, truth.events, stages="industrial-8", **told(truth),
    )  # fmt: skip


def reached(truth):
    """Return per stage how many deals entered it or a later one, how many were lost there, and how many are open."""
    place = {label: number for number, label in enumerate(truth.labels)}
    furthest = truth.events["stage"].map(place).groupby(truth.events["deal_id"]).max()
    furthest = truth.deals["deal_id"].map(furthest)
    rows = []
    for number, label in enumerate(truth.labels):
        there = furthest == number
        last = number == len(truth.labels) - 1
        rows.append({
            "stage": label, "n_entered": int((furthest >= number).sum()),
            "n_lost": 0 if last else int((there & (truth.deals["status"] == "lost")).sum()),
            "n_open": int((there & (truth.deals["status"] == "open")).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def counts(truth):
    """Write a funnel table; deals are no longer in it."""
    return reached(truth)
