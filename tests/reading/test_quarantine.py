"""Quarantine: its rows, corrected and loaded with their source, give exactly what the undamaged source gives."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.language.errors import DataError
from funnelkit.reading.read import read

STAGES = ["Lead", "MQL", "Negotiation", "Won"]
HEADER = ["id", "account", "stage", "created", "closed", "amount"]


def whole_rows(n=60):
    """Return rows of which some have cells that a spreadsheet would run, or quotes, or blanks around them."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(n):
        account = ["Acme, Inc.", "=1+1", "'=x", '"A" B', "北京天工", " -5 ", "", "@home", "''+1"][i % 9]
        stage = STAGES[int(rng.integers(4))]
        closed = f"2026-02-{i % 28 + 1:02d}" if stage == "Won" else ""
        rows.append([f"{i:03d}", account, stage, f"2026-01-{i % 28 + 1:02d}", closed, str(int(rng.integers(-5, 900)))])
    return rows


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows])
    return path


# Each damage sets its row aside: (position of the cell, what it becomes), or a row cut, widened, repeated.
DAMAGE = {
    3: (2, "Led"), 8: (0, ""), 13: (3, "2026-02-30"), 17: (5, "ten"), 20: (2, ""), 26: (5, "5k"), 31: (0, "Total"),
    34: (0, "033"), 40: "cut", 44: "wide", 50: (4, "2020-01-01"),
}  # fmt: skip


def damaged_rows(rows):
    result = [list(row) for row in rows]
    for number, damage in DAMAGE.items():
        if damage == "cut":
            result[number] = result[number][:4]
        elif damage == "wide":
            result[number].append("more")
        else:
            result[number][damage[0]] = damage[1]
    return result


