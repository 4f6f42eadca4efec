"""The funnel's table: whole counts, fractions, no rate that means nothing; how data are read."""

import pandas as pd
import pytest

from funnelkit.language import DataError, use_language
from funnelkit.reading import read
from funnelkit.report import data_quality, funnel_table, read_source, summary


@pytest.fixture(scope="module")
def sample():
    return read_source()


def read_rows(rows, **how):
    """Return a pipeline of (id, stage, created, closed)."""
    return read(pd.DataFrame(rows, columns=["deal_id", "stage", "created_at", "closed_at"]), **how)


def test_without_lost_deals_no_page_shows_a_rate():
    won = [(f"w{i}", "Won", "2026-01-05", "2026-03-05") for i in range(6)]
    pipeline = read_rows([*won, *((f"o{i}", "Lead", "2026-02-01", None) for i in range(18))], stages=["Lead", "Won"])
    page = summary(pipeline)
    assert "%" not in funnel_table(pipeline).text + page._repr_mimebundle_()["text/html"].replace('%"', "")
    assert page.figures()["win_rate"] is None


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
    assert shown.text.count("'Nowhere'") == 3 and "197 more findings of this kind (stage_unknown)." in shown.text
    assert len(shown.figures["findings"]) == len(pipeline.findings) > 100
