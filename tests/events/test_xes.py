"""XES written is read back: the same events, times and counts; what XML cannot hold becomes a mark."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.language import DataError
from funnelkit.reading import open_source

HELPDESK = Path(__file__).parents[3] / "shared" / "data" / "helpdesk" / "helpdesk.csv"


def test_a_pipeline_goes_there_and_back(tmp_path):
    pipeline = fk.sample()
    back = fk.read(fk.to_xes(pipeline, tmp_path / "sample.xes"), model=pipeline.model.id)
    columns = ["deal_id", "stage", "entered_at"]
    ours, theirs = (found.events[columns].sort_values(columns, ignore_index=True) for found in (pipeline, back))
    pd.testing.assert_frame_equal(ours.astype(str), theirs.astype(str))
    cells = (
        open_source(tmp_path / "sample.xes").cells.drop_duplicates("case:concept:name").set_index("case:concept:name")
    )
    said = cells["case:amount"].astype(float)
    assert said.equals(pipeline.deals.set_index("deal_id")["amount"].reindex(said.index).rename("case:amount"))


def test_a_table_of_any_names_keeps_microseconds_zones_and_signs(tmp_path):
    at = pd.to_datetime(["2026-01-01 10:00:00.000001", "2026-01-02", None, "2026-01-03"], format="ISO8601")
    log = pd.DataFrame(
        {"case": ["<1>&", "<1>&", "<1>&", "二"], "what": ["A\x00", "B", "C", "A"], "when": at, "n": [1, 2, 3, 4]}
    )
    path = fk.to_xes(log, tmp_path / "log.xes.gz", {"id": "case", "stage": "what", "at": "when"})
    text = gzip.decompress(path.read_bytes()).decode()
    assert text.count("<event>") == 3 and text.count("<trace>") == 2 and 'key="n" value="4"' in text
    assert "2026-01-01T10:00:00.000001+00:00" in text and 'value="A\ufffd"' in text
    columns = {"id": "case:concept:name", "stage": "concept:name", "at": "time:timestamp"}
    assert fk.count_events(path, ["A\ufffd", "B"], columns=columns).table["n_entered"].tolist() == [1, 1]


@pytest.mark.parametrize(("log", "said"), [
    (pd.DataFrame({"deal_id": [1], "stage": ["A"]}), "no column named 'entered_at'"),
    (pd.DataFrame({"deal_id": [1], "stage": ["A"], "entered_at": ["soon"]}), "cannot be read as an event log"),
])  # fmt: skip
def test_what_is_no_log_is_refused_and_nothing_written(log, said, tmp_path):
    with pytest.raises(DataError, match=said):
        fk.to_xes(log, tmp_path / "x.xes")
    with pytest.raises(DataError, match="cannot be written"):
        fk.to_xes(fk.sample(), tmp_path / "none" / "x.xes")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["like", "real"])
def helpdesk(request, tmp_path):
    """The helpdesk log where it is, and one of its columns, numbered activities and repeats."""
    if request.param == "real":
        if not HELPDESK.exists():
            pytest.skip("the helpdesk log is not here; one like it has gone there and back")
        return HELPDESK
    rng = np.random.default_rng(18)
    lives = [rng.choice([1, 8, 8, 6, 9], rng.integers(1, 8)) for _ in range(60)]
    log = pd.DataFrame([(who, activity) for who, life in enumerate(lives, 2) for activity in life])
    log.columns = ["CaseID", "ActivityID"]
    at = pd.Timestamp("2012-04-03 16:55:38") + pd.to_timedelta(rng.exponential(9e4, len(log)).cumsum() // 1, unit="s")
    log["CompleteTimestamp"] = at.strftime("%Y-%m-%d %H:%M:%S")
    log.to_csv(tmp_path / "helpdesk.csv", index=False)
    return tmp_path / "helpdesk.csv"


def test_the_helpdesk_log_goes_there_and_back(helpdesk, tmp_path):
    pipeline = fk.read(helpdesk)
    back = fk.read(fk.to_xes(pipeline, tmp_path / "helpdesk.xes"))
    columns = ["deal_id", "stage", "entered_at"]
    ours, theirs = (found.events[columns].sort_values(columns, ignore_index=True) for found in (pipeline, back))
    pd.testing.assert_frame_equal(ours.astype(str), theirs.astype(str))
    rule = fk.Rule(window="30d")
    there, again = (fk.count_events(log, ["1", "8", "6"], rule).table for log in (pipeline, back))
    pd.testing.assert_frame_equal(there, again)
