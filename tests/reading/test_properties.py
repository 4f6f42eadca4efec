"""Intake as a whole: no row is lost, what is written is read back, and order and splitting change nothing."""

from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.reading.read import read
from tests.support.corpus import csv_bytes

STAGES = ["Lead", "MQL", "Offer", "Won"]
HEADER = ("id", "account", "owner", "stage", "date", "amount")
ENCODINGS = {"utf-8": None, "utf-8-sig": None, "utf-16": None, "gb18030": "gb18030", "shift_jis": "shift_jis",
             "cp1252": "cp1252"}  # fmt: skip
MARKS = (",", ";", "\t", "|")
NEWLINES = ("\n", "\r\n", "\r")
FORMS = list(product(ENCODINGS, MARKS, NEWLINES))


def texts(encoding):
    """Return texts that an encoding can hold, with every sign that could break a cell."""
    signs = {"cp1252": "éß€", "shift_jis": "東京ソ", "gb18030": "北京𠮷"}.get(encoding, "北é𠮷")
    inside = st.text(st.sampled_from('ab ,;|"\t\n=' + signs), max_size=6)
    return inside.map(lambda text: text.strip())


@st.composite
def deals(draw, encoding="utf-8"):
    """Return good rows of deals: every id of its own, amounts with two decimals, days in one form."""
    n = draw(st.integers(1, 6))
    cell = texts(encoding)
    return [
        (f"{number:03d}", draw(cell), draw(cell), draw(st.sampled_from([*STAGES, "Lost"])),
         f"2026-{draw(st.integers(1, 6)):02d}-{draw(st.integers(1, 28)):02d}",
         f"{draw(st.integers(0, 10**7)) / 100:.2f}")
        for number in range(n)
    ]  # fmt: skip


def load(path, **options):
    return read(path, stages=STAGES, as_of="2026-12-31", **options)


def put(folder, rows, encoding="utf-8", mark=",", newline="\n", name="t.csv"):
    path = folder / name
    path.write_bytes(csv_bytes(HEADER, rows, encoding, mark, newline))
    return path


def assert_same(one, other):
    """Hold two pipelines equal, whatever the order of their rows."""
    assert (one.rows, one.amount_total, one.as_of) == (other.rows, other.amount_total, other.as_of)
    assert {limit.code for limit in one.limits} == {limit.code for limit in other.limits}
    for name, keys in (("deals", ["deal_id"]), ("events", ["deal_id", "stage"])):
        left, right = (getattr(side, name).sort_values(keys, ignore_index=True) for side in (one, other))
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.parametrize("encoding", list(ENCODINGS))
@settings(max_examples=2)
@given(data=st.data())
def test_writing_and_reading_again_is_a_fixed_point(encoding, data, tmp_path_factory):
    """Two forms of a file give its rows, and what was read, written again, gives them too."""
    folder = tmp_path_factory.mktemp("fixed")
    rows = data.draw(deals(encoding))
    forms = data.draw(
        st.lists(st.sampled_from([form for form in FORMS if form[0] == encoding]), min_size=2, max_size=2)
    )
    truth = pd.DataFrame(rows, columns=HEADER)
    for _, mark, newline in forms:
        found = load(put(folder, rows, encoding, mark, newline), encoding=ENCODINGS[encoding], delimiter=mark)
        assert found.rows.good == len(rows) == found.rows.rows_in
        assert found.deals["deal_id"].tolist() == truth["id"].tolist()
        for column in ("account", "owner"):
            assert found.deals[column].fillna("").tolist() == truth[column].tolist()
        assert found.deals["amount"].tolist() == truth["amount"].astype(float).tolist()
        assert found.deals["created_at"].dt.strftime("%Y-%m-%d").tolist() == truth["date"].tolist()
        told = found.deals.fillna({"account": "", "owner": ""}).to_dict("records")
        again = [(deal["deal_id"], deal["account"], deal["owner"], row[3],
                  f"{deal['created_at']:%Y-%m-%d}", f"{deal['amount']:.2f}")
                 for deal, row in zip(told, rows, strict=True)]  # fmt: skip
        assert again == rows
        assert_same(
            load(put(folder, again, encoding, mark, newline), encoding=ENCODINGS[encoding], delimiter=mark), found
        )


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "mark", "newline"), FORMS)
@settings(max_examples=6)
@given(data=st.data())
def test_every_form_of_a_file_reads_alike(encoding, mark, newline, data, tmp_path_factory):
    """Each of 6 encodings x 4 delimiters x 3 newlines gives what the DataFrame itself gives."""
    rows = data.draw(deals(encoding))
    path = put(tmp_path_factory.mktemp("form"), rows, encoding, mark, newline)
    found = load(path, encoding=ENCODINGS[encoding], delimiter=mark)
    assert_same(found, read(pd.DataFrame(rows, columns=HEADER), stages=STAGES, as_of="2026-12-31"))


