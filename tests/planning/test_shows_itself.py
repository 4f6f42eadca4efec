"""What the verbs of planning show: sentences, picture with its words and a table, in both languages."""

import pandas as pd
import pytest

from funnelkit import charts, planning
from funnelkit.language import DataError, use_language
from funnelkit.models import funnel
from funnelkit.result import Result
from funnelkit.synth.ratings import rate_products

MODEL = funnel("industrial-8")
STATES = pd.DataFrame({
    "state": ["search", "in-funnel", "best"], "n_open": [73, 106, 6], "value_open": [44.0e6, 78.0e6, 3.0e6],
    "win_probability": [0.08, 0.16, 0.67], "win_probability_after": [0.16, 0.67, 0.86], "cost": [40.0, 24.0, 16.0],
})  # fmt: skip
RATINGS = rate_products()
OURS = RATINGS["product"].iloc[0]
ANSWERS = pd.DataFrame(
    {"advantage": ["a"], **{name: [True] for name in ("unique", "different", "important", "lasting")}}
)
VERBS = {
    "adopters": planning.adopters,
    "advantage_test": lambda: planning.advantage_test(ANSWERS),
    "allocate": lambda: planning.allocate(STATES, 3000, model=MODEL),
    "cascade": lambda: planning.cascade({"diagnosis-rate": 0.6}),
    "influence_counts": lambda: planning.influence_counts([0.8, 0.5, 4]),
    "influence_loop": lambda: planning.influence_loop(0.3, [0.8, 0.5, 6]),
    "level_advice": lambda: planning.level_advice(["diagnosis-rate", "adherence"]),
    "life_cycle_guide": planning.life_cycle_guide,
    "perceptual_map": lambda: planning.perceptual_map(RATINGS, ours=OURS),
    "sensitivity": lambda: planning.sensitivity(MODEL),
    "space_profile": lambda: planning.space_profile(RATINGS, OURS),
    "statement_card": lambda: planning.statement_card({"usp": "works in one hour"}),
    "weakest_levels": lambda: planning.weakest_levels(planning.cascade({"diagnosis-rate": 0.6})),
    "what_if": lambda: planning.what_if(MODEL, {"volume": 120}, 100, 10.0),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", VERBS)
def test_sentences_picture_and_table(verb, lang):
    use_language(lang)
    result = VERBS[verb]()
    bundle = result._repr_mimebundle_()
    html = bundle["text/html"]
    assert result.sentences() and all(sentence in bundle["text/plain"] for sentence in result.sentences())
    assert '<table class="fk">' in html
    assert ("<img" in html) == bool(result.picture)
    if result.picture:
        assert result.chart().alt in bundle["text/plain"]
    head = html.split("<thead>")[1].split("</thead>")[0]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in head) == (lang == "zh")
    assert "_" not in head, "every column has a label"


@pytest.mark.parametrize(
    ("draw", "verb", "options"),
    [
        (charts.adopters_chart, "adopters", {}), (charts.allocation_chart, "allocate", {"model": MODEL}),
        (charts.cascade_chart, "cascade", {}), (charts.space_chart, "space_profile", {"ours": OURS}),
        (charts.tornado_chart, "sensitivity", {"model": MODEL}), (charts.what_if_chart, "what_if", {"model": MODEL}),
    ],
)  # fmt: skip
def test_charts_take_a_result_or_its_table(draw, verb, options):
    result = VERBS[verb]()
    own, other = draw(result), draw(result.table, **options)
    assert len(own.ax.texts) == len(other.ax.texts) and other.png().startswith(b"\x89PNG")
    pd.testing.assert_frame_equal(own.table, other.table)


@pytest.mark.parametrize(
    ("draw", "verb"), [(charts.loop_chart, "influence_loop"), (charts.map_chart, "perceptual_map")]
)
def test_a_chart_that_needs_more_than_the_table_says_so(draw, verb):
    with pytest.raises(DataError, match=f"takes the Result of `{verb}`, not DataFrame"):
        draw(VERBS[verb]().table)


def test_a_unit_of_ones_own_is_named_as_given():
    assert "3,000 weeks bring" in planning.allocate(STATES, 3000, "weeks").reading()


def test_a_model_without_a_win_says_how_many_reach_the_end():
    model = funnel("simple-5")
    said = planning.what_if(model, volume=100).reading()
    assert said.startswith("Of 100 that enter, 10 (10.0%) reach the last stage") == (model.won_stage is None)


@pytest.mark.parametrize("call", [
    lambda: planning.allocate("states.csv", 10), lambda: planning.perceptual_map([1, 2]),
    lambda: planning.sensitivity(3), lambda: planning.weakest_levels(None), lambda: planning.what_if(5),
    lambda: planning.advantage_test({"advantage": []}), lambda: planning.state_table("deals.csv"),
])  # fmt: skip
def test_what_is_no_table_is_refused(call):
    with pytest.raises(DataError, match="this takes a"):
        call()


@pytest.mark.parametrize(("lang", "written"), [("en", "US$"), ("zh", "美元")])
def test_amounts_are_said_in_their_currency(lang, written):
    use_language(lang)
    for result in (
        planning.allocate(STATES, 3000, currency="USD"),
        planning.sensitivity(MODEL, 900, 7.5, currency="USD"),
        planning.what_if(MODEL, {"volume": 120}, 100, 10.0, currency="USD"),
        planning.what_if(MODEL, None, 100, 10.0, cycle_days=20, currency="USD"),
        planning.cascade(currency="USD"),
        planning.weakest_levels(planning.cascade(currency="USD")),
    ):
        assert written in result.reading()
    assert written not in planning.allocate(STATES, 3000).reading() + planning.sensitivity(MODEL, 900, 7.5).reading()


def test_states_hand_on_their_currency():
    said = planning.allocate(Result(STATES, currency="CNY"), 3000)
    assert "CN¥" in said.reading() and said.currency == "CNY"
