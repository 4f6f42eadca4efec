"""The card of conversion rules: its systems are the kit's presets, its deals differ by what each rule asks."""

from dataclasses import replace

import pandas as pd
import pytest

from funnelkit.events import Rule, journeys, preset
from funnelkit.explore import ConversionRules
from funnelkit.explore.conversion_rules import STEPS, SYSTEMS

ANSWERS = {"hubspot_all": 9, "posthog": 6, "mixpanel": 4, "amplitude": 8, "clickhouse_strict_order": 7}


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_is_the_preset_of_its_name(name):
    panel = ConversionRules()
    panel.state = SYSTEMS[name]
    exclude = "cancel" if SYSTEMS[name]["exclusion"] != "ignore" else ()
    rule = preset(name, exclude=exclude)
    found = journeys(panel._events, STEPS, rule, as_of="2026-05-11").table
    assert (found["depth"] == 3).sum() == panel.table["n_entered"].iloc[-1] == ANSWERS[name]


def test_any_order_has_one_start_of_its_window():
    panel = ConversionRules()
    panel.state = {"order": "any", "since": "previous", "window": 14}
    assert panel.rule == replace(Rule(order="any"), window=pd.Timedelta(days=14))


def test_the_challenge_needs_the_later_visit():
    """Within its terms seven deals count only where a later visit may begin the path."""
    panel, met = ConversionRules(), set()
    for reentry in ("first", "latest"):
        for since in ("first", "previous"):
            panel.state = {"reentry": reentry, "since": since, "exclusion": "person", "window": 14}
            met |= {(reentry, since)} if panel.challenge.met else set()
    assert met == {("latest", "first"), ("latest", "previous")}
    panel.state = {"window": 15}
    assert panel.challenge.status == "outside"
