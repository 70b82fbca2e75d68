"""Real Chromium for tests of pages, if it is installed.

It needs the extra `browser` and Debian's packages `chromium` and `chromium-driver`.
"""

import os
import shutil

import pytest

pytest.importorskip("selenium", reason="the extra `browser` is not installed")

from selenium import webdriver  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
# The `pytestmark` of a test module.
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="Debian's packages chromium and chromium-driver are missing",
    ),
]


def chromium(*arguments, **capabilities):
    """A headless browser; the caller quits it."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")  # small in containers
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # not available to root
    for argument in arguments:
        options.add_argument(argument)
    for name, value in capabilities.items():
        options.set_capability(name, value)
    return webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
