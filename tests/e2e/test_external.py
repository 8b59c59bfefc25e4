"""The GPU board draws who uses a GPU without Berth, as far as it may be known."""

from playwright.sync_api import expect

from tests.integration.test_external import CONFIG, external, gpus, outsider  # noqa: F401: fixtures
from tests.support import browser as chrome
from tests.support.person import wait_until


def test_the_board_shows_it(berth, gpus, outsider):  # noqa: F811
    gpus(a=[], b=[outsider.pid])
    hub = berth({**CONFIG, "spawner": "local", "local": {"command": "/bin/true"}})
    wait_until("it is seen", lambda: external(hub).get("GPU-b"), 30)
    with chrome.chromium() as browser:
        page = browser.new_context(viewport=chrome.SIZE).new_page()
        chrome.sign_in(page, hub.url, "admin", "pw")
        page.goto(hub.url + "/hub/admin#gpus")
        used = page.locator(".gpu", has_text="GPU-b")
        expect(used.locator(".slot-external")).to_contain_text(f"sleep, process {outsider.pid} of ")
        expect(used.locator(".gpu-head .pill")).to_have_text("Used outside Berth")
        expect(page.locator(".gpu", has_text="GPU-a").locator(".slot-external")).to_have_count(0)
        card, slot = used.bounding_box(), used.locator(".slot-external").bounding_box()
        assert slot["x"] + slot["width"] <= card["x"] + card["width"], "a long name stays inside"
        chrome.shoot(page, "external")
