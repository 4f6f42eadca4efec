"""The filter of a report's rows: read as people write it, never run, and a slip names what is near."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelkit.language.errors import DataError, ReportError
from funnelkit.reading import read
from funnelkit.report.runs.rows import filter_word, parse_rows
from funnelkit.report.sections.kept import keep_rows
from tests.support.speech import spoken

DEALS = pd.DataFrame(
    {
        "id": list("abcdef"), "stage": ["Lead", "Won", "Lead", "Won", "Lead", "Lead"],
        "amount": [100, 2_000, 30_000, None, 5, 100],
        "region": ["North", "South", "North America", "R&D", None, "nor th"],
        "owner": ["Ann", "Li Wei", "Li Wei", "O'Neil", "Ann", "and"],
        "created_at": ["2026-01-05", "2026-02-01", "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03"],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def pipeline():
    return read(DEALS, stages=["Lead", "Won"], as_of="2026-04-01")


def kept(pipeline, rows):
    return "".join(keep_rows(pipeline, rows).deals["deal_id"])


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("region = North", "af"), ("region=north", "af"), ("Region = 'North America'", "c"), ("region = R&D", "d"),
        ("region = North America", "c"), ("region != North", "bcde"), ("region is empty", "e"),
        ("region is not empty and amount is empty", "d"), ("region in (North, R&D)", "adf"),
        ("owner not in (Ann, 'and')", "bcd"), ("owner = O'Neil", "d"), ("amount >= 2000", "bc"), ("amount < 100", "e"),
        ("amount = 100", "af"), ("created_at >= 2026-03-01", "def"), ("created_at = 2026-02-28", "c"),
        ("region = North or region = South and amount > 1e3", "abf"),
        ("(region = North or region = South) and amount > 1000", "b"), ("not (region = North)", "bcde"),
        ("not region = North and not owner = Ann", "bcd"), ("status = won", "bd"),
        ("region ＝ “North” 且 owner 属于（Ann，Li Wei）", "a"), ("", "abcdef"),
    ],
)  # fmt: skip
def test_filters_keep_what_they_say(rows, wanted, pipeline):
    assert kept(pipeline, rows) == wanted


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("regoin = North", "no column 'regoin'. Nearest: region."),
        ("region = Nroth", "no deal has 'Nroth' in the column region. Nearest: nor th, South"),
        ("region in (North, Est)", "no deal has 'Est'"),
        ("amount > many", "the column amount cannot be compared with 'many'"),
        ("created_at > yesterday", "cannot be compared with 'yesterday'"),
        ("owner > Ann", "the column owner holds names, which > cannot compare"),
        ("region = South and owner = Ann", "none of the 6 deals fits"),
    ],
)
def test_slips_name_what_is_near(rows, said, pipeline):
    with pytest.raises(DataError) as caught:
        keep_rows(pipeline, rows)
    assert said in str(caught.value) and caught.value.say("zh")


@pytest.mark.parametrize(
    ("rows", "rest"),
    [
        ("region", "–"), ("region = = North", "= North"), ("region = North and", "–"), ("(region = North", "–"),
        ("region = 'North", "'North"), ("region in North", "North"), ("region = North, South", ", South"),
        ("region not = North", "= North"), ("is empty", "is empty"), ("(" * 99, "("), ("Yahoo! = 1", "! = 1"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_with_the_place(rows, rest):
    with pytest.raises(ReportError) as caught:
        parse_rows(rows)
    assert caught.value.exit_code == 11 and caught.value.values["rest"].startswith(rest)
    assert rest in spoken("zh", lambda: str(caught.value))


@given(st.text(max_size=40))
def test_a_text_is_a_filter_or_refused(text):
    try:
        parse_rows(text)
    except ReportError as error:
        assert error.exit_code == 11


@given(st.text(st.characters(exclude_characters="\"'`", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1))
def test_quoting_gives_the_value_back(value):
    assert parse_rows(f"a = {filter_word(value)} and b = 1").left.values == (value,)


def test_counts_are_told_and_amounts_are_of_what_is_kept(pipeline):
    found = keep_rows(pipeline, "region = North")
    assert found.findings[-1].message("en") == "Only deals with region = North: 2 are kept, 4 are left out."
    assert found.amount_total == 200 and {row["deal_id"] for row in found.sample} == {"a", "f"}
    assert set(found.events["deal_id"]) <= {"a", "f"} and found.as_of == pipeline.as_of


def test_a_table_of_counts_has_no_deals_to_choose_from():
    counts = pd.DataFrame({"stage": ["Lead", "Won"], "count": [100, 10]})
    with pytest.raises(DataError, match="table of counts"):
        keep_rows(read(counts, stages=["Lead", "Won"], layout="counts"), "region = North")
