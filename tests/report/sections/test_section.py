"""The periodic report's content: each question is answered from the data or refused with the reason."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit import report
from funnelkit.language import FunnelkitError, use_language
from funnelkit.language.samples import sample_files, share
from funnelkit.language.texts import texts
from funnelkit.reading.read import read
from funnelkit.report.sections import section as sections
from funnelkit.result import Refusal
from funnelkit.stats import RATE_COLUMNS
from tests.support.speech import spoken

SHARED = Path(__file__).parents[4] / "shared"
LANGS = ("en", "zh")
NAMES = ("comparison", "change", "signal", "bottleneck", "losses", "stays", "cycle", "waterfall", "stuck", "slipped",
         "accounts", "forecast", "backtest", "categories", "target_rates", "health", "target", "segments", "people",
         "gates")  # fmt: skip
RUN_VARIABLES = {"target": "plan", "people": "reviewed", "waterfall": "flow", "target_rates": "rates"}  # of a section


def template(lang="en"):
    """Return {cell id: source} of the code cells of a template."""
    cells = nbformat.read(share("report") / f"{lang}.ipynb", as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "code"}


def answered(pipeline, **values):
    """Run the template's cell of analyses on a pipeline; return {section: answer}."""
    cells = template()
    held = {"fk": fk, "report": report, "pipeline": pipeline}
    exec(cells["parameters"], held)
    held |= values
    exec(cells["analyse"], held)
    return {name: held[RUN_VARIABLES.get(name, name)] for name in NAMES}


@pytest.fixture(scope="module")
def sample():
    return read(*sample_files(), model="industrial-8")


@pytest.fixture(scope="module")
def found(sample):
    rates = {"negotiation": 0.8}
    return answered(sample, unit="quarter", target=30_000_000, target_date="2026-09-30", target_rates=rates)


@pytest.fixture
def numbers(monkeypatch):
    """Return what a run exports of an answer: its rows as a table."""
    monkeypatch.setenv("FUNNELKIT_RUN", "1")

    def of(shown):
        table = shown._repr_mimebundle_()["application/vnd.funnelkit.table+json"]
        return pd.DataFrame(table["rows"], columns=table["columns"], dtype=object)

    return of


def test_the_sample_supports_all_but_gates_and_forecast_categories(found):
    assert {name for name, answer in found.items() if isinstance(answer, Refusal)} == {"gates", "categories"}


def test_every_section_belongs_to_a_verb_that_the_template_asks():
    source = template()["analyse"]
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    asked = {call.args[0].attr for call in calls if call.func.attr == "attempt"}
    assert set(sections._of_verb()) == asked
    assert {section.name for section in sections._of_verb().values()} == set(NAMES)


def test_a_month_too_short_to_split_is_split_by_the_quarter_that_it_lies_in(sample):
    found = report.split_win_rate(sample, report.Scope(sample, "month", "2025-11-01"))
    assert "2025-Q4" in found.reading() and "2025-Q3" in found.reading()
    assert (found.table["high"] - found.table["low"]).max() < 0.15


def test_change_parts_sum_to_the_change_of_the_comparison(sample, found):
    """One window and one set of rates a page: the comparison and its split start and end at the same rates."""
    scope = report.Scope(sample, "quarter")
    row = fk.compare_periods(sample, scope.calendar, on=scope.day).table.iloc[0]
    assert found["change"].table["change"].sum() == pytest.approx(row["change"], abs=1e-12)
    assert found["change"].found.start == pytest.approx(row["rate_before"], abs=1e-12)
    assert f"{100 * row['rate']:.1f}%" in found["change"].reading()


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", NAMES)
def test_every_section_says_something_and_labels_every_column(found, name, lang):
    use_language(lang)
    answer = found[name]
    assert all(answer.sentences())
    if isinstance(answer, Refusal) or not len(answer.table):
        return
    assert {answer.names.get(column, column) for column in answer._for_people()} <= {*texts("labels"), *RATE_COLUMNS}, (
        "no label"
    )
    text = answer.show().text
    assert "nan" not in text.lower() and text.splitlines()[0]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", ["comparison", "change", "signal", "forecast", "backtest"])
def test_pictures_stand_beside_the_sentences(found, name, lang):
    use_language(lang)
    html = found[name]._repr_mimebundle_()["text/html"]
    assert html.count("<img") == html.count('alt="') == 1


