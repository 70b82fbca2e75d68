"""The page of `xmc serve` in a browser: what a person does and sees."""

import json
import socket
import threading
import time

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SECONDS = 60  # on a busy machine


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


class TaggingPage:
    """The page in a browser.

    Args:
        browser: selenium's driver.
        server: `Served`.
        corrections: optional path of the file of corrections.
    """

    def __init__(self, browser, server, corrections=None):
        self.browser, self.server, self.corrections = browser, server, corrections
        browser.get(server.url)
        browser.get_log("browser")  # drops earlier messages

    def find(self, name):
        return self.browser.find_element(By.ID, name)

    def text_of(self, name):
        return self.find(name).text

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def press(self, *keys):
        """Presses keys where the focus is."""
        self.focused().send_keys(*keys)

    def focused(self):
        return self.browser.switch_to.active_element

    def type(self, text):
        self.find("text").clear()
        self.find("text").send_keys(text)

    def ask(self, text=None):
        """Types a text, asks, and waits for the answer or an error."""
        if text is not None:
            self.type(text)
        self.find("submit").click()
        self.wait_for_answer()

    def wait_for_answer(self):
        self.wait(lambda: self.find("submit").text == "Find labels")

    def rows(self):
        """The displayed rows: title, name, score and what is written of a decision."""
        return self.run(
            """return [...document.querySelectorAll("#labels > li")].map((row) => {
                const part = (selector) => row.querySelector(selector)?.innerText ?? "";
                const name = part(".id") || part(".main");
                const title = part(".id") ? part(".main") : "";
                return [title, name, part(".score"), part(".by")];
            })"""
        )

    def accepted(self):
        """Names of the rows that are marked as accepted, each in all its ways."""
        rows = self.run(
            """return [...document.querySelectorAll("#labels > li")].map((row) => [
                (row.querySelector(".id") ?? row.querySelector(".main")).innerText,
                row.classList.contains("accepted"),
                row.querySelector("input")?.checked ??
                    row.querySelector(".mark").ariaLabel === "accepted",
            ])"""
        )
        assert all(marked == checked for _, marked, checked in rows)
        return [name for name, marked, _ in rows if marked]

    def slide(self, percent):
        """Moves the slider, as its keys do."""
        self.run(
            """const slider = document.getElementById("threshold");
            slider.value = arguments[0];
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            slider.dispatchEvent(new Event("change", { bubbles: true }));""",
            percent,
        )

    def complete(self, part):
        """Types a part of a label; waits for the options and returns their texts."""
        self.find("add").send_keys(part)
        self.wait(lambda: self.text_of("found"))
        return [option.text for option in self.all("#options li")]

    def add(self, part):
        """Adds the first label with this part."""
        self.complete(part)
        self.find("add").send_keys(Keys.ENTER)

    def kept(self):
        """`(text, labels)` of the lines of the file of corrections."""
        if not self.corrections.exists():
            return []
        lines = map(json.loads, self.corrections.read_text("utf-8").splitlines())
        return [(line["text"], line["labels"]) for line in lines]

    def error(self):
        """Waits for an error message and returns it."""
        self.wait(lambda: self.text_of("error"))
        return self.text_of("error")

    def sideways(self):
        """What does not fit in the width: pixels to scroll, and elements beyond."""
        return self.run(
            """const root = document.documentElement;
            const beyond = [...document.querySelectorAll("body *")].filter(
                (x) => x.checkVisibility() &&
                    x.getBoundingClientRect().right > root.clientWidth + 0.5);
            return [
                root.scrollWidth - root.clientWidth, beyond.map((x) => x.outerHTML)]"""
        )

    def wait(self, condition):
        WebDriverWait(self.browser, SECONDS, 0.02).until(lambda _: condition())

    def stays(self, condition, seconds=0.5):
        """Whether a condition holds for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not condition():
                return False
        return True
