"""Headline figures and the funnel's table: whole counts, fractions, no rate that means nothing; how data are read."""

import pytest

from funnelkit.language import DataError, use_language
from funnelkit.report import funnel_table, headline, read_source


@pytest.fixture(scope="module")
def sample():
    return read_source()


def test_headline_exports_whole_counts_and_a_fraction(sample):
    rows = headline(sample).table["rows"]
    won, lost = (int((sample.deals["status"] == status).sum()) for status in ("won", "lost"))
    assert rows[0][:2] == ["Won", won] and isinstance(rows[0][1], int)
    assert rows[4][1] == pytest.approx(won / (won + lost)) and rows[4][4] == won + lost


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_entering_the_last_stage_is_the_win_so_it_has_no_rate(sample, lang):
    use_language(lang)
    shown = funnel_table(sample)
    assert shown.text.splitlines()[-1].split()[-1] == "–"
    last = dict(zip(shown.table["columns"], shown.table["rows"][-1], strict=True))
    assert (last["stage"], last["n_entered"], last["n"], last["rate"]) == ("contract-signed", 139, None, None)


def test_unknown_way_of_reading_is_refused():
    with pytest.raises(DataError, match=r"nothing to set by 'encodin'\. Nearest: encoding"):
        read_source(reading={"encodin": "utf-8"})