def correct(path, rows):
    """Correct a quarantine file as a person would: cells, or the text of a row that has no cells."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        table = list(csv.DictReader(stream))
        names = list(table[0])
    for row in table:
        true = rows[int(row["quarantine_line"]) - 2]
        if row["quarantine_text"]:
            row["quarantine_text"] = ",".join('"' + cell.replace('"', '""') + '"' for cell in true)
        else:
            for name, cell in zip(HEADER, true, strict=True):
                if row[name].lstrip("'") != cell.lstrip("'"):  # the rest stays as the file shows it
                    row[name] = cell
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(table)
    return len(table)


def same(one, other):
    pd.testing.assert_frame_equal(one.deals, other.deals)
    pd.testing.assert_frame_equal(one.events, other.events)
    assert (one.rows, one.amount_total, one.as_of) == (other.rows, other.amount_total, other.as_of)
    plain = [[f for f in pipeline.findings if f.rule != "corrected"] for pipeline in (one, other)]
    assert plain[0] == plain[1]


def test_corrected_and_loaded_again_is_the_full_data_set(tmp_path):
    rows = whole_rows()
    whole = read(write(tmp_path / "d.csv", rows), stages=STAGES)
    assert whole.rows.quarantined == 0
    path, aside = write(tmp_path / "d.csv", damaged_rows(rows)), tmp_path / "q.csv"
    damaged = read(path, stages=STAGES, quarantine=str(aside))
    assert damaged.rows.quarantined == len(DAMAGE) + 1  # two rows share the id 033
    assert correct(aside, rows) == len(DAMAGE) + 1
    again = read(path, aside, stages=STAGES)
    same(again, whole)
    note = next(f for f in again.findings if f.rule == "corrected")
    assert note.values == {"n": len(DAMAGE) + 1, "source": "q.csv"} and "q.csv" in note.message("zh")
    assert again.deals["account"].tolist() == whole.deals["account"].tolist()
    same(read(aside, path, stages=STAGES), whole)  # in either order


def test_uncorrected_it_changes_nothing(tmp_path):
    path, aside = write(tmp_path / "d.csv", damaged_rows(whole_rows())), tmp_path / "q.csv"
    damaged = read(path, stages=STAGES, quarantine=str(aside))
    same(read(path, aside, stages=STAGES), damaged)
    second = tmp_path / "q2.csv"
    read(path, aside, stages=STAGES, quarantine=str(second))
    assert second.read_bytes() == aside.read_bytes()


def test_corrected_in_part_the_rest_stays_aside(tmp_path):
    rows = whole_rows()
    path, aside = write(tmp_path / "d.csv", damaged_rows(rows)), tmp_path / "q.csv"
    read(path, stages=STAGES, quarantine=str(aside))
    correct(aside, rows)
    lines = aside.read_text(encoding="utf-8-sig").splitlines()
    aside.write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")  # the first four only
    pipeline = read(path, aside, stages=STAGES)
    assert (pipeline.rows.rows_in, pipeline.rows.quarantined) == (60, len(DAMAGE) + 1 - 4)


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "frame"])
def test_typed_sources_keep_their_types(tmp_path, kind):
    frame = pd.DataFrame(whole_rows(), columns=HEADER)
    frame["created"], frame["closed"] = pd.to_datetime(frame["created"]), pd.to_datetime(frame["closed"])
    frame["amount"] = pd.to_numeric(frame["amount"]) + 0.25
    if kind == "xlsx":  # there it would be a formula that nobody has computed, a fault of its own
        frame["account"] = frame["account"].str.lstrip("=")
    broken = frame.copy()
    broken.loc[[4, 9, 11], "stage"] = ["Led", None, "?"]
    broken.loc[20, "id"] = "Grand total"

    def source(table, name):
        if kind == "frame":
            return table
        path = tmp_path / f"{name}.{kind}"
        table.to_excel(path, index=False) if kind == "xlsx" else table.to_parquet(path)
        return path

    whole, aside = read(source(frame, "d"), stages=STAGES), tmp_path / "q.csv"
    damaged = source(broken, "d")
    assert read(damaged, stages=STAGES, quarantine=str(aside)).rows.quarantined == 4
    table = pd.read_csv(aside, dtype=str, keep_default_na=False)
    for number, line in enumerate(table["quarantine_line"].astype(int)):
        true = frame.iloc[line - (2 if kind == "xlsx" else 1)]
        table.loc[number, ["id", "stage"]] = true[["id", "stage"]].to_numpy()
    table.to_csv(aside, index=False)
    same(read(damaged, aside, stages=STAGES), whole)


def test_alone_it_is_a_table_of_its_own(tmp_path):
    rows = whole_rows()
    path, aside = write(tmp_path / "d.csv", damaged_rows(rows)), tmp_path / "q.csv"
    read(path, stages=STAGES, quarantine=str(aside))
    n = correct(aside, rows)
    path.unlink()
    pipeline = read(aside, stages=STAGES)
    assert pipeline.rows.good == n and set(pipeline.deals["deal_id"]) == {f"{i:03d}" for i in [*DAMAGE, 33]}
    assert pipeline.deals.set_index("deal_id").loc["040", "account"] == rows[40][1]


def test_rows_of_a_joined_table_come_back_too(tmp_path):
    accounts, aside = tmp_path / "accounts.csv", tmp_path / "q.csv"
    accounts.write_text("account,sector\nA,x\nA,y\nB,z\n")
    deals = pd.DataFrame({"id": ["1", "2"], "stage": ["Lead", "Lead"], "account": ["A", "B"]})
    read(deals, stages=STAGES, join=[accounts], quarantine=str(aside))
    text = aside.read_text(encoding="utf-8-sig")
    aside.write_text(text.replace(",A,y", ",A2,y"), encoding="utf-8")
    pipeline = read(deals, stages=STAGES, join=[accounts, aside])
    assert pipeline.deals["sector"].tolist() == ["x", "z"] and pipeline.rows.quarantined == 0


def test_a_quarantine_of_another_file_is_refused(tmp_path):
    path, aside = write(tmp_path / "d.csv", damaged_rows(whole_rows())), tmp_path / "q.csv"
    read(path, stages=STAGES, quarantine=str(aside))
    write(tmp_path / "d.csv", whole_rows(4))
    with pytest.raises(DataError) as caught:
        read(path, aside, stages=STAGES)
    assert caught.value.key == "quarantine_place" and "q.csv, line" in str(caught.value)
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError) as caught:
        read(path, write(tmp_path / "b" / "d.csv", whole_rows(4)), aside, stages=STAGES)
    assert caught.value.key == "quarantine_twice"


def test_on_the_command_line(tmp_path, capsys):
    rows = whole_rows()
    path, aside = write(tmp_path / "d.csv", damaged_rows(rows)), tmp_path / "q.csv"
    base = ["--stages", ",".join(STAGES), "--lang", "en"]
    assert cli.main(["check", str(path), *base, "--quarantine", str(aside)]) == 1
    correct(aside, rows)
    assert cli.main(["check", str(path), str(aside), *base]) == 0
    assert "as corrected there" in capsys.readouterr().out
    assert Path(aside).exists()
