"""What the browser computes is what Python's verb says: the module itself, run in Chromium, at random states."""

import json
import math

import numpy as np
import pytest

from funnelkit.explore.base import module
from tests.explore.cases import CASES

from .lab import chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
RELATIVE = 1e-12
RUN = """async ([source, text]) => {
  const made = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
  const [specs, asked] = JSON.parse(text);
  return JSON.stringify(asked.map(([place, state]) => [specs[place], state]).map(([spec, state]) => ({
    found: made.compute(spec, state), status: spec.challenge ? made.judge(spec, state).status : null,
  })));
}"""
PARSE = """async ([source, text]) => {
  const made = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
  return JSON.parse(text).map(([typed, control]) => made.parse(typed, control));
}"""


@pytest.fixture(scope="module")
def page(browser):
    made = browser.new_page()
    yield made
    made.close()


def flat(value):
    value = list(value.values()) if isinstance(value, dict) else value
    return list(np.ravel(value)) if isinstance(value, list) else [value]


def check(page, name, n, seed, source=None):
    case, rng = CASES[name], np.random.default_rng(seed)
    asked, expected, specs = [], [], []
    for card in case.states(rng, n):
        if not specs or specs[-1] is not card.spec:
            specs.append(card.spec)  # sent once for all of its states
        asked.append([len(specs) - 1, card.state])
        expected.append((case.expected(card), card.challenge.status if "challenge" in card.spec else None))
    found = json.loads(page.evaluate(RUN, [source or module(name), json.dumps([specs, asked], allow_nan=False)]))
    values = 0
    for place, (made, (wanted, status)) in enumerate(zip(found, expected, strict=True)):
        assert made["status"] == status, f"state {place}: {asked[place]}"
        for key, value in wanted.items():
            for one, other in zip(flat(made["found"][key]), flat(value), strict=True):
                values += 1
                equal = one == other or (
                    not isinstance(one, (str, type(None), bool)) and not isinstance(other, (str, type(None)))
                    and math.isclose(one, other, rel_tol=RELATIVE, abs_tol=case.tolerance)
                )  # fmt: skip
                assert equal, f"state {place}, {key}: {one!r} in the browser, {other!r} in Python: {asked[place]}"
    return values


@pytest.mark.parametrize("name", CASES)
def test_the_browser_computes_what_python_does(name, page):
    assert check(page, name, 60, 1) > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_browser_computes_what_python_does_at_a_thousand_states(name, page, record_property):
    record_property(f"{name}: values equal", f"{check(page, name, 1000, 2):,}")


CHANGED = {  # one formula of each card, as somebody might change it: on one side only
    "what_if": ("values.volume * share)", "values.volume * share * 1.000001)"),
    "cascade": ("hundredths = n * 100n", "hundredths = n * 101n"),
    "influence_loop": ("spread = customers * reach;", "spread = potential * reach;"),
    "allocation": ("row.after - row.now", "row.after - row.now * 1.000001"),
    "positioning_map": ("(value - means[at]) * roots[at]", "(value - means[at]) * weight[at]"),
    "mix_and_rate": ("(s0[at] + s1[at])) / 2)", "s0[at]))"),
    "stuck_or_slow": ("p[at] * expected)", "p[at] * (expected + 0.001))"),
    "small_sample": ("z2 / (4 * (n * n))", "z2 / (4 * n)"),
    "signal_or_noise": ("(round * months + at) * LONGEST", "(round * months + at + 1) * LONGEST"),
    "young_cohorts": ("stay *= 1 - gone[day] / there", "stay *= 1 - won[day] / there"),
    "conversion_rules": ("steps > at", "steps >= at"),
    "target_solver": ("odds - 1e-9", "odds - 0.05"),
}


@pytest.mark.parametrize(
    "name", [name if name == "what_if" else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_a_changed_formula_turns_red(name, page):
    old, new = CHANGED[name]
    assert module(name).count(old) == 1
    with pytest.raises(AssertionError, match=r"in the browser|^state \d+"):
        check(page, name, 12, 1, module(name).replace(old, new))


def test_numbers_as_people_type_them(page):
    """Percent, separators, full-width digits, 万 and 亿 are understood; what is ambiguous or out of range is not."""
    rate = {"kind": "percent", "least": 0, "most": 1}
    count = {"kind": "number", "least": 0, "most": 1e12}
    whole = {"kind": "number", "least": 1, "most": 100, "whole": True}
    pairs = [
        ("65", rate, 0.65), ("65 %", rate, 0.65), ("６５％", rate, 0.65), ("65。5", rate, 0.655), (".5", rate, 0.005),
        ("7", rate, 0.07), ("101", rate, None), ("-1", rate, None), ("", rate, None), ("1e1", rate, None),
        ("0x10", rate, None), ("much", rate, None), ("1，200", count, 1200.0), ("1,200.5", count, 1200.5),
        ("1,2", count, None), ("12,00", count, None), ("3万", count, 30_000.0), ("1.1 万", count, 11_000.0),
        ("2亿", count, 2e8), ("5k", count, 5000.0), ("1.2M", count, 1.2e6), ("¥ 50 000", count, 50_000.0),
        ("50%", count, None), ("9e99", count, None), ("5", whole, 5.0), ("5.5", whole, None),
    ]  # fmt: skip
    source = module("what_if") + "\nexport { parse };\n"
    asked = json.dumps([[typed, control] for typed, control, _ in pairs])
    assert page.evaluate(PARSE, [source, asked]) == [value for *_, value in pairs]


def test_numbers_are_written_as_python_writes_them(page):
    """Ties of short decimals go away from zero on both sides; what rounds to zero has no sign."""
    from funnelkit.language import number, percent, speaking

    rng = np.random.default_rng(3)
    values = [0.05, 0.25, 2.675, 1234.5, -0.04, 0.0, -1.25, 1e6, *(rng.integers(-(10**6), 10**6, 3000) / 1000)]
    source = module("what_if") + "\nexport { words };\n"
    script = """async ([source, values]) => {
      const { words } = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
      const made = words({en: {}, zh: {}}, "LANG");
      return values.map((value) => [made.number(value, 1), made.number(value, 2), made.percent(value / 1000)]);
    }"""
    for lang in ("en", "zh"):
        found = page.evaluate(script.replace("LANG", lang), [source, values])
        with speaking(lang):
            assert found == [[number(value, 1), number(value, 2), percent(value / 1000)] for value in values]
