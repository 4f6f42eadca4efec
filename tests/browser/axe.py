"""axe-core's rules over a page, at the widths of a screen and of a phone.

axe-core (MPL-2.0) is a test tool and no part of the kit: the extra `bench` brings it in axe-playwright-python;
FUNNELKIT_AXE names an axe.min.js that lies elsewhere.
"""

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WIDTHS = {"screen": (1280, 720), "phone": (390, 844)}
MISSING = "no axe-core: pip install axe-playwright-python, or name an axe.min.js in FUNNELKIT_AXE"


@cache
def axe_file():
    """Return the path of axe.min.js, or None."""
    package = find_spec("axe_playwright_python")
    places = [os.environ.get("FUNNELKIT_AXE"), package and Path(str(package.origin)).with_name("axe.min.js")]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


def violations(browser, address):
    """Return what axe finds on the page at both widths, one line each: width, rule, what it wants, the elements."""
    found = []
    for name, (width, height) in WIDTHS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        found += [f"{name}: {line}" for line in violations_of(page)]
        page.close()
    return found


def violations_of(page):
    """Return what axe finds on a page that is open already."""
    page.evaluate(axe_file().read_text(encoding="utf-8"))  # evaluated, not loaded: the page's policy forbids scripts
    result = page.evaluate("axe.run(document, {preload: false, resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}; {len(rule['nodes'])}x, {rule['nodes'][0]['html'][:160]}"
        for rule in result["violations"]
    ]
