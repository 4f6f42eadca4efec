"""Headline figures and the funnel's table: whole counts, fractions, no rate that means nothing; how data are read."""

import pandas as pd
import pytest

from funnelkit.analysis import win_rate
from funnelkit.language import DataError, use_language
from funnelkit.reading import read
from funnelkit.report import data_quality, funnel_table, headline, read_source


@pytest.fixture(scope="module")
def sample():
    return read_source()


def test_headline_exports_whole_counts_and_a_fraction(sample):
    shown, row = headline(sample), win_rate(sample).table.iloc[0]
    rows, won = shown.table["rows"], int((sample.deals["status"] == "won").sum())
    assert rows[0][:2] == ["Won", won] and isinstance(rows[0][1], int)
    assert rows[4][1:] == [row["rate"], row["low"], row["high"], row["n"]]
    figures = shown.figures["win_rate"]
    assert (figures["basis"], figures["horizon_days"]) == ("incidence", row["horizon_days"])


def test_the_headline_says_within_how_long_and_why_the_closed_ones_read_otherwise(sample):
    said = headline(sample).text
    assert "Within 378 days of creation 9.3% [7.9, 10.8]" in said
    assert "Of the 1,796 deals closed so far 7.7% are won. That is another figure" in said


def read_rows(rows, **how):
    """Return a pipeline of (id, stage, created, closed)."""
    return read(pd.DataFrame(rows, columns=["deal_id", "stage", "created_at", "closed_at"]), **how)


def test_without_lost_deals_no_page_shows_a_rate():
    won = [(f"w{i}", "Won", "2026-01-05", "2026-03-05") for i in range(6)]
    pipeline = read_rows([*won, *((f"o{i}", "Lead", "2026-02-01", None) for i in range(18))], stages=["Lead", "Won"])
    shown, table = headline(pipeline), funnel_table(pipeline)
    assert "6 of 24 so far" in shown.text and "%" not in shown.text + table.text
    assert "none is lost" in shown.text
    assert shown.figures["win_rate"]["rate"] is None and shown.figures["win_rate"]["basis"] == "unknown"


def test_losses_of_no_stage_are_a_row_and_leave_bounds():
    rows = [(f"l{i}", "Closed Lost", "2026-01-05", "2026-02-05") for i in range(3)]
    rows += [(f"w{i}", "Won", "2026-01-05", "2026-02-05") for i in range(3)]
    shown = funnel_table(read_rows([*rows, ("o", "Offer", "2026-01-09", None)], stages=["Lead", "Offer", "Won"]))
    assert "Lost, stage unknown" in shown.text and "not known: 42.9% to 100.0%" in shown.text
    assert "100.0% [" not in shown.text


def test_plain_counts_have_rates_of_all_who_entered():
    counts = pd.DataFrame({"stage": ["a", "b", "c"], "count": [100, 70, 40]})
    shown = funnel_table(read(counts, layout="counts"))
    assert "57.1% [45.5, 68.1] (n = 70)" in shown.text and "shares of all who entered" in shown.text


@pytest.mark.parametrize(("lang", "name"), [("en", "Contract signed"), ("zh", "签约")])
def test_entering_the_last_stage_is_the_win_so_it_has_no_rate(sample, lang, name):
    use_language(lang)
    shown = funnel_table(sample)
    assert next(line for line in shown.text.splitlines() if line.startswith(name)).split()[-1] == "–"
    last = dict(zip(shown.table["columns"], shown.table["rows"][-1], strict=True))
    assert (last["stage"], last["n_entered"], last["n"], last["rate"]) == ("contract-signed", 139, None, None)


def test_unknown_way_of_reading_is_refused():
    with pytest.raises(DataError, match=r"nothing to set by 'encodin'\. Nearest: encoding"):
        read_source(reading={"encodin": "utf-8"})


def test_many_faulty_rows_of_one_kind_are_told_by_three():
    rows = [(f"d{i}", "Nowhere" if i < 200 else "Lead", "2026-01-05", None) for i in range(400)]
    pipeline = read_rows(rows, stages=["Lead", "Won"])
    shown = data_quality(pipeline)
    assert shown.text.count("'Nowhere'") == 3 and "197 more findings of the rule stage_unknown." in shown.text
    assert len(shown.figures["findings"]) == len(pipeline.findings) > 100
