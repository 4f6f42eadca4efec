"""Do people differ? In order of name: inside the usual range a ranking would rank luck."""

from __future__ import annotations

from funnelkit.report.sections.section import Section

SECTIONS = (
    Section("people", "review_people", "* k n rate expected limit_low limit_high shrunk verdict", answers=0),
)  # fmt: skip
