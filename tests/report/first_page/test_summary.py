"""The first page: each number is recomputed from the tables by plain pandas; what is missing leaves no hole."""

import re
from dataclasses import replace
from html import unescape
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit import report
from funnelkit.language import speaking
from funnelkit.report.first_page import stages
from funnelkit.report.first_page.answers import Answers
from funnelkit.report.first_page.counts import Months, dry_spell
from funnelkit.report.first_page.spans import find_spans
from funnelkit.report.first_page.summary import _nothing
from funnelkit.report.first_page.wins_picture import WinsByMonth
from funnelkit.report.first_page.words import ColumnUnit, money_figure
from tests.report.sections.test_section import company
from tests.worlds import World
from tests.worlds.world import STAGES, draw
from tests.worlds.world import tables as tables_of_world

AS_OF = "2025-12-31"
RECENT, USUAL = ("2025-07-01", "2026-01-01"), ("2024-07-01", "2025-07-01")


def answers_of(pipeline):
    """Return what the cells of the template find, the forecasts of few paths."""
    scope = report.Scope(pipeline)
    record = report.attempt(fk.backtest, pipeline, unit="month", n_origins=3, paths=40)
    forecast = report.attempt(fk.forecast_open, pipeline, scope.until, paths=100, record=record)
    return [*deals_of(pipeline), record, forecast]


def deals_of(pipeline):
    """Return what the monitor and the search for stuck deals find."""
    scope = report.Scope(pipeline)
    stuck = report.attempt(fk.stuck_deals, pipeline, since=scope.usual_ends)
    return [report.attempt(report.watch_win_rate, pipeline, scope), stuck]


def page_of(pipeline):
    return report.summary(pipeline, *deals_of(pipeline))


def html_of(page, lang="en"):
    with speaking(lang):
        return page._repr_mimebundle_()["text/html"]


def words_of(page, lang="en"):
    """Return the page's text, without markup."""
    return re.sub(" +", " ", unescape(re.sub(r"<[^>]*>", " ", html_of(page, lang))))


@pytest.fixture(scope="module")
def sample():
    return report.read_source(as_of=AS_OF)


@pytest.fixture(scope="module")
def answers(sample):
    return answers_of(sample)


@pytest.fixture(scope="module")
def page(sample, answers):
    return report.summary(sample, *answers)


def tables(pipeline):
    """Return deals without void ones, and the entries into stages in order."""
    deals = pipeline.deals[pipeline.deals["status"] != "void"]
    events = pipeline.events[pipeline.events["deal_id"].isin(deals["deal_id"])]
    return deals, events.sort_values(["deal_id", "entered_at", "stage"], kind="stable")


def between(times, span):
    return (times >= pd.Timestamp(span[0])) & (times < pd.Timestamp(span[1]))


def open_in(pipeline, stage, when):
    """Count the deals that are open at a moment and whose last entry by then is into a stage."""
    deals, events = tables(pipeline)
    when = pd.Timestamp(when)
    there = deals[(deals["created_at"] <= when) & ~(deals["closed_at"] <= when)]
    last = events[events["entered_at"] <= when].groupby("deal_id")["stage"].last()
    return int((there["deal_id"].map(last).astype(str) == stage).sum())


def test_held_up_counts_open_deals_and_the_usual_month_ends(sample, page):
    row, stage = page.table.iloc[0], "solution-confirmed"
    deals, events = tables(sample)
    last = deals.loc[deals["status"] == "open", "deal_id"].map(events.groupby("deal_id")["stage"].last())
    here = deals.loc[last.index][(last.astype(str) == stage).to_numpy()]
    ends = [open_in(sample, stage, end) for end in pd.date_range("2024-08-01", "2025-07-01", freq="MS")]
    assert (row["kind"], row["stage"], row["n_deals"], row["amount"]) == (
        "held_up",
        stage,
        len(here),
        here["amount"].sum(),
    )
    assert row["usual"] == pytest.approx(np.mean(ends), abs=1e-4) and len(here) > max(ends)
    assert str(page.found[0].sentence).startswith(f"{len(here)} deals (CNY\xa0{here['amount'].sum() / 1e6:.1f}\xa0M)")
    assert f"about {np.mean(ends):.0f} are usual" in str(page.found[0].sentence)