@pytest.mark.parametrize("name", ["bottleneck", "stays", "cycle", "stuck", "health", "target", "people"])
def test_other_sections_have_no_picture(found, name):
    assert "<img" not in found[name]._repr_mimebundle_()["text/html"]


def test_forecast_table_adds_up_to_each_day_and_ends_with_the_whole(found):
    table, made = found["forecast"].table, found["forecast"].found
    paths = made.paths["total"]
    days = table[table["period"] != table["period"].iloc[-1]]
    assert days["end"].tolist() == made.ends["end"].iloc[:-1].tolist() and len(days) >= 8
    at = paths["value"][:, :4].sum(axis=1)
    assert days["low_80"].iloc[3] == pytest.approx(np.quantile(at, 0.1))
    whole = table[len(days) :].set_index(["part", "measure"])
    assert whole.index.tolist() == [(part, measure) for part in ("open", "new", "total") for measure in paths]
    assert whole.loc[("total", "value"), "median"] == pytest.approx(np.median(paths["value"].sum(axis=1)))


@pytest.mark.parametrize("unit", ["week", "month", "year"])
def test_forecast_is_cut_by_how_far_it_reaches(sample, unit):
    scope = report.Scope(sample, unit)
    answer = fk.attempt(fk.forecast_open, sample, scope.until, unit=scope.step)
    assert 1 <= len(answer.found.ends) <= 13 and answer.table["period"].nunique() == len(answer.found.ends)


@pytest.mark.parametrize("lang", LANGS)
def test_forecast_and_its_record_are_drawn(found, lang):
    use_language(lang)
    fan, past = (found[name].chart() for name in ("forecast", "backtest"))
    assert f"{fan.table['median'].iloc[-1]:,.0f}" in fan.alt
    table = found["backtest"].found.table
    n = (table.query("part == 'total' and measure == 'value'")["method"] == "forecast").sum()
    assert len(past.ax.patches) == n


def test_one_stage_has_one_figure_on_the_page(sample):
    signal, stuck = (found.findings for found in answered_alone(sample))
    slowed = {found.subject: str(found) for found in signal if found.kind == "slower"}
    assert slowed and {found.subject: str(found) for found in stuck if found.kind == "slower"} == slowed


def answered_alone(pipeline):
    """Return the answers of the watch and of the search for stuck deals."""
    return report.watch_win_rate(pipeline, report.Scope(pipeline)), fk.stuck_deals(
        pipeline, since=report.Scope(pipeline).usual_ends
    )


@pytest.mark.parametrize("n", [3, 9, 25])
def test_small_companies_get_every_section_without_nan(n):
    deals, events = company(n)
    found = answered(read(deals, events, stages=["Lead", "Offer", "Talk", "Won"]))
    said = [answer.show().text + answer.reading() for answer in found.values()]
    assert not [text for text in said if re.search(r"\b(nan|NaT|inf|None)\b", text)]
    assert "cannot be judged" in said[NAMES.index("stuck")]


def company(n):
    """Return the deals and the history of a company that began in January 2026."""
    rng, first, end = np.random.default_rng(n), pd.Timestamp("2026-01-05"), pd.Timestamp("2026-06-30")
    deals, events = [], []
    for i in range(n):
        path = [("Lead", first + pd.Timedelta(days=int(rng.integers(150))))]
        while path[-1][0] not in ("Won", "Lost"):
            day = path[-1][1] + pd.Timedelta(days=int(rng.integers(40)))
            if day > end or i == 0:
                break
            onward = {"Lead": "Offer", "Offer": "Talk", "Talk": "Won"}[path[-1][0]]
            path.append(("Lost" if rng.random() < 0.35 else onward, day))
        closed = path[-1][1] if path[-1][0] in ("Won", "Lost") else None
        deals.append((f"D{i}", path[-1][0], path[0][1], closed, 1000.0 * int(rng.integers(1, 50)), "AB"[i % 2]))
        events += [(f"D{i}", stage, day) for stage, day in path]
    columns = ["deal_id", "stage", "created_at", "closed_at", "amount", "owner"]
    return pd.DataFrame(deals, columns=columns), pd.DataFrame(events, columns=["deal_id", "stage", "entered_at"])


def test_counts_source_refuses_with_the_reason():
    table = pd.DataFrame({"stage": ["Lead", "Offer", "Won"], "count": [100, 40, 10]})
    pipeline = read(table, layout="counts", stages=["Lead", "Offer", "Won"])
    found = answered(pipeline)
    assert all(answer.reading().startswith("The source is a table of counts") for answer in found.values())


