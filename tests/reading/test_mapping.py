"""Mapping: columns by file, a proposal for each, one refusal with all that is missing, and the file that answers it."""

import json

import pandas as pd
import pytest

from funnelkit.cli import main
from funnelkit.language import DataError
from funnelkit.reading import mapping_text, read, read_mapping, write_mapping
from tests.support.readings import refused

GERMAN = "Akte Nr,Stufe jetzt,Auftragssumme,Datum,Betreuer\n1,Neu,5,1.2.2026,x\n2,Angebot,6,3.2.2026,y\n"
GERMAN += "3,Gewonnen,6,13.2.2026,y\n4,Verloren,6,3.2.2026,y\n"


@pytest.fixture
def german(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text(GERMAN, encoding="utf-8")
    return path


def test_everything_missing_is_asked_at_once(german):
    error = refused(german)
    assert [problem.values["column"] for problem in error.values["problems"]] == ["deal_id", "stage"]
    assert "It may be 'Akte Nr'." in str(error) and "It may be 'Stufe jetzt'." in str(error)
    rows = {row["column"]: (row["meaning"], row["confidence"]) for row in error.values["proposals"]}
    assert rows == {
        "Akte Nr": ("deal_id", "perhaps"), "Stufe jetzt": ("stage", "perhaps"), "Auftragssumme": (None, "none"),
        "Datum": ("created_at", "perhaps"), "Betreuer": (None, "none"),
    }  # fmt: skip


def test_dates_of_all_columns_and_the_order_are_asked_together():
    rows = {
        "id": [1, 2],
        "stage": ["Beta", "Alpha"],
        "created": ["01/02/2026", "03/04/2026"],
        "closed": [None, "05/06/2026"],
    }
    problems = refused(pd.DataFrame(rows)).values["problems"]
    assert [problem.key for problem in problems] == ["date_order_ambiguous"] * 2 + ["stage_order_unknown"]


def test_a_mapping_that_is_filled_in_answers_all(german, tmp_path, capsys):
    path = tmp_path / "mapping.toml"
    assert main(["check", str(german), "--lang", "en", "--write-mapping", str(path)]) == 2
    text = path.read_text(encoding="utf-8")
    assert 'won = ["Gewonnen"]' in text and 'stage = "Stufe jetzt"  # perhaps: Neu, Angebot, Gewonnen' in text
    path.write_text(text.replace("stages = []", 'stages = ["Neu", "Angebot"]'), encoding="utf-8")
    found = read(german, mapping=path)
    assert found.deals["status"].tolist() == ["open", "open", "won", "lost"] and found.rows.quarantined == 0
    capsys.readouterr()
    assert main(["check", str(german), "--mapping", str(path), "--json", "--lang", "en"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows_good"] == 4 and {row["meaning"] for row in answer["columns"]} >= {"deal_id", "stage"}
    again = tmp_path / "again.toml"
    write_mapping(again, found)
    assert read(german, mapping=again).deals.equals(found.deals)


def test_what_is_given_goes_before_the_mapping_file(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        'stages = ["Lead", "Won"]\nlost = []\n[columns]\nstage = "phase"\nowner = "who"\n', encoding="utf-8"
    )
    assert read_mapping(path) == {"stages": ["Lead", "Won"], "map": {"stage": "phase", "owner": "who"}}
    frame = pd.DataFrame({"id": [1], "phase": ["Lead"], "who": ["Ann"], "other": ["Bo"]})
    found = read(frame, mapping=path, map={"owner": "other"}, stages=["Lead", "Offer", "Won"])
    assert found.deals["owner"].tolist() == ["Bo"] and len(found.model.stages) == 3


def test_check_takes_a_mapping_file_whole_and_its_own_options_before_it(tmp_path, capsys):
    (tmp_path / "deals.csv").write_text("id,phase\na,S1\nb,Signed\n")
    (tmp_path / "m.toml").write_text('stages = ["S1", "Signed"]\nwon = "Signed"\n[columns]\nstage = "phase"\n')
    command = ["check", str(tmp_path / "deals.csv"), "--mapping", str(tmp_path / "m.toml"), "--json", "--lang", "en"]
    assert cli_answer(command, capsys)["rows_good"] == 2
    assert cli_answer([*command, "--stages", "S0,S1,Signed"], capsys)["rows_good"] == 2
    (tmp_path / "m.toml").write_text('model = "industrial-8"\n[columns]\nstage = "phase"\n')
    assert cli_answer(command, capsys)["rows_good"] == 0, "no stage of that model"


def cli_answer(command, capsys):
    main(command)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "key"),
    [("stage = [", "mapping_unreadable"), ('stagse = ["A"]', "mapping_setting"), ("columns = 3", "mapping_setting")],
)
def test_a_mapping_file_that_is_wrong_is_refused(tmp_path, text, key):
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    assert refused(pd.DataFrame({"id": [1], "stage": ["Won"]}), mapping=path).key == key
    with pytest.raises(DataError, match="cannot be written"):
        write_mapping(tmp_path, read(pd.DataFrame({"id": [1], "stage": ["Won"]}), stages=["Lead", "Won"]))


def two_files(folder):
    (folder / "deals.csv").write_text("deal_id,step,created_at\nD1,OFFER,2026-01-01\nD2,WON,2026-01-02\n")
    (folder / "log.csv").write_text(
        "deal_id,was,now,changed_at\nD1,,NEW,2026-01-01\nD1,NEW,OFFER,2026-01-05\nD2,,NEW,2026-01-02\nD2,NEW,WON,2026-01-09\n"
    )
    return folder / "deals.csv", folder / "log.csv"


def test_a_column_is_mapped_for_one_file_or_for_those_that_have_it(tmp_path):
    files, stages = two_files(tmp_path), ["NEW", "OFFER", "WON"]
    ways = (
        {"deals.csv:stage": "step", "log.csv:stage": "now", "log.csv:stage_before": "was"},
        {"deals.csv": {"stage": "step"}, "log.csv": {"stage": "now", "stage_before": "was"}},
        {"deals.csv:stage": "step", "stage": "now", "stage_before": "was"},
    )
    for way in ways:
        found = read(*files, stages=stages, map=way)
        assert found.rows.good == 6 and found.deals["status"].tolist() == ["open", "won"]
    assert refused(*files, stages=stages, map={"stage": "nowhere"}).key == "no_mapped_column"
    assert refused(*files, stages=stages, map={"dials.csv:stage": "now"}).key == "no_mapped_file"
    assert "stage" in str(refused(*files, stages=stages, map={"stag": "now"}))


def test_a_proposal_stands_for_every_column():
    frame = {
        "id": [1, 2],
        "stage": ["Lead", "Won"],
        "Rep Name": ["Ann", "Bob"],
        "acv": [5, 6],
        "Colour": ["red", "blue"],
    }
    found = read(pd.DataFrame(frame), stages=["Lead", "Won"])
    rows = {row["column"]: (row["meaning"], row["confidence"], row["values"]) for row in found.mapping}
    assert rows == {
        "id": ("deal_id", "sure", ["1", "2"]), "stage": ("stage", "sure", ["Lead", "Won"]),
        "Rep Name": ("owner", "likely", ["Ann", "Bob"]), "acv": ("amount", "perhaps", ["5", "6"]),
        "Colour": (None, "none", ["red", "blue"]),
    }  # fmt: skip
    assert found.deals["owner"].tolist() == ["Ann", "Bob"]
    limit = found.limit("no_amount").message("en")
    assert "'acv'" in limit and "--map amount=COLUMN" in limit and not found.limit("no_owner")
    text = mapping_text(found)
    assert 'owner = "Rep Name"  # likely: Ann, Bob' in text and '# "Colour"  # kept as it is: red, blue' in text