def test_calls_are_the_overdue_deals_learnt_before_the_recent_months(sample, page):
    stuck = fk.stuck_deals(sample, since="2025-07-01").table
    overdue = stuck[stuck["state"].isin(["stuck", "late"])]
    here = (overdue["stage"] == "solution-confirmed").sum()
    assert f"{here} of {len(overdue)} overdue deals are there" in str(page.found[0].action)
    first = overdue.sort_values(["state", "amount"], ascending=[True, False], kind="stable").head(5)
    assert [call.name for call in page.page.calls] == first["account"].tolist()
    assert [call.amount for call in page.page.calls] == first["amount"].tolist()
    text = words_of(page)
    for row in first.to_dict("records"):
        assert f"{row['age_days']:.0f} ({row['usual_days']:.0f})" in text
        late = int((sample.as_of - row["act_by"]) / pd.Timedelta(days=1))
        assert f"{late} days overdue" in text


def test_fewer_passed_names_the_lost_reason_that_grew(sample, page):
    row = page.table.iloc[1]
    deals, events = tables(sample)
    last = deals["deal_id"].map(events.groupby("deal_id")["stage"].last()).astype(str)
    lost = deals[(deals["status"] == "lost") & (last == "solution-demo").to_numpy()]
    now, before = (lost.loc[between(lost["closed_at"], span), "lost_reason"] for span in (RECENT, USUAL))
    assert (row["kind"], row["stage"]) == ("fewer_promoted", "solution-demo")
    k, k_before = (now == "Competitor").sum(), (before == "Competitor").sum()
    reason = f"the {k} deals lost there for the reason “Competitor”"
    earlier = f"in the 12 months before, {k_before} of {len(before)}"
    assert f"{reason} ({len(now)} were lost there in all; {earlier})." in str(row["action"])
    assert f"共输 {len(now)} 单；此前 12 个月在此共输 {len(before)} 单" in page.found[1].action.zh


def test_a_share_that_moved_on_is_near_the_plain_one(sample, page):
    """Rates by age, open stays included, lie near the share of those who left in the window."""
    spells = fk.find_spells(sample).table
    for facts in page.page.stages[:7]:
        stays = spells[(spells["stage"] == facts.stage.id) & spells["exit"].isin(["advanced", "lost"])]
        for span, rate in ((RECENT, facts.moved.rate), (USUAL, facts.moved.usual)):
            plain = (stays.loc[between(stays["left_at"], span), "exit"] == "advanced").mean()
            assert rate == pytest.approx(plain, abs=0.06)


def test_wins_by_month_and_their_test(sample, page):
    deals, _ = tables(sample)
    won = deals.loc[deals["status"] == "won", "closed_at"]
    months = pd.date_range("2024-01-01", "2026-01-01", freq="MS")
    counts = [between(won, pair).sum() for pair in pairwise(months)]
    assert page.page.wins.counts.tolist() == counts
    row, recent, usual = page.table.iloc[2], sum(counts[-6:]), sum(counts[-18:-6])
    assert (row["kind"], row["usual"], row["severity"]) == ("fewer_wins", usual / 2, "watch")
    assert f"since July: {recent}; about {usual / 2 + 0.01:.0f} are usual" in row["sentence"]
    from scipy.stats import binomtest

    p = 2 * binomtest(recent, recent + usual, 1 / 3, alternative="less").pvalue
    assert row["evidence"] == pytest.approx(-np.log10(p), abs=0.01)


def test_band_of_a_month_is_that_of_a_count_with_an_unsure_level(page):
    from scipy.stats import nbinom

    level, n = page.page.wins.usual.level, 12
    variance = level * (1 + 1 / n)
    band = nbinom(level**2 / (variance - level), level / variance)
    assert page.page.wins.usual.bands() == [(band.ppf(0.025), band.ppf(0.975))]


def test_figures_of_the_period_are_plain_counts(sample, page):
    deals, _ = tables(sample)
    december = ("2025-12-01", "2026-01-01")
    won = deals[(deals["status"] == "won") & between(deals["closed_at"], december)]
    new = between(deals["created_at"], december).sum()
    opened = deals[deals["status"] == "open"]
    told = {str(tile.label): (str(tile.figure), [str(part) for part in tile.changes]) for tile in page.page.tiles}
    assert told["Won in December"][0] == f"CNY\xa0{won['amount'].sum() / 1e6:.1f}\xa0M"
    assert told["Won in December"][1][0].startswith(f"{len(won)} wins: ")
    assert told["New in December"][0] == f"{new} deals"
    assert told["Open on 31 Dec"][0] == f"CNY\xa0{opened['amount'].sum() / 1e6:.1f}\xa0M"
    before = between(deals["created_at"], ("2025-11-01", "2025-12-01")).sum()
    assert told["New in December"][1][0] == f"{new - before:+d} on Nov".replace("-", "−")


