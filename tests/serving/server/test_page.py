"""The web page for trying a model, in real Chromium."""

import contextlib
import socket
import threading
import types

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.helpers.chromium import MARKS, chromium

SECONDS = 60  # on a busy machine

pytestmark = MARKS


class Served:
    """An app on a local port, in a thread; can be stopped and restarted."""

    def __init__(self, app):
        self.app = app
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self):
        import uvicorn

        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen()  # an early browser waits
        config = uvicorn.Config(self.app, log_config=None, ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.socket]}
        )
        self.thread.start()

    def stop(self):
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture(scope="module")
def golden(golden_version):
    """The small model, served under the name `xmc`: its `app` and `model`."""
    from xmc_keras.serving.server.model_versions import ModelVersions
    from xmc_keras.serving.server.rest.rest_app import build_app

    models = ModelVersions("xmc", golden_version.parent)
    models.start()
    app = build_app(models, max_body_bytes=300, threads=2)
    with models.use() as (_, model):
        yield types.SimpleNamespace(app=app, model=model)
    models.stop()


@pytest.fixture(scope="module")
def browser():
    driver = chromium(**{"goog:loggingPrefs": {"browser": "ALL"}})
    yield driver
    driver.quit()


@pytest.fixture
def page(golden, browser):
    server = Served(golden.app)
    browser.get(server.url)
    browser.get_log("browser")  # drops earlier messages
    yield Page(browser, server)
    server.stop()


class Page:
    """What a user does and sees."""

    def __init__(self, browser, server):
        self.browser = browser
        self.server = server

    def find(self, name):
        return self.browser.find_element(By.ID, name)

    def type(self, text):
        self.find("text").clear()
        self.find("text").send_keys(text)

    def submit(self):
        self.find("submit").click()

    def labels(self):
        """Waits for labels; returns the displayed cells of each row."""
        self.wait(lambda: self.rows())
        return [
            [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
            for row in self.rows()
        ]

    def rows(self):
        return self.find("labels").find_elements(By.TAG_NAME, "tr")

    def error(self):
        """Waits for an error message and returns it."""
        self.wait(lambda: self.find("error").text)
        return self.find("error").text

    def wait(self, condition):
        WebDriverWait(self.browser, SECONDS).until(lambda _: condition())


def expected(model, text):
    import numpy as np

    found = model.predict({"text": np.array([text.encode()], object)})
    return [
        [label.decode(), f"{score:.3f}", ""]
        for label, score in zip(found["labels"][0], found["scores"][0])
    ]


@pytest.mark.parametrize("text", ["A puzzle game", "Rätsel für Müßige\n謎", ""])
def test_type_submit_see_labels(page, golden, text):
    page.type(text)
    page.submit()
    assert page.labels() == expected(golden.model, text)
    assert page.find("error").text == ""
    assert page.find("labels").is_displayed()
    assert page.find("status").text == "5 labels"


def test_the_keyboard_is_enough(page, golden):
    field = page.browser.switch_to.active_element  # where a user can type immediately
    field.send_keys("A terminal text editor", Keys.CONTROL, Keys.ENTER)
    assert page.labels() == expected(golden.model, "A terminal text editor")


def test_an_error_of_the_server_is_shown_and_goes_away(page, golden):
    page.type("word " * 100)  # more than the server accepts
    page.submit()
    assert "413" in page.error()
    assert "at most 300 bytes" in page.error()
    assert page.rows() == []
    page.type("less")
    page.submit()
    assert page.labels() == expected(golden.model, "less")
    assert page.find("error").text == ""


def test_a_lost_server_is_shown_and_may_come_back(page, golden):
    page.type("first")
    page.submit()
    page.labels()
    page.server.stop()
    page.submit()
    assert "cannot be reached" in page.error()
    assert page.rows() == []  # the earlier labels do not answer this request
    page.server.start()
    page.submit()
    assert page.labels() == expected(golden.model, "first")
    assert page.find("error").text == ""


def test_the_browser_has_nothing_to_complain_of(page):
    page.browser.refresh()
    page.type("A puzzle game")
    page.submit()
    page.labels()
    assert page.browser.get_log("browser") == []


def test_names_are_shown_and_not_run(browser, golden):
    import numpy as np

    from xmc_keras.serving.server.rest.rest_app import build_app

    script = "<img src=x onerror=\"document.title = 'run'\"></title>&amp;{{url}}"

    class Hostile:
        signatures = golden.model.signatures

        def predict(self, inputs, name):
            return {
                "labels": np.array([[script.encode()]], object),
                "scores": np.array([[0.5]], np.float32),
            }

    class Models:
        name = script

        @contextlib.contextmanager
        def use(self, version=None):
            yield 1, Hostile()

        def states(self):
            return []

    server = Served(build_app(Models(), max_body_bytes=300, threads=1))
    try:
        browser.get(server.url)
        page = Page(browser, server)
        page.type(script)
        page.submit()
        assert page.labels() == [[script, "0.500", ""]]
        assert browser.find_element(By.TAG_NAME, "h1").text == script
        assert browser.find_elements(By.TAG_NAME, "img") == []
        assert browser.title == f"{script}: find labels for a text"
    finally:
        server.stop()