def test_the_forms_are_all_there_are():
    assert len(FORMS) == 6 * 4 * 3


# Cells good and bad: what a hand, a program or a foreign system leaves in a table.
CELLS = {
    "id": ["A", "B", "C", "c", "", " ", "\u200b", "Total", "007", "7", "=A1"],
    "account": ["Acme", "", "a,b", '"', "x\ny", "北京"],
    "owner": ["Ann", "ann ", ""],
    "stage": ["Lead", "lead", "MQL", "Won", "Lost", "Nope", "", "Ｗon"],
    "date": ["2026-01-01", "2026-02-30", "", "soon", "2026年3月1日", "1066-01-01", "2026-03-01 10:00"],
    "amount": ["1", "1.50", "-3", "", "x", "1e999", "12万", "(4)", "nan", "9" * 400],
}
ROW = st.tuples(*(st.sampled_from(CELLS[header]) for header in HEADER))


FAULTY = {
    "rows": st.lists(ROW, max_size=8),
    "layout": st.sampled_from(["deals", "events"]),
    "mark": st.sampled_from(MARKS),
    "newline": st.sampled_from(NEWLINES),
    "extra": st.lists(st.sampled_from(["", "x", "a,b;c|d\te", "  "]), max_size=3),
}
MIXED = {
    "rows": st.lists(ROW, min_size=1, max_size=8),
    "order": st.randoms(use_true_random=False),
    "cut": st.integers(0, 8),
}


@settings(max_examples=8)
@given(**FAULTY)
def test_rows_are_conserved_in_files(rows, layout, mark, newline, extra, tmp_path_factory):
    hold_rows_conserved(rows, layout, mark, newline, extra, tmp_path_factory.mktemp("rows"))


def hold_rows_conserved(rows, layout, mark, newline, extra, folder):
    """rows in = good + quarantined + ignored, and every row in is a row of the file, however broken."""
    path = put(folder, rows, mark=mark, newline=newline)
    path.write_bytes(path.read_bytes() + "".join(line + newline for line in extra).encode())
    aside = path.with_name("aside.csv")
    options = {"delimiter": mark, "quarantine": str(aside)}
    try:
        found = read(path, stages=STAGES, layout=layout, **options)
    except DataError:
        return
    count = found.rows
    assert count.rows_in == len(rows) + len(extra) == count.good + count.quarantined + count.ignored
    assert len(pd.read_csv(aside, dtype="str")) == count.quarantined
    if layout == "deals":
        assert len(found.deals) == count.good
    assert found.deals["deal_id"].is_unique and set(found.events["deal_id"]) <= set(found.deals["deal_id"])
    total = found.deals["amount"].sum()
    if layout == "deals" and found.amount_total is not None:
        assert found.amount_total == pytest.approx(total)


@settings(max_examples=3)
@given(**MIXED)
def test_order_and_splitting_of_files_change_nothing(rows, order, cut, tmp_path_factory):
    hold_order_and_split(rows, order, cut, tmp_path_factory.mktemp("order"))


def hold_order_and_split(rows, order, cut, folder):
    """A file in another order, or cut into two files, gives the same tables and counts, or the same refusal."""
    mixed = order.sample(rows, len(rows))
    parts = [part for part in (mixed[:cut], mixed[cut:]) if part]
    results = []
    for number, tables in enumerate(([rows], [mixed], parts)):
        paths = [put(folder, table, name=f"{number}{part}.csv") for part, table in enumerate(tables)]
        try:
            results.append(read(*paths, stages=STAGES, layout="deals", as_of="2026-12-31", decimal="."))
        except DataError as error:
            results.append(error.key)
    for other in results[1:]:
        if isinstance(results[0], str) or isinstance(other, str):
            assert results[0] == other
        else:
            assert_same(results[0], other)


@pytest.mark.slow
@settings(max_examples=300)
@given(**FAULTY)
def test_rows_are_conserved_in_many_files(rows, layout, mark, newline, extra, tmp_path_factory):
    hold_rows_conserved(rows, layout, mark, newline, extra, tmp_path_factory.mktemp("rows"))


@pytest.mark.slow
@settings(max_examples=100)
@given(**MIXED)
def test_order_and_splitting_of_many_files_change_nothing(rows, order, cut, tmp_path_factory):
    hold_order_and_split(rows, order, cut, tmp_path_factory.mktemp("order"))