def test_reached_in_the_year_counts_first_entries(sample, page):
    events = tables(sample)[1]
    order = list(sample.model.stage_ids)
    for place, facts in enumerate(page.page.stages[1:-1], start=1):
        later = events[events["stage"].isin(order[place:])].groupby("deal_id")["entered_at"].min()
        assert facts.n_reached == between(later, ("2025-01-01", "2026-01-01")).sum()


def test_one_definition_of_usual(page):
    text = words_of(page)
    assert text.count("July 2024 – June 2025") == 3  # the funnel, the wins, the line on trust
    assert "7 月～2025 年 6 月" in words_of(page, "zh")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_holds_no_style_script_or_hole(page, lang):
    html = html_of(page, lang)
    assert not re.search(r"style=|<script|<style|\bnan\b|NaT|None|\{|viewBox", html)
    assert len(re.findall("<h1>", html)) == 1 and html.count("<h2>") == 2


def test_the_same_page_twice(sample, answers, page):
    again = report.summary(sample, *reversed(answers))
    assert html_of(again) == html_of(page) and again.figures() == page.figures()


def test_summary_json_names_what_a_mail_needs(page):
    front = page.figures()["first_page"]
    keys = ["rank", "severity", "kind", "stage", "segment", "sentence", "action", "deals", "money", "found"]
    keys += ["usual", "evidence"]
    assert list(front["findings"][0]) == keys and front["severity"] == "act"
    assert front["subject"] == f"{front['title']}: {front['findings'][0]['sentence']}"
    with speaking("zh"):
        assert page.figures()["first_page"]["findings"][0]["sentence"].startswith("33 个商机（")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_report_on_some_of_the_deals_names_them_in_its_subject(lang):
    """Forty mails of one batch must not bear the same subject."""
    kept, whole = (report.read_source(as_of=AS_OF, rows=rows) for rows in ("region = North", ""))
    with speaking(lang):
        some, every = (report.summary(one).figures()["first_page"]["title"] for one in (kept, whole))
        own = report.summary(kept, title="North").figures()["first_page"]["title"]
    assert some == every + {"en": " (region = North)", "zh": "（region = North）"}[lang] and own == "North"


# --- what is missing -------------------------------------------------------------------------------------------------


def test_without_amounts_counts_take_their_place(sample):
    deals = sample.deals.drop(columns=["amount", "currency"])
    page = page_of(fk.read(deals, sample.events, model="industrial-8", as_of=AS_OF))
    text = words_of(page)
    assert "CNY" not in text and page.table["amount"].isna().all()
    assert any(str(one.sentence).startswith("33 deals are held up in Solution confirmed") for one in page.found)
    late = [call.overdue_days for call in page.page.calls]
    assert late == sorted(late, reverse=True)


def test_without_a_history_open_counts_alone(sample):
    page = page_of(fk.read(sample.deals.assign(stage="solution-demo"), model="industrial-8", as_of=AS_OF))
    html = html_of(page)
    assert "Moved on" not in html and "Open now" in html and page.page.calls == ()
    assert {row.band for row in page.page.stages} == {None}


@pytest.mark.parametrize("n", [3, 9, 25])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_small_companies(n, lang):
    deals, events = company(n)
    page = page_of(fk.read(deals, events, stages=["Lead", "Offer", "Talk", "Won"]))
    html, text = html_of(page, lang), words_of(page, lang)
    assert not re.search(r"\b(nan|NaT|None|inf)\b", html)
    assert [one.kind for one in page.found] == ["unjudged"] and "band" not in text and "灰带" not in text
    told = {
        "en": ["Unknown Too early to judge", "There will be a usual level from"],
        "zh": ["未知 记录尚短", "起才有通常水平可比"],
    }
    if n == 3:  # nothing is won: no day can be told
        told = {"en": ["Unknown Nothing can be judged"], "zh": ["未知 无法判断"]}
    assert [text.count(one) for one in told[lang]] == [1] * len(told[lang])
    assert "Steady" not in text and "平稳" not in text
    assert not any(tile.wide for tile in page.page.tiles)  # too few wins for a forecast


def test_counts_have_a_title_and_their_rows():
    table = pd.DataFrame({"stage": ["Lead", "Offer", "Won"], "count": [100, 40, 10]})
    page = report.summary(fk.read(table, layout="counts", stages=["Lead", "Offer", "Won"]))
    assert "<h1>Sales funnel</h1>" in html_of(page) and page.table.empty


def test_without_open_deals_nobody_is_called(sample):
    closed = sample.deals[sample.deals["status"].isin(["won", "lost"])]
    events = sample.events[sample.events["deal_id"].isin(closed["deal_id"])]
    page = page_of(fk.read(closed, events, model="industrial-8", as_of=AS_OF))
    text = words_of(page)
    assert page.page.calls == () and "Open on" not in text and "Open now" not in text


