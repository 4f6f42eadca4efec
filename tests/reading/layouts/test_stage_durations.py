"""Elapsed: entries rebuilt from seconds per stage are those of the path, where a deal never returned."""

import json

import numpy as np
import pandas as pd

from funnelkit.reading.read import read

STAGES = ["New", "Qualified", "Proposition", "Won"]
DAY = 86_400
BEGIN = pd.Timestamp("2026-01-01 09:00:00")


def leads(rows, name=str):
    """Return an export of (id, stage, active, days per stage, day of the last change)."""

    def since(count):
        return "" if count is None else str(BEGIN + pd.Timedelta(days=count))

    frame = pd.DataFrame(rows, columns=["id", "stage_id", "active", "spent", "last"], dtype=object)
    spent = [json.dumps({name(key): count * DAY for key, count in row.items()}) for row in frame.pop("spent")]
    last = frame.pop("last").map(since, na_action=None)
    return frame.assign(
        active=frame["active"].map(str), expected_revenue="10", create_date=str(BEGIN), date_last_stage_update=last,
        duration_tracking=spent,
    )  # fmt: skip


def days(pipeline, deal):
    rows = pipeline.events[pipeline.events["deal_id"] == deal]
    spans = (rows["entered_at"] - BEGIN) / pd.Timedelta(days=1)
    return dict(zip(rows["stage"].astype(str), spans, strict=True))


ROWS = [
    ("a", "Proposition", True, {"New": 2, "Qualified": 3, "Proposition": 1}, 5),
    ("b", "Won", True, {"New": 1, "Proposition": 4, "Won": 0}, 5),  # one stage skipped
    ("c", "Qualified", False, {"New": 1, "Qualified": 9}, 1),
    ("d", "New", True, {"New": 7}, None),
    ("e", "New", True, {"New": 4, "Qualified": 2}, 5),  # moved back
    (
        "f",
        "Proposition",
        True,
        {"New": 1, "Qualified": 4, "Proposition": 3},
        7,
    ),  # its last change is not the first entry
]


def test_entries_are_rebuilt_where_the_path_is_plain_and_not_where_it_is_not():
    pipeline = read(leads(ROWS), stages=STAGES)
    assert pipeline.deals["status"].tolist() == ["open", "won", "lost", "open", "open", "open"]
    assert days(pipeline, "a") == {"New": 0, "Qualified": 2, "Proposition": 5}
    assert days(pipeline, "b") == {"New": 0, "Proposition": 1, "Won": 5}
    assert days(pipeline, "c") == {"New": 0, "Qualified": 1}
    assert days(pipeline, "d") == {"New": 0}
    for deal in "ef":
        found = days(pipeline, deal)
        assert found["New"] == 0 and np.isnan(found["Qualified"])  # it was there, but when is not known
    assert pipeline.limit("dates_from_durations").values == {"n": 2}


def test_ids_of_stages_are_told_by_the_rows_that_stand_in_them():
    ids = {"New": "4", "Qualified": "9", "Proposition": "2", "Won": "7"}
    named, plain = read(leads(ROWS, ids.get), stages=STAGES), read(leads(ROWS), stages=STAGES)
    pd.testing.assert_frame_equal(named.events, plain.events)


def test_ids_that_nothing_tells_give_no_dates_and_are_named():
    rows = [
        ("a", "Proposition", True, {"1": 2, "2": 3, "3": 1}, 5),
        ("b", "Proposition", True, {"1": 2, "2": 1, "3": 1}, 3),
    ]
    pipeline = read(leads(rows), stages=STAGES)
    note = next(finding for finding in pipeline.findings if finding.rule == "durations_unknown")
    assert note.severity == "warn" and "1" in note.value
    assert (pipeline.events["stage"] == "Proposition").all()


def test_what_is_no_list_of_seconds_sets_its_row_aside():
    frame = leads(ROWS)
    frame.loc[0, "duration_tracking"] = "soon"
    frame.loc[1, "duration_tracking"] = '{"New": -5}'
    frame.loc[2, "duration_tracking"] = ""
    pipeline = read(frame, stages=STAGES)
    assert pipeline.rows.quarantined == 2 and [f.rule for f in pipeline.findings].count("not_durations") == 2


def test_a_default_export_without_archived_leads_lacks_the_lost():
    kept = leads([row for row in ROWS if row[2]])
    assert read(kept, stages=STAGES).limit("no_lost_deals").values == {"n_won": 1}
