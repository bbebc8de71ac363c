# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium without a screen, driven by its own driver."""

import base64

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"


class Browser:
    def __init__(self, folder, reports):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--hide-scrollbars", "--no-proxy-server", f"--user-data-dir={folder}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self._reports = reports
        self.base = ""

    def close(self):
        self._driver.quit()

    def look(self, scheme, width, height):
        """As on a screen of that size whose owner likes light or dark."""
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def open(self, path):
        self._driver.get(self.base + path)

    @property
    def path(self):
        """Where it is now."""
        return self._driver.current_url.removeprefix(self.base)

    def run(self, expression):
        return self._driver.execute_script(f"return {expression}")

    def find(self, css):
        return self._driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        found = self.find(css)
        assert len(found) == 1, f"{len(found)} elements are {css}"
        return found[0]

    def press(self, element):
        """Clicks on what leads to another page, and waits until it has."""
        page = self.one("html")
        element.click()
        WebDriverWait(self._driver, 20).until(staleness_of(page))

    def follow(self, text):
        self.press(self._driver.find_element(By.LINK_TEXT, text))

    def clusters(self):
        """The ids in the table, in order."""
        return [row.text for row in self.find("tbody th a")]

    def console(self):
        """What was written there since the last look."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def photograph(self, name):
        """The whole page, for people to look at."""
        size = self._driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        image = self._driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 3000), "scale": 1}})
        self._reports.mkdir(parents=True, exist_ok=True)
        (self._reports / f"{name}.png").write_bytes(base64.b64decode(image["data"]))