def test_a_target_is_a_figure_with_one_probability(sample):
    health = fk.health(sample, 9_000_000.0, "2026-03-31")
    scope = report.Scope(sample, target_date="2026-03-31")
    page = report.summary(sample, health, scope=scope, target=9_000_000.0)
    chance = f"{100 * health.table['p_reached'].iloc[0]:.0f}%"
    told = [str(tile.changes[0]) for tile in page.page.tiles if str(tile.label).startswith("Target")]
    assert told == [f"probability {chance}"]
    assert f"probability of {chance}; 80% is wanted" in " ".join(page.sentences())


# --- histories whose truth is known ----------------------------------------------------------------------------------


def test_a_slowed_stage_leads():
    world = World(years=3.0, per_day=4.0).but(slow=(2, 5.0, World(years=3.0).days - 150.0))
    page = page_of(world.pipeline(np.random.default_rng(3)))
    assert (page.found[0].kind, page.found[0].stage) == ("held_up", "Offer")


@pytest.mark.parametrize("name", ["constant", "seasonal"])
def test_quiet_histories_say_once_that_nothing_stands_out(name):
    from tests.worlds import named

    kinds = []
    for seed in range(3):
        pipeline = named(name).but(years=3.0, per_day=3.0).pipeline(np.random.default_rng(seed))
        kinds += [one.kind for one in report.summary(pipeline).found]
    assert kinds.count("nothing") >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["constant", "seasonal", "quarter_end"])
def test_the_page_itself_rarely_cries_wolf(name, monkeypatch):
    """Its own tests hold together at 5 %: of 100 quiet histories at most 11 are called otherwise (99.5 %)."""
    from tests.worlds import named, pipelines

    monkeypatch.setattr(stages, "YEARS_BACK", 1)  # how the win rate went is drawn, not tested
    alarms, world = 0, named(name).but(years=3.0, per_day=2.0)
    for first in range(0, 100, 25):
        for pipeline in pipelines(world, range(first, first + 25)):
            alarms += any(one.kind != "nothing" for one in report.summary(pipeline).found)
    print(
        f"{name}: {alarms} of 100 quiet histories called otherwise, s.e. {(alarms * (100 - alarms) / 1e2) ** 0.5:.1f}"
    )
    assert alarms <= 11


def test_an_export_without_losses_claims_neither_a_bottleneck_nor_a_growing_pipeline():
    """The deals that were lost are missing from the past alone: what is open today only looks slow, and much."""
    rng = np.random.default_rng(5)
    world = World(per_day=3)
    deals, events = tables_of_world(world, draw(world, rng))
    kept = deals[deals["status"] != "lost"]
    events = events[events["deal_id"].isin(kept["deal_id"])]
    pipeline = fk.read(kept, events, stages=["Lead", "Talk", "Offer", "Terms", "Won"], as_of=world.as_of)
    scope = report.Scope(pipeline)
    for answer in (
        report.attempt(report.watch_win_rate, pipeline, scope),
        report.attempt(report.open_flow, pipeline, scope),
    ):
        assert report.answered(answer) is None
    found = fk.stuck_deals(pipeline, since=scope.usual_ends)
    assert "slower" not in {one.kind for one in found.findings} and "usual pace" not in str(found)


def test_a_level_is_compared_with_the_end_of_the_earlier_period_as_the_waterfall_has_it():
    """The period is cut where the data end; what was open at the end of the one before is not."""
    pipeline = report.read_source()
    opened = report.open_flow(pipeline, report.Scope(pipeline)).table.set_index("part")["n_deals"]
    gap = f"{opened['closing'] - opened['opening']:+d}".replace("-", "\u2212")
    tile = next(one for one in page_of(pipeline).page.tiles if str(one.label).startswith("Open"))
    assert str(tile.changes[0]).endswith(f"{gap} on Nov")


def test_single_months_beyond_their_band_are_not_called_usual(sample):
    spans, known = find_spans(sample), Answers()
    months = pd.date_range("2024-01-01", periods=24, freq="MS")
    counts = np.array([8] * 18 + [17, 8, 8, 8, 1, 8])
    wins = WinsByMonth(months, counts, np.zeros(24, bool), Months(counts[-6:], counts[-18:-6]))
    assert wins.ringed and "single months" in str(_nothing(spans, wins, known, [])[0].sentence)


