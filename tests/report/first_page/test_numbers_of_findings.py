"""A number field of a finding or of an alert is the number that its sentence says."""

import re

import pytest

from funnelkit import report
from funnelkit.analysis.monitor import monitor
from funnelkit.language import LANGUAGES, number, percent, speaking
from funnelkit.report.runs import alerts, publish
from funnelkit.report.sections.alerted import alerts_of
from tests.analysis.test_monitor import STEADY, series
from tests.report.first_page.test_summary import AS_OF, deals_of

FIELDS = ("n_deals", "found", "usual")
# What a sentence leaves out: of rates alone it counts no deals, of a pace it says the share.
UNSAID = {
    "fewer_promoted": {"n_deals"}, "more_promoted": {"n_deals"}, "slower": {"usual"}, "faster": {"usual"},
    "older": {"found", "usual"}, "stuck": {"n_deals"}, "target": {"n_deals"}, "nothing": set(FIELDS),
}  # fmt: skip
NOBODY = re.compile(r"^No deal|没有赢单")


def disagreements(one, lang):
    """Return the fields of a finding that its own sentence contradicts: neither said nor left out as a whole."""
    said = {text.replace(",", "") for text in re.findall(r"\d[\d,]*(?:\.\d+)?%?", one["sentence"])}
    said |= {"0"} if NOBODY.search(one["sentence"]) else set()
    wrong = []
    with speaking(lang):
        for name in FIELDS:
            value = one.get(name)
            if value is None:
                continue
            forms = [number(value), number(value, 1), percent(value), percent(value, 0)]
            if not {form.replace(",", "") for form in forms} & said and name not in UNSAID.get(one["kind"], set()):
                wrong.append(f"{name} is {value}: {one['sentence']}")
    return wrong


def on_the_page(page, lang):
    with speaking(lang):
        found = page.figures()["first_page"]["findings"]
    return [{**one, "n_deals": one["deals"]} for one in found]


@pytest.fixture(scope="module")
def sample():
    return report.read_source(as_of=AS_OF)


@pytest.fixture(scope="module")
def answers(sample):
    return deals_of(sample)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_findings_of_the_page(sample, answers, lang):
    found = on_the_page(report.summary(sample, *answers), lang)
    assert {"held_up", "fewer_promoted", "fewer_wins"} <= {one["kind"] for one in found}
    assert [fault for one in found for fault in disagreements(one, lang)] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_alerts_with_and_without_the_page(sample, answers, lang, tmp_path):
    watched, stuck = answers
    with speaking(lang):
        figures = {"alerts_signal": alerts_of("signal", watched), "alerts_stuck": alerts_of("stuck", stuck)}
        page = report.summary(sample, *answers).figures()["first_page"]["findings"]
    for findings in ([], page):
        publish.write_json(tmp_path / "summary.json", {"findings": findings, "figures": figures})
        alerts.write_alerts(tmp_path, alerts.ALERTS, {"language": lang}, None)
        told = publish.load_json(tmp_path / "alert.json")["alerts"]
        assert told and [fault for one in told for fault in disagreements(one, lang)] == []
        held = [one for one in told if one["kind"] == "slower"]
        assert held and all(one["n_deals"] == one["found"] > one["usual"] for one in held)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_monitor_of_rates(lang):
    for last in (0.15, 0.5):
        (one,) = monitor(series([*STEADY, last])).findings
        fields = {"kind": one.kind, "sentence": getattr(one.sentence, lang)}
        assert disagreements({**fields, **{name: getattr(one, name) for name in FIELDS}}, lang) == []


def test_a_field_that_is_another_number_is_found():
    sentence = "33 deals (CNY 23.9 M) are held up in Talk; about 10 are usual."
    fine = {"kind": "held_up", "sentence": sentence, "n_deals": 33, "found": 33.0, "usual": 9.58}
    assert disagreements(fine, "en") == []
    assert len(disagreements({**fine, "n_deals": 23}, "en")) == 1