def test_refusal_shows_why_and_raises_from_its_table(found):
    gates = found["gates"]
    bundle = gates._repr_mimebundle_()
    assert bundle["text/plain"].startswith("A CRM export holds no evidence") and set(bundle) == {
        "text/html", "text/plain"
    }  # fmt: skip
    assert spoken("zh", gates.reading).startswith("CRM 导出不含")
    for ask in (lambda: gates.table, gates.chart, lambda: fk.plot.funnel_chart(gates)):
        with pytest.raises(FunnelkitError, match="holds no evidence"):
            ask()


def test_mistake_in_the_code_of_a_verb_is_no_refusal(sample):
    def broken(pipeline):
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        fk.attempt(broken, sample)


def test_verb_without_a_section_shows_itself(sample):
    assert fk.attempt(fk.count_stages, sample).table.equals(fk.count_stages(sample).table)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("gates", "categories")])
def test_exported_tables_hold_numbers(found, sample, numbers, name):
    """What a person reads is text; what a spreadsheet gets are the same rows as numbers, rates as fractions."""
    if not len(found[name].table):
        pytest.skip("nothing to show")
    table = spoken("zh", lambda: numbers(found[name]))
    assert len(table) == len(found[name].table)
    words = {"against", "stage", "stage_name", "period", "period_before", "part", "outcome", "deal_id",
             "account", "owner", "act_by", "state", "start", "end", "measure", "origin", "condition",
             "verdict", "basis", "since", "reason", "class", "expected_close", "team", "category"}  # fmt: skip
    for column, values in table.items():
        texts_in = [value for value in values if isinstance(value, str)]
        assert column in words or not texts_in, (column, texts_in[:1])
    for column in {"rate", "expected", "shrunk", "p_best", "centre", "limit_low"} & set(table):
        assert all(value is None or 0 <= value <= 1 for value in table[column])
    if "stage" in table:
        known = {(stage.id, stage.name.zh) for stage in sample.model.stages} | {("overall", "整体（从创建到赢单）")}
        pairs = set(zip(table["stage"], table["stage_name"], strict=True))
        assert {pair for pair in pairs if pair[0] is not None and pair[0] in sample.model.stage_ids} <= known


def test_exported_rates_are_those_of_the_analysis(found, numbers):
    rows = numbers(found["people"])
    assert len(rows) == len(found["people"].found.table)
    assert all(row["rate"] == pytest.approx(row["k"] / row["n"]) for row in rows.to_dict("records"))


def test_what_is_not_answered_is_listed_once_and_advice_goes_to_the_operator(sample, capsys):
    found = answered(sample)
    shown = report.unanswered(sample, *found.values()).text
    assert "Are the two conditions met? Can the target be reached? No target is given." in shown
    assert "Which deals may advance? A CRM export holds no evidence of promotion markers." in shown
    assert "parameter" not in shown and "target_date" in capsys.readouterr().err
    assert report.answered(found["health"]) is None and report.answered(found["stays"]) is found["stays"]
    assert "漏斗" not in shown and "未给出目标" in spoken("zh", lambda: report.unanswered(sample, *found.values())).text


def test_reasons_on_the_page_hold_no_advice():
    """Whatever refuses: the page says why, what to do about it stands in the log."""
    counts = read(pd.DataFrame({"stage": ["Lead", "Won"], "count": [40, 10]}), layout="counts", stages=["Lead", "Won"])
    found = answered(counts)
    for lang, words in (("en", ("Choose", "Set the", "Give ")), ("zh", ("请",))):
        shown = spoken(lang, lambda: report.unanswered(counts, *found.values())).text
        assert not any(word in shown for word in words), shown


def test_losses_add_up_to_those_of_the_last_year(sample, found):
    scope = report.Scope(sample, "quarter")
    deals = sample.deals[(sample.deals["status"] == "lost") & (sample.deals["closed_at"] < scope.end)]
    deals = deals[deals["closed_at"] >= scope.end - pd.DateOffset(months=12)]
    table = found["losses"].table
    assert table["n_lost"].sum() == len(deals)
    whole = table.groupby("reason")["n_lost"].sum()
    assert whole.to_dict() == deals["lost_reason"].value_counts().to_dict()
    assert table.groupby("stage", observed=True)["share"].sum().round(9).eq(1).all()