def test_a_stage_beyond_its_band_is_named_where_nothing_else_stands_out(sample):
    spans, known = find_spans(sample), Answers()
    months = pd.date_range("2024-01-01", periods=24, freq="MS")
    counts = np.full(24, 8)
    wins = WinsByMonth(months, counts, np.zeros(24, bool), Months(counts[-6:], counts[-18:-6]))
    row = stages.StageFacts(sample.model.stages[1], 90, None, 41, None, 20.0, (12, 30))
    (found,) = _nothing(spans, wins, known, [row])
    assert found.severity == "steady" and "First contact holds 41 deals" in str(found.sentence)


def test_a_dry_spell_is_compared_with_the_year_before_it():
    assert dry_spell(np.array([8] * 24)) is None and dry_spell(np.array([8] * 20 + [0] * 6)) is None
    spell = dry_spell(np.array([7, 9, 8] * 6 + [0] * 12))
    assert (spell.months, spell.level) == (12, 8.0) and spell.p_value < 1e-9
    only_december = np.array(([0] * 11 + [60]) * 2 + [0] * 11)
    assert dry_spell(only_december).p_value == 1.0
    assert dry_spell(np.array([0, 8, 8] + [0] * 10)) is None  # no year before it


def world_tables(**changes):
    world = World(years=2.0, per_day=1.0)
    deals, events = tables_of_world(world, draw(world, np.random.default_rng(9)))
    return deals.assign(**changes), events


def test_records_that_end_long_before_the_report_are_the_only_finding():
    page = report.summary(fk.read(*world_tables(), stages=list(STAGES), as_of="2025-11-30"))
    assert [one.kind for one in page.found] == ["quiet"]
    last = page.page.records.pipeline.deals["closed_at"].max()
    assert "Dec 2024" in str(page.found[0].sentence) and last.year == 2024
    assert page.found[0].severity == "act" and "complete" in str(page.found[0].action)


def test_an_amount_without_a_currency_is_called_one():
    pipeline = fk.read(*world_tables(), stages=list(STAGES))
    labels = {str(one.label) for one in report.summary(pipeline).page.tiles}
    assert {"Won in December, amount", "New in December"} <= labels
    priced = replace(pipeline, deals=pipeline.deals.assign(currency="EUR"))
    assert "Won in December" in {str(one.label) for one in report.summary(priced).page.tiles}


def test_amounts_known_of_half_are_added_nowhere_and_rank_nobody():
    deals, events = world_tables()
    half = deals["amount"].where(np.arange(len(deals)) % 2 == 0)
    page = page_of(fk.read(deals.assign(amount=half), events, stages=list(STAGES)))
    assert not any("K" in str(one.figure) or "M" in str(one.figure) for one in page.page.tiles)
    late = [call.overdue_days for call in page.page.calls]
    assert all(call.amount is None for call in page.page.calls) and late == sorted(late, reverse=True)


def test_of_open_deals_alone_the_figure_is_that_of_the_table():
    deals, events = world_tables()
    deals = deals[deals["status"] == "open"].drop(columns="closed_at")
    events = events[events["deal_id"].isin(deals["deal_id"])]
    page = report.summary(fk.read(deals, events, stages=list(STAGES), as_of="2025-01-20"))
    (tile,) = [one for one in page.page.tiles if str(one.label).startswith("Open")]
    assert sum(row.n_open for row in page.page.stages) == len(deals)
    assert f"{len(deals)} deals" in str(tile.changes[0])


@pytest.mark.parametrize(("high", "told"), [(0.4, "CNY\xa00"), (3.4e6, "CNY\xa00.0–3.4\xa0M")])
def test_a_range_of_one_value_is_told_once(high, told):
    assert money_figure(0.0, "CNY", high) == told


def test_small_amounts_beside_large_ones_are_not_nothing():
    unit = ColumnUnit.of([14.9e6, 12.0], "EUR")
    assert (unit.cell(14.9e6), unit.cell(12.0), unit.cell(0.0)) == ("14.9", "<0.1", "0.0")
    assert ColumnUnit.of([0.5, 2.0], "EUR").cell(0.5) == "0.5"


@pytest.mark.parametrize(("lang", "comma"), [("en", ", "), ("zh", "，")])
def test_summary_json_holds_the_tiles_as_they_stand_on_the_page(lang, comma):
    with speaking(lang):
        found = report.summary(fk.sample())
        headline = found.figures()["first_page"]["headline"]
        assert [one["label"] for one in headline] == [str(tile.label) for tile in found.page.tiles]
        page = unescape(re.sub("<.*?>", "", found._repr_mimebundle_()["text/html"]))
        assert comma in headline[0]["changes"] and all(one["changes"] in page for one in headline)
