"""First contact: exports as people have them are read at once, or ask once, and then are right to the last deal."""

import pandas as pd
import pytest

from funnelkit.cli import main
from funnelkit.language import DataError
from funnelkit.reading.read import read
from tests.support.writers.contacts import CONTACTS, LOST, OPEN, TOTAL, TRUTH, WON

NO_AMOUNT = {"sap-history.csv", "property-history.csv", "stays.csv", "segment.jsonl.gz", "snowplow.tsv", "epochs.json"}
ASKED = {"encoding": "encoding_unclear", "stages": "stage_order_unknown"}


FORMS = [
    pytest.param(*case, id=case[0], marks=[] if number % 4 == 0 else [pytest.mark.slow])
    for number, case in enumerate(CONTACTS)
]


@pytest.mark.parametrize(("name", "content", "told"), FORMS)
def test_an_export_is_read_at_once_or_asks_once_for_all(name, content, told, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    if told:
        with pytest.raises(DataError) as caught:
            read(path)
        problems = caught.value.values.get("problems", (caught.value,))
        assert [problem.key for problem in problems] == [ASKED[option] for option in told]
        if "encoding" in told:
            assert problems[0].values["likely"] == told["encoding"]
    pipeline = read(path, **told)
    status = pipeline.deals["status"].value_counts().to_dict()
    how = f"after {', '.join(told)}" if told else "at once"
    print(f"{name}: {len(pipeline.deals)} deals, {status}, read {how}")
    assert status == {"won": WON, "lost": LOST, "open": OPEN}
    assert not [finding.message() for finding in pipeline.findings if finding.severity == "error"]
    assert pipeline.amount_total is None if name in NO_AMOUNT else pipeline.amount_total == pytest.approx(TOTAL)
    created = pipeline.deals["created_at"].dt.normalize().sort_values(ignore_index=True)
    wanted = pd.Series(sorted(pd.Timestamp(deal.created.date()) for deal in TRUTH))
    pd.testing.assert_series_equal(created, wanted, check_names=False, check_dtype=False)


def test_titles_are_no_rows_and_rows_no_titles(tmp_path):
    path = tmp_path / "header-last.csv"
    path.write_text("A1,Acme,Lead,2022-05-20,100\nA2,Bo,Won,2022-05-21,250\nid,account,stage,date,amount\n")
    with pytest.raises(DataError, match="no column"):
        read(path)
    path.write_text("Region,EMEA\nid,stage,amount\n1,Lead,5\n2,Won,6\n\nnote\n3;Lead;7\n")
    found = read(path, stages="Lead,Won")
    assert (found.rows.good, found.rows.ignored, found.amount_total) == (2, 3, 11.0)


def test_what_is_neither_won_nor_lost_is_open_aloud_where_many_say_it(tmp_path):
    rows = {"id": range(9), "stage": ["Lead"] * 9, "status": ["won", "lost", *["Snoozed"] * 4, "won", "lost", "loost"]}
    found = read(rows, stages="Lead,Won")
    assert found.deals["status"].value_counts().to_dict() == {"open": 4, "won": 2, "lost": 2}
    said = [finding.message() for finding in found.findings if finding.rule == "status_open"]
    assert len(said) == 1 and found.rows.quarantined == 1
    assert "'Snoozed' is not a known outcome; the 4 deals with it are read as open. If it is an outcome" in said[0]
    declared = read(rows, stages="Lead,Won", lost="Snoozed")
    assert declared.deals["status"].value_counts().to_dict() == {"lost": 6, "won": 2}


def test_one_step_warns_of_a_column_that_may_hold_the_stages():
    rows = {"id": range(6), "status": ["won", "lost", "open"] * 2, "Step": ["In", "Out"] * 3}
    found = next(finding for finding in read(rows).findings if finding.rule == "one_step")
    assert found.severity == "warn" and "'Step'" in found.message()


def test_an_archive_of_different_tables_names_them_and_new_takes_alike_ones(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, content, told = next(case for case in CONTACTS if case[0] == "halves.zip")
    (tmp_path / name).write_bytes(content)
    assert main(["check", name, "--stages", told["stages"]]) == 0
    assert "halves.zip#2025-h2.csv" in capsys.readouterr().out
    assert main(["new", name, "--lang", "en"]) == 0