def test_waterfall_of_the_period_balances(found):
    table = found["waterfall"].table
    assert table["change"].iloc[:-1].sum() == pytest.approx(table["change"].iloc[-1])
    assert table["part"].tolist()[0] == "opening" and {"created", "won", "lost"} <= set(table["part"])


def test_waterfall_of_bare_dates_counts_the_wins_of_the_whole_period():
    days = pd.date_range("2026-01-01", "2026-03-31", freq="D")
    deals = pd.DataFrame({"deal_id": [f"D{at}" for at in range(len(days))], "created_at": days - pd.Timedelta(days=40)})
    deals = deals.assign(stage="Won", closed_at=days, amount=100.0)
    rest = deals.assign(deal_id="L" + deals["deal_id"], stage=["Lost", "Lead"] * 45)
    rest["closed_at"] = rest["closed_at"].where(rest["stage"] == "Lost")
    pipeline = read(pd.concat([deals, rest]), stages=["Lead", "Won"], as_of="2026-03-31")
    table = report.open_flow(pipeline, report.Scope(pipeline, "month", "2026-02-01")).table.set_index("part")
    assert table.loc["won", "n_deals"] == 28


def test_open_money_that_nobody_knows_is_not_summed(sample):
    unknown = sample.deals["amount"].where(sample.deals["status"] != "open")
    blank = replace(sample, deals=sample.deals.assign(amount=unknown))
    scope = report.Scope(blank)
    for answer in (fk.attempt(report.open_flow, blank, scope), fk.attempt(report.key_accounts, blank)):
        assert "not one of the 185 open deals carries an amount" in answer.reading().lower()


def test_slipped_closes_are_those_before_the_last_day(sample, found):
    open_ones = sample.deals[sample.deals["status"] == "open"]
    end = report.Scope(sample).end - pd.Timedelta(days=1)
    assert f"{(open_ones['expected_close'] < end).sum()} of the {len(open_ones)} open" in found["slipped"].reading()
    assert found["slipped"].table["overdue_days"].min() >= 1


def test_forecast_categories_are_compared_with_the_forecast(sample):
    """Categories made from the true stage order: commit deals stand later, so they are likelier to be won."""
    late = sample.events.groupby("deal_id")["stage"].max() >= "project-evaluation"
    names = sample.deals["deal_id"].map(late).map({True: "Commit", False: "Pipeline"})
    named = replace(sample, deals=sample.deals.assign(ForecastCategoryName=names))
    forecast = fk.forecast_open(named, "2026-03-31", paths=200)
    found = fk.attempt(report.forecast_categories, named, forecast)
    assert found.table["category"].tolist() == ["Commit", "Pipeline"]
    assert found.table["n_open"].sum() == (named.deals["status"] == "open").sum()
    assert found.table["wins_expected"].sum() == pytest.approx(forecast.deals["chance"].sum())


def test_gates_from_a_file_of_evidence(sample, tmp_path):
    path = tmp_path / "evidence.csv"
    path.write_text("deal_id,stage,gate,met\nA,first-contact,first-contact,yes\nB,初步接触,初步接触,否\n", "utf-8")
    result = report.judge_gates(sample, str(path))
    assert result.table["verdict"].tolist() == ["advance", "stay"]
    assert result.reading() == "On the evidence given, 1 deal may advance, 1 stays and 0 move back."


@pytest.mark.skipif(not (SHARED / "data").exists(), reason="shared/data is not beside this checkout")
def test_real_input_names_what_it_cannot_support():
    pipeline = read(SHARED / "data" / "maven_crm" / "sales_pipeline.csv", as_of="2017-12-31")
    found = answered(pipeline, unit="quarter", people="sales_agent" if "sales_agent" in pipeline.deals else "owner")
    assert "2016-Q4 is not wholly in the data" in found["comparison"].reading()
    assert "Not judged in full, for want of 30 exits" in found["signal"].reading()
    assert "1,291 of the 1,589 open deals" in found["forecast"].reading()


@pytest.mark.parametrize("lang", LANGS)
def test_template_shows_every_analysis(lang):
    cells = template(lang)
    for name in NAMES:
        cell = {"target_rates": "target-rates", "segments": "segment"}.get(name, name)
        assert re.search(rf"\b{RUN_VARIABLES.get(name, name)}\)$", cells[cell]), name
