"""The periodic report's content: each question is answered from the data or refused with the reason."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from funnelkit.language import use_language
from funnelkit.language.errors import DataError, FunnelkitError
from funnelkit.language.samples import sample_files, share
from funnelkit.language.texts import texts
from funnelkit.reading.read import read
from funnelkit.report import analysis, digest, sections
from tests.support.speech import spoken

SHARED = Path(__file__).parents[3] / "shared"
LANGS = ("en", "zh")


@pytest.fixture(scope="module")
def sample():
    return read(*sample_files(), model="industrial-8")


@pytest.fixture(scope="module")
def found(sample):
    settings = analysis.Settings(unit="quarter", target=30_000_000, target_date="2026-09-30")
    return analysis.analyse(sample, settings)


def test_last_full_period_is_the_default(sample):
    assert analysis.Settings("month").day(sample) == pd.Timestamp("2025-11-30")
    assert analysis.Settings("month", "current").day(sample).to_period("M") == pd.Period("2025-12")
    assert analysis.Settings("quarter", "2025-05-05").day(sample) == pd.Timestamp("2025-05-05")


def test_the_sample_supports_every_analysis_but_the_gates(found):
    refused = {name for name, result in found.items() if isinstance(result, FunnelkitError)}
    assert refused == {"gates"}


def test_change_parts_sum_to_the_change_of_the_win_rates(sample, found):
    closed = analysis._closed(sample, analysis.Settings("quarter").calendar())
    rates = (closed["k"] / closed["n"]).to_list()
    last = analysis.Settings("quarter").day(sample)
    number = int(analysis.Settings("quarter").calendar().number(last))
    at = closed["number"].to_list().index(number)
    assert found["change"].table["change"].sum() == pytest.approx(rates[at] - rates[at - 1], abs=1e-12)
    assert digest._rate_before(found["change"]) == pytest.approx(rates[at - 1], abs=1e-12)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", analysis.ANALYSES)
def test_every_section_says_something_and_labels_every_column(found, sample, name, lang):
    use_language(lang)
    assert digest.explain(found, name).text
    shown = digest.table(found, name, sample)
    if shown is None:
        assert isinstance(found[name], FunnelkitError) or len(found[name].table) == 0
        return
    head = shown.text.splitlines()[0]
    rows = digest._ROWS.get(name, lambda table: table)(found[name].table)
    keys = set(digest._TABLES[name](rows, sample.model, lang).columns)
    assert keys - set(texts("labels")) == set(), "a column without a label"
    assert "nan" not in shown.text.lower() and head


def test_forecast_table_adds_up_to_each_day_and_ends_with_the_whole(sample, found):
    table, paths = found["forecast"].table, found["forecast"].paths["total"]["value"]
    until = found["forecast"].ends["end"]
    days = table[table["period"] != table["period"].iloc[-1]]
    assert days["end"].tolist() == until.iloc[:-1].tolist() and len(days) >= 8
    at = paths[:, :4].sum(axis=1)
    assert days["low_80"].iloc[3] == pytest.approx(np.quantile(at, 0.1))
    whole = table[len(days) :].set_index(["part", "measure"])
    assert whole.index.tolist() == [(part, measure) for part in ("open", "new", "total") for measure in paths_of(found)]
    assert whole.loc[("total", "value"), "median"] == pytest.approx(np.median(paths.sum(axis=1)))


def paths_of(found):
    return list(found["forecast"].paths["total"])


@pytest.mark.parametrize("unit", ["week", "month", "year"])
def test_forecast_is_cut_by_how_far_it_reaches(sample, unit):
    made = analysis._forecast(sample, analysis.Settings(unit=unit))
    assert 1 <= len(made.ends) <= 13 and made.table["period"].nunique() == len(made.ends)


@pytest.mark.parametrize("lang", LANGS)
def test_forecast_and_its_record_are_drawn(found, sample, lang):
    use_language(lang)
    fan, past = (digest.picture(found, name, sample) for name in ("forecast", "backtest"))
    assert f"{fan.table['median'].iloc[-1]:,.0f}" in fan.alt and "2026-09-30" in fan.alt
    n = (found["backtest"].table.query("part == 'total' and measure == 'value'")["method"] == "forecast").sum()
    assert len(past.ax.patches) == n


@pytest.mark.parametrize("lang", LANGS)
def test_summary_has_a_line_for_each_answer(found, sample, lang):
    use_language(lang)
    answered = [name for name in digest.SUMMARISED if name in found and not isinstance(found[name], FunnelkitError)]
    shown = digest.summary(found, sample)
    assert len(shown.text.splitlines()) == len(shown.figures["summary"]) == len(answered)


def test_counts_source_refuses_with_the_reason():
    table = pd.DataFrame({"stage": ["Lead", "Offer", "Won"], "count": [100, 40, 10]})
    pipeline = read(table, layout="counts", stages=["Lead", "Offer", "Won"])
    found = analysis.analyse(pipeline, analysis.Settings())
    assert all("a table of counts" in str(result) for result in found.values())
    assert digest.summary(found, pipeline).text.startswith("The source supports none of the analyses")
    assert "cannot be told apart" in sections.headline(pipeline).text


@pytest.mark.parametrize("name", [name for name in analysis.ANALYSES if name != "gates"])
def test_exported_tables_hold_numbers(found, sample, name):
    """What a person reads is text; what a spreadsheet gets are the same rows as numbers, rates as fractions."""
    table = spoken("zh", lambda: digest.table(found, name, sample)).table
    columns = dict(zip(table["columns"], zip(*table["rows"], strict=True), strict=True))
    words = {"against", "stage", "stage_name", "period", "period_before", "part", "outcome", "deal_id", "account",
             "owner", "act_by", "state", "start", "end", "measure", "origin", "condition", "verdict"}  # fmt: skip
    for column, values in columns.items():
        texts_in = [value for value in values if isinstance(value, str)]
        assert column in words or not texts_in, (column, texts_in[:1])
    for column in {"rate", "expected", "shrunk", "p_best", "centre", "limit_low"} & set(columns):
        assert all(value is None or 0 <= value <= 1 for value in columns[column])
    if "stage" in columns:
        first = sample.model.stages[0]
        assert (first.id, first.name["zh"]) in zip(columns["stage"], columns["stage_name"], strict=True)


def test_exported_rates_are_those_of_the_analysis(found, sample):
    table = digest.table(found, "people", sample).table
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    assert len(rows) == len(found["people"].table)
    assert all(row["rate"] == pytest.approx(row["k"] / row["n"]) for row in rows)


def test_headline_exports_whole_counts_and_a_fraction(sample):
    rows = sections.headline(sample).table["rows"]
    won, lost = (int((sample.deals["status"] == status).sum()) for status in ("won", "lost"))
    assert rows[0][:2] == ["Won", won] and isinstance(rows[0][1], int)
    assert rows[4][1] == pytest.approx(won / (won + lost)) and rows[4][4] == won + lost


@pytest.mark.parametrize("lang", LANGS)
def test_entering_the_last_stage_is_the_win_so_it_has_no_rate(sample, lang):
    use_language(lang)
    shown = sections.funnel_table(sample)
    assert shown.text.splitlines()[-1].split()[-1] == "–"
    last = dict(zip(shown.table["columns"], shown.table["rows"][-1], strict=True))
    assert (last["stage"], last["n_entered"], last["n"], last["rate"]) == ("contract-signed", 139, None, None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"segment": "nope"}, "parameter segment: the data have no column 'nope'. Columns: deal_id"),
        ({"people": "nope"}, "parameter people: the data have no column 'nope'"),
        ({"evidence": "none.csv"}, "none.csv: no such file"),
        ({"period": "2026-03-01"}, "2026-03-01 lies after the data, which end on 2025-12-29"),
    ],
)
def test_settings_that_do_not_fit_the_data_are_refused(sample, settings, message):
    with pytest.raises(DataError, match=re.escape(message)):
        analysis.analyse(sample, analysis.Settings(**settings))


def test_running_period_is_none_of_the_future(sample):
    analysis.Settings(period="2025-12-31").check(sample)


def test_day_before_all_data_is_refused():
    with pytest.raises(DataError, match="no deal that was known on 2020-01-01"):
        analysis.analyse(read(*sample_files(), model="industrial-8", as_of="2020-01-01"), analysis.Settings())


def test_unknown_way_of_reading_is_refused():
    with pytest.raises(DataError, match=r"nothing to set by 'encodin'\. Nearest: encoding"):
        sections.open_pipeline(reading={"encodin": "utf-8"})


def test_reason_that_stands_above_is_said_once(sample):
    found = {"health": analysis._try(analysis._health, sample, analysis.Settings())}
    found["target"] = analysis._try(analysis._target, sample, analysis.Settings())
    assert digest.explain(found, "health").text.startswith("No target is given")
    assert digest.explain(found, "target") is None


def test_gates_from_a_file_of_evidence(sample, tmp_path):
    path = tmp_path / "evidence.csv"
    path.write_text("deal_id,stage,gate,met\nA,first-contact,first-contact,yes\nB,初步接触,初步接触,否\n", "utf-8")
    result = analysis._gates(sample, analysis.Settings(evidence=str(path)))
    assert result.table["verdict"].tolist() == ["advance", "stay"]
    assert result.reading() == "Deals by the evidence given: may advance 1, stay 1, move back 0."


@pytest.mark.skipif(not (SHARED / "data").exists(), reason="shared/data is not beside this checkout")
def test_real_input_names_what_it_cannot_support():
    pipeline = read(SHARED / "data" / "maven_crm" / "sales_pipeline.csv", as_of="2017-12-31")
    found = {
        name: analysis._try(analysis.ANALYSES[name], pipeline, analysis.Settings("quarter"))
        for name in ("comparison", "signal", "forecast")
    }
    assert "2016-Q4 is not wholly in the data" in found["comparison"].reading()
    assert found["signal"].reading().startswith("Too few points")
    assert "1,291 of the 1,589 open deals" in found["forecast"].reading()


@pytest.mark.parametrize("lang", LANGS)
def test_template_shows_every_analysis(lang):
    notebook = nbformat.read(share("report") / f"{lang}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    for name in analysis.ANALYSES:
        assert f'digest.explain(found, "{name}", lang)' in code
        assert f'digest.table(found, "{name}", pipeline, lang)' in code
    for name in digest._PICTURES:
        assert f'digest.picture(found, "{name}", pipeline, lang)' in code
