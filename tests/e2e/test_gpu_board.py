"""The GPU board in Chromium: a day of two GPUs, live, on a phone, in the dark, by keyboard, and for who may not see names."""

import math
import re
import sqlite3
import time

import pytest
import requests

from tests.integration.test_gpu_board import CONFIG, driver  # noqa: F401  (a fixture)
from tests.support import browser as chrome
from tests.support.person import wait_until

STEP = 300_000_000  # of the rows, in microseconds
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@pytest.fixture(scope="module")
def browser():
    with chrome.chromium() as one:
        yield one


def a_day_before(hub):
    """Writes 24 hours into the database of a hub that is stopped: what its devices did, and who held one of them."""
    now = int(time.time() * 1e6) // STEP * STEP
    database = sqlite3.connect(hub.folder / "state" / "berth.sqlite")
    plan = {"GPU-a": [(288, "free"), (200, "busy"), (120, "idle"), (90, "free")],
            "GPU-b": [(288, "busy"), (230, "free"), (150, "external"), (80, "free"), (40, "sick"), (20, "free")]}
    for uuid, parts in plan.items():
        for at in range(288, 0, -1):
            state = [name for begin, name in parts if begin >= at][-1]
            load = {"busy": 0.85 + 0.1 * math.sin(at), "external": 0.4, "idle": 0.0}.get(state, 0.0)
            row = (uuid, now - at * STEP, now - (at - 1) * STEP, state, load, int((load + 0.05) * 9e8))
            database.execute("insert or replace into gpu_samples values (?, ?, ?, ?, ?, ?)", row)
    [ann] = database.execute("select id from users where name = 'ann'").fetchone()
    database.execute("insert into usage_intervals (id, lease_id, device_uuid, user_id, share, begin_at, end_at, end_reason, "
                     "used_seconds, joules) values (1000001, 1000002, 'GPU-a', ?, 1, ?, ?, 'stopped', 20000, 6e6)",
                     (ann, now - 200 * STEP, now - 90 * STEP))
    database.commit()
    database.close()


def opened(browser, hub, name, path, wrong, **options):
    context = browser.new_context(**{"viewport": chrome.SIZE, **options})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    chrome.sign_in(page, hub.url, name, "pw", then="/hub/home")
    page.goto(f"{hub.url}/hub/{path}")
    page.wait_for_selector(".board .strip")
    page.wait_for_selector(".board canvas")
    return page


def by_keyboard(page):
    """Everything that a pointer shows can be reached and opened by keys."""
    page.locator(".day-list summary").first.focus()
    page.keyboard.press("Enter")
    words = page.locator(".day-list[open]").first
    assert "Busy" in words.inner_text() and "Held by ann" in words.inner_text()
    page.locator('input[name="usage-by"]').first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".usage th:has-text('Group')")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".usage th:has-text('Person')")


@pytest.mark.timeout(600)
def test_the_board(local_berth, browser, driver):  # noqa: F811
    driver(a="utilisation 0", b="utilisation 0")
    hub = local_berth(CONFIG)
    ann, bob = hub.person("ann").signed_in(), hub.person("bob").signed_in()
    hub.stop()
    a_day_before(hub)
    hub.start()
    wait_until("the GPUs are seen", lambda: len(hub.api("GET", "/berth/gpus").json()["devices"]) == 2, 30)

    wrong = []
    page = opened(browser, hub, "admin", "admin#gpus", wrong)
    strip = page.locator(".strip").first.get_attribute("aria-label")
    assert re.search(r"Busy \d+ h \d+ min \(\d+ %\), ", strip) and "Idle" in strip, strip
    assert page.locator(".strip .use-external").count() and page.locator(".strip .use-sick").count()
    assert [each.strip() for each in page.locator(".legend li").all_inner_texts()][:2] == ["Busy", "Idle"]
    assert "on average" in page.locator(".plot [role=img]").first.get_attribute("aria-label")
    first = page.locator(".usage tbody tr").first.inner_text()
    assert first.startswith("ann") and "3.6 h" in first and "9.2 h" in first, first
    by_keyboard(page)

    # Live: nothing is asked again, and yet the lease is there at once.
    page.wait_for_selector("[data-live=true]")
    ann.started({"profile": "gpu"})
    driver(a="utilisation 91\nused_mib 700\npower_mw 410000", b="utilisation 0")
    page.wait_for_selector(".slot:has-text('ann')", timeout=5000)
    page.wait_for_selector(".gauge:has-text('91 %')", timeout=10_000)
    hub.api("PUT", "/berth/gpus/GPU-b/cordon")
    hub.api("POST", "/users/eve", json={})
    assert hub.api("POST", "/users/eve/server", json={"profile": "gpu"}).status_code == 202
    page.wait_for_selector("tr:has-text('eve')", timeout=5000)
    chrome.shoot(page, "board")
    page.screenshot(path=str(chrome.SCREENSHOTS / "board-whole.png"), full_page=True)

    dark = opened(browser, hub, "admin", "gpus", wrong, color_scheme="dark")
    chrome.shoot(dark, "board-dark")
    phone = opened(browser, hub, "admin", "gpus", wrong, **PHONE)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
    chrome.shoot(phone, "board-phone")

    # Bob sees the same devices, and no names; Ann sees what is hers.
    others = opened(browser, hub, "bob", "gpus", wrong)
    others.wait_for_selector(".slot:has-text('Somebody else')")
    assert "ann" not in others.locator("main").inner_text().split()
    days = others.locator(".week-days span")
    assert days.count() == 7 and all(each.bounding_box()["width"] > 100 for each in days.all())
    assert others.locator("text=Nothing is reserved this week").bounding_box()["width"] > 100
    others.click("text=make an address to subscribe to")
    address = others.locator("[aria-label='Calendar address']").inner_text()
    assert requests.get(address, timeout=10).text.startswith("BEGIN:VCALENDAR"), address
    chrome.shoot(others, "calendar-address")
    own = browser.new_context(viewport=chrome.SIZE).new_page()
    chrome.sign_in(own, hub.url, "ann", "pw", then="/hub/home")
    own.goto(hub.url + "/hub/home")
    panel = own.locator("section:has(#my-gpus)")
    panel.wait_for()
    assert "91 %" in panel.inner_text() and "Yours alone" in panel.inner_text(), panel.inner_text()
    chrome.shoot(own, "my-gpu")
    assert bob and not wrong, wrong
