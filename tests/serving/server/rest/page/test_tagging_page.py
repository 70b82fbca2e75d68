"""The page for people who tag, in real Chromium."""

import contextlib
import math
import types

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.helpers.chromium import MARKS, chromium
from tests.helpers.tagging_page import Served, TaggingPage
from xmc_keras.serving.server.label_search import LabelSearch
from xmc_keras.serving.server.rest.page.corrections_file import CorrectionsFile

pytestmark = MARKS

LIMIT = 1500  # bytes of a request
TITLES = {"L0": "Sea & sky", "L4": "Gemüse"}


@pytest.fixture(scope="module")
def named(named_version):
    """The small model, served under the name `xmc`."""
    from xmc_keras.serving.server.model_versions import ModelVersions

    models = ModelVersions("xmc", named_version.parent)
    models.start()
    yield models
    models.stop()


@pytest.fixture(scope="module")
def browser():
    driver = chromium(**{"goog:loggingPrefs": {"browser": "ALL"}})
    yield driver
    driver.quit()


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens the page of models, with corrections unless they are turned off."""
    from xmc_keras.serving.server.rest.rest_app import build_app

    with contextlib.ExitStack() as stack:

        def open_page(models, keeps=True):
            path = tmp_path / "corrections.jsonl"
            corrections = CorrectionsFile(path, seconds=0.2) if keeps else None
            server = Served(build_app(models, LIMIT, 2, corrections))
            stack.callback(server.stop)
            return TaggingPage(browser, server, path)

        yield open_page
        browser.get("about:blank")


@pytest.fixture
def page(open_page, named):
    return open_page(named)


def answer(models, text, k=10):
    """`(title, name, score)` of the labels of a text, by the model itself."""
    inputs = {"text": np.array([text.encode()], object), "k": np.array(k, np.int32)}
    with models.use() as (_, model):
        found = model.predict(inputs, "top_k")
    names = [label.decode() for label in found["labels"][0]]
    scores = found["scores"][0].tolist()
    return [(TITLES.get(name, ""), name, x) for name, x in zip(names, scores)]


def shown(labels):
    return [
        [title, name, f"{math.floor(1000 * score) / 10:.1f} %", ""]
        for title, name, score in labels
    ]


def reaching(labels, percent):
    return [name for _, name, score in labels if 100 * score >= percent]


class Fixed:
    """A model, and versions of it, whose labels and scores are given."""

    def __init__(self, labels, search=b"", name="xmc"):
        self.labels, self.name = labels, name
        self.label_search = LabelSearch(search)
        self.signatures = ["serving_default"]

    @contextlib.contextmanager
    def use(self, version=None):
        yield 1, self

    def signature(self, name):
        return types.SimpleNamespace(inputs=["text"])

    def predict(self, inputs, name):
        names, scores = zip(*self.labels)
        names = [name.encode() for name in names]
        return {
            "labels": np.array([names], object),
            "scores": np.array([scores], np.float32),
        }

    def states(self):
        return []


@pytest.mark.parametrize("text", ["A puzzle game", "Rätsel für Müßige\n謎", ""])
def test_type_ask_see_labels(page, named, text):
    page.ask(text)
    labels = answer(named, text)
    assert page.rows() == shown(labels)
    assert page.accepted() == reaching(labels, 50)
    assert page.text_of("status").endswith(" of 10 labels accepted")
    assert page.text_of("version") == "version 1" and not page.text_of("error")


def test_the_keyboard_is_enough(page, named):
    text = "A terminal text editor"
    labels = answer(named, text, 6)
    page.press(text, Keys.TAB)  # the focus is where a text is typed
    assert page.focused().text == "Find labels"
    page.press(Keys.TAB)
    page.press(Keys.CONTROL, "a", Keys.NULL, "6", Keys.ENTER)
    page.wait(lambda: page.rows() == shown(labels))
    page.press(Keys.TAB)
    assert page.focused().get_attribute("id") == "threshold"
    page.press(*[Keys.ARROW_RIGHT] * 3, *[Keys.ARROW_LEFT] * 8)
    assert page.text_of("level") == "45 %"
    expected = set(reaching(labels, 45))
    assert set(page.accepted()) == expected
    # The first label is decided the other way, and the arrows lead to the last.
    page.press(Keys.TAB, Keys.SPACE)
    for _ in range(7):
        page.press(Keys.ARROW_DOWN)
    page.press(Keys.SPACE)
    for row in (0, -1):
        name = labels[row][1]
        verb = "rejected" if name in expected else "accepted"
        assert page.rows()[row][3] == f"{verb} by you"
        expected ^= {name}
    assert set(page.accepted()) == expected
    page.press(Keys.TAB)
    assert page.focused().get_attribute("role") == "combobox"
    given = {name for _, name, _ in labels}
    missing = [f"L{i}" for i in range(10) if f"L{i}" not in given]
    page.complete("l")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    active = page.find(page.focused().get_attribute("aria-activedescendant"))
    assert active.get_attribute("aria-selected") == "true" and active.text == "L1"
    page.press(Keys.ESCAPE)
    assert page.focused().get_attribute("aria-expanded") == "false"
    assert page.focused().get_attribute("value") == "l"
    page.press(Keys.ESCAPE)
    assert page.focused().get_attribute("value") == ""
    page.add(missing[0])
    page.add(missing[1])
    assert [row[1] for row in page.rows()[6:]] == missing[:2]
    page.press(Keys.TAB)
    assert page.focused().get_attribute("id") == "save"
    page.press(Keys.ENTER)
    page.wait(page.kept)
    kept = [name for _, name, _ in labels if name in expected] + missing[:2]
    assert page.kept() == [(text, kept)]
    page.wait(lambda: page.text_of("saved").startswith("Saved"))
    # The next text replaces this one.
    page.press("A puzzle", Keys.CONTROL, Keys.ENTER)
    page.wait(lambda: page.rows() == shown(answer(named, "A puzzle", 6)))


def test_the_slider_shows_what_would_be_accepted(page, named):
    labels = answer(named, "A puzzle game")
    page.ask("A puzzle game")
    for percent in (0, 1, 37, 62, 90, 100):
        page.slide(percent)
        expected = reaching(labels, percent)
        assert page.accepted() == expected
        assert page.text_of("level") == f"{percent} %"
        if expected:
            count = f"{len(expected)} of 10 labels accepted"
            assert page.text_of("status") == count
    assert page.text_of("status") == "No label reaches 100 %: the answer is empty."
    assert page.text_of("save") == "Save"
    page.find("save").click()
    assert "Accept or add a label first" in page.text_of("saved")
    # Decisions hold at any threshold, and there is nothing to move where it was set.
    page.all("#labels input")[3].click()
    assert page.accepted() == [labels[3][1]] and page.text_of("save") == "Save 1 label"
    page.slide(0)
    page.all("#labels input")[3].click()
    page.slide(50)
    assert labels[3][1] not in page.accepted()
    assert page.all("#labels input")[3].get_attribute("checked") is None
    page.slide(70)
    page.browser.refresh()
    assert page.text_of("level") == "70 %"


def test_labels_are_completed(page, named):
    page.ask("A puzzle game")
    page.slide(100)
    assert page.complete("gemu") == ["Gemüse\nL4"]
    page.find("add").send_keys(Keys.ENTER)
    assert page.text_of("found") == "Gemüse is accepted."
    assert page.accepted() == ["L4"] and len(page.rows()) == 10  # it was there
    assert page.complete("sky") == ["Sea & sky\nL0"]
    page.all("#options li")[0].click()
    assert page.focused() == page.find("add")
    assert sorted(page.accepted()) == ["L0", "L4"]
    page.find("add").send_keys("none such", Keys.ENTER)
    page.wait(lambda: page.text_of("found") == "No label has “none such”.")
    assert sorted(page.accepted()) == ["L0", "L4"]
    page.find("add").clear()
    # Enter takes a label of what is typed, not one of an earlier list.
    page.complete("gem")
    page.find("add").send_keys(*[Keys.BACKSPACE] * 3, "L7", Keys.ENTER)
    page.wait(lambda: sorted(page.accepted()) == ["L0", "L4", "L7"])


def test_decisions_stay_while_the_text_is_edited(page, named):
    page.ask("A puzzle game for the desktop")
    page.slide(100)
    page.all("#labels input")[0].click()
    chosen = page.accepted()
    page.find("text").send_keys("s")
    assert page.text_of("saved") == "The text has changed. Find its labels first."
    assert "of the text before it was changed" in page.text_of("status")
    page.find("save").click()
    assert page.stays(lambda: not page.kept(), 0.2)
    page.ask()
    assert page.accepted() == chosen
    page.find("save").click()
    page.wait(lambda: page.kept() == [("A puzzle game for the desktops", chosen)])
    page.find("save").click()  # the same is not kept twice
    page.ask("Something else")
    assert page.accepted() == []
    assert page.stays(lambda: len(page.kept()) == 1, 0.2)


def test_corrections_outlive_the_server(page, named):
    page.ask("first")
    page.slide(0)
    names = [row[1] for row in page.rows()]
    page.server.stop()
    page.find("save").click()
    page.wait(lambda: "1 correction is kept in this browser" in page.text_of("unsent"))
    assert "cannot be reached" in page.text_of("unsent-text")
    assert page.text_of("saved") == "Kept in this browser until the server has it."
    page.all("#labels input")[0].click()
    page.find("save").click()
    page.wait(lambda: "2 corrections are" in page.text_of("unsent-text"))
    page.ask()
    assert "cannot be reached" in page.error()
    assert page.accepted() == names[1:]  # what was decided is not lost
    page.server.start()
    page.wait(lambda: not page.find("unsent").is_displayed())  # without a click
    assert page.kept() == [("first", names), ("first", names[1:])]
    assert page.text_of("saved") == "Saved. Type or paste the next text."
    page.ask()
    assert not page.text_of("error") and page.accepted() == names[1:]
    # A file that cannot be written, and a page that is left and opened again.
    kept = page.corrections.read_text()
    page.corrections.unlink()
    page.corrections.mkdir()
    page.all("#labels input")[0].click()
    page.find("save").click()
    page.wait(lambda: "Received: a folder" in page.text_of("unsent-text"))
    page.browser.get("about:blank")
    page.corrections.rmdir()
    page.corrections.write_text(kept)
    page.browser.get(page.server.url)
    page.wait(lambda: len(page.kept()) == 3)
    page.wait(lambda: not page.find("unsent").is_displayed())
    assert page.stays(lambda: len(page.kept()) == 3, 0.3)


def test_one_that_is_refused_keeps_no_other_waiting(page):
    page.ask("a")
    page.run(
        """for (const [id, text] of [["1", "x".repeat(9999)], ["2", "fine"]]) {
            const item = { id, text, labels: ["L1"], kept: Number(id) };
            localStorage.setItem(`xmc/xmc/${id}`, JSON.stringify(item));
        }"""
    )
    page.slide(0)
    page.find("save").click()
    page.wait(lambda: [text for text, _ in page.kept()] == ["fine", "a"])
    page.wait(lambda: "1 correction is" in page.text_of("unsent-text"))
    assert "413" in page.text_of("unsent-text")
    page.find("discard").click()
    page.browser.switch_to.alert.accept()
    page.wait(lambda: not page.find("unsent").is_displayed())
    assert page.run("return Object.keys(localStorage)") == ["xmc-settings"]


def test_an_error_of_the_server_is_shown_and_goes_away(page, named):
    page.ask("word " * 400)  # more than the server accepts
    assert f"413: Expected a request body of at most {LIMIT} bytes" in page.error()
    assert page.rows() == [] and not page.find("correct").is_displayed()
    page.ask("less")
    assert page.rows() == shown(answer(named, "less"))
    assert page.text_of("error") == ""


def test_a_server_that_takes_no_corrections(open_page, named):
    page = open_page(named, keeps=False)
    page.ask("A puzzle game")
    assert page.rows() == shown(answer(named, "A puzzle game"))
    assert page.accepted() == reaching(answer(named, "A puzzle game"), 50)
    assert "--corrections FILE" in page.text_of("off")
    assert not page.all("#labels input") and not page.find("correct").is_displayed()


def test_the_browser_has_nothing_to_complain_of(page):
    page.browser.refresh()
    page.ask("A puzzle game")
    page.add("L1")
    page.find("save").click()
    page.wait(page.kept)
    assert page.browser.get_log("browser") == []


def test_another_site_cannot_send_corrections(page, browser):
    async def other_site(scope, receive, send):
        page = b"<!DOCTYPE html><title>Another site</title><form method=post></form>"
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    other = Served(other_site)
    try:
        # The same host, and by a name that a browser takes for this machine.
        for host in ("127.0.0.1", "localhost", "evil.localhost"):
            browser.get(f"http://{host}:{other.port}/")
            sent = page.run(
                """const [url, done] = [arguments[0], []];
                const body = '{"text": "a", "labels": ["L1"]}';
                const json = { "Content-Type": "application/json" };
                for (const more of [{}, { mode: "no-cors" }, { headers: json }]) {
                    done.push(fetch(url, { method: "POST", body, ...more })
                        .then((x) => x.type, () => "refused"));
                }
                return Promise.all(done);""",
                f"{page.server.url}page/corrections",
            )
            assert sent == ["refused", "opaque", "refused"]
            # A form may claim any of three types, none of them JSON.
            page.run(
                """const form = document.forms[0];
                [form.action, form.enctype] = [arguments[0], "text/plain"];
                const input = document.createElement("input");
                [input.name, input.value] = ['{"text": "a', '", "labels": ["L1"]}'];
                form.append(input);
                form.submit();""",
                f"{page.server.url}page/corrections",
            )
            page.wait(lambda: "content type" in browser.page_source)
    finally:
        other.stop()
    assert not page.corrections.exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(page, browser, scheme):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        page.ask("A puzzle game")
        page.slide(60)
        page.all("#labels input")[0].click()
        page.server.stop()
        page.find("save").click()
        page.wait(lambda: page.find("unsent").is_displayed())
        page.server.start()
        page.complete("l")
        page.wait(lambda: page.all("#options li"))
        grounds = page.run(COLOURS)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert len(grounds) > 40
    assert {words: x for words, *x in grounds if contrast(*x) < 4.5} == {}


# The words of the page, their colour and that of their ground.
COLOURS = """
const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
return [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
).map((element) => {
    let ground = element, colour;
    do colour = rgb(getComputedStyle(ground).backgroundColor);
    while (colour[3] === 0 && (ground = ground.parentElement));
    return [element.innerText, rgb(getComputedStyle(element).color), colour];
});
"""


def contrast(colour, ground):
    """The contrast ratio of two colours, by WCAG 2."""

    def luminance(colour):
        parts = [x / 255 for x in colour[:3]]
        parts = [
            x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted(map(luminance, (colour, ground)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "width",
    [
        400,
        *(pytest.param(width, marks=pytest.mark.large) for width in (320, 800, 1280)),
    ],
)
def test_nothing_lies_beyond_the_width(open_page, width):
    labels = [("http://example.org/" + "a" * 90, 0.9), ("words " * 30 + "end", 0.12345)]
    names = "".join(f"{name}\n" for name, _ in labels)
    page = open_page(Fixed(labels, names.encode(), "m" * 90))
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert page.sideways() == [0, []]
        page.ask("word " * 30 + "w" * 300)
        page.add("end")
        page.server.stop()
        page.find("save").click()
        page.wait(lambda: page.find("unsent").is_displayed())
        page.server.start()
        page.complete("a")
        assert page.sideways() == [0, []]
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_names_are_shown_and_not_run(open_page):
    script = "<img src=x onerror=\"document.title = 'run'\"></title>&amp;{{name}}"
    page = open_page(Fixed([(script, 0.5)], f"{script}\n".encode(), script))
    page.ask(script)
    assert page.rows() == [["", script, "50.0 %", ""]]
    assert page.complete("img") == [script]
    page.find("add").send_keys(Keys.ENTER)
    page.find("save").click()
    page.wait(lambda: page.kept() == [(script, [script])])
    assert page.browser.find_element(By.TAG_NAME, "h1").text == script
    assert page.all("img") == []
    assert page.browser.title == f"{script}: find labels for a text"


def test_a_version_that_names_no_labels_takes_any(open_page):
    page = open_page(Fixed([("a", 0.7)]))
    page.ask("text")
    assert page.complete(" of my own ") == ["of my own"]
    page.find("add").send_keys(Keys.ENTER)
    page.find("save").click()
    page.wait(lambda: page.kept() == [("text", ["a", "of my own"])])


def test_scores_of_no_label(open_page):
    page = open_page(Fixed([("", 0.0)]))
    page.ask("text")
    assert page.rows() == []
    assert page.text_of("status") == "The model has no label for this text."
