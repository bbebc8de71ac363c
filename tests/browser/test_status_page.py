# SPDX-License-Identifier: Apache-2.0
"""The status page as people see it, and as hostile names would have it seen."""

import pytest

from world import PLAIN

LOOKS = {"light": ("light", 1280, 900), "dark": ("dark", 1280, 900),
         "phone": ("light", 390, 844), "phone-dark": ("dark", 390, 844)}
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(13, 17, 23)"


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("page, path", [("status", "/status"), ("cluster", "/status?cluster=evil")])
def test_fits_the_screen_in_the_colours_asked_for(browser, look, page, path):
    scheme, width, height = LOOKS[look]
    browser.look(scheme, width, height)
    browser.open(path)
    browser.photograph(f"{page}-{look}")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == (LIGHT if scheme == "light" else DARK)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_problems_are_seen_first(browser):
    browser.open("/status")
    assert "held" in browser.one("#summary").text
    assert browser.clusters()[:2] == ["payments", "never-healthy"]
    assert set(browser.clusters()[2:5]) == {"billing", "evil", "stock"}
    assert "no registered instance is healthy" in browser.find("tbody tr")[0].text


def test_search_finds_ids_and_addresses(browser):
    browser.open("/status")
    browser.one("input[name=q]").send_keys("ORDERS-11")
    browser.press(browser.one("form button"))
    assert browser.clusters() == [f"orders-11{digit}" for digit in range(10)]
    assert browser.one("input[name=q]").get_attribute("value") == "ORDERS-11"
    browser.one("input[name=q]").clear()
    browser.one("input[name=q]").send_keys("10.200.0.1")
    browser.press(browser.one("form button"))
    assert browser.clusters() == ["pinned"]


def test_a_state_can_be_chosen(browser):
    browser.open("/status")
    browser.one("option[value=held]").click()
    browser.press(browser.one("form button"))
    assert browser.clusters() == ["payments"]


def test_pages_have_all_clusters_once(browser):
    browser.open("/status")
    seen = browser.clusters()
    while browser.find("nav a:last-child") and browser.find("nav a")[-1].text == "next":
        browser.follow("next")
        seen += browser.clusters()
    assert len(seen) == len(set(seen)) == PLAIN + 6
    browser.follow("previous")
    assert "page 2 of 3" in browser.one("nav").text


def test_a_cluster_says_of_each_instance_why(browser):
    browser.open("/status?q=billing")
    browser.follow("billing")
    assert browser.path == "/status?cluster=billing"
    assert "cluster stock claims the address, too" in browser.one("main").text
    browser.follow("As text")
    assert browser.path == "/explain/billing"
    assert "cluster stock claims the address, too" in browser.one("body").text


@pytest.mark.parametrize("path", ["/status", "/status?cluster=evil", "/explain/evil", "/status.json?cluster=evil",
                                  "/explain/%3Cimg%20src=x%20onerror=hacked=1%3E",
                                  "/status?q=%22%3E%3Cscript%3Ehacked=1%3C/script%3E",
                                  "/status?cluster=%3Cimg%20src=x%20onerror=hacked=1%3E"])
def test_no_name_becomes_markup(browser, path):
    browser.open(path)
    assert browser.run("typeof window.hacked") == "undefined"
    assert browser.find("script, img, svg, iframe, object, embed, base, b, [onload], [onerror]") == []
    if path.startswith("/explain/%"):  # that is answered 404, which a browser tells its console
        assert all("404" in line for line in browser.console())


def test_names_are_shown_as_they_are(browser):
    browser.open("/status?cluster=evil")
    assert "<script>hacked=1</script><img src=x onerror=hacked=1><b>&amp;\\x1b[2J\\u{202e}" in browser.one("main").text
    assert "<svg onload=hacked=1>" in browser.one("main").text


def test_the_config_is_shown_without_secrets(browser):
    browser.open("/status")
    browser.one("summary").click()
    assert "leave_delay" in browser.one("pre").text
    assert "very-secret-token" not in browser.run("document.documentElement.outerHTML")


def test_headings_tables_and_fields_have_names(browser):
    """What screen readers go by."""
    browser.open("/status?cluster=evil")
    assert browser.run("document.documentElement.lang") == "en"
    assert [heading.tag_name for heading in browser.find("h1, h2")][0] == "h1"
    assert browser.find("th:not([scope])") == []
    browser.open("/status")
    assert browser.find("label input, label select") and not browser.find("form > input, form > select")


CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = (color) => {
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => { while (getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement;
                          return getComputedStyle(e).backgroundColor; };
  const bad = new Set();
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.add(e.tagName + '.' + e.className);
  }
  return [...bad];
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out(browser, scheme):
    """A contrast of 4.5 (WCAG 2, AA)."""
    browser.look(scheme, 1280, 900)
    for path in ("/status", "/status?cluster=evil"):
        browser.open(path)
        assert browser.run(CONTRAST) == []
