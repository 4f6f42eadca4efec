"""One Chromium for all browser tests of a process: playwright's synchronous interface can be started only once."""

import pytest

from .lab import FLAGS, chromium


@pytest.fixture(scope="package")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield opened
        opened.close()
