"""The pages of a server that hangs in stopping say why, and what its person can do."""

import json

from playwright.sync_api import expect

from tests.support import browser as chrome

WHY = "It is not stopped yet: The container did not go in time. Tell your administrator."


def test_the_home_and_the_pending_page_say_why_it_is_still_stopping(berth):
    hub = berth({"spawner": "local", "local": {"command": "/bin/true"}})
    told = {"pending": "stop", "stopped": False, "berth": {"profile": None, "devices": [], "failure": None,
                                                           "stop_delayed": WHY}}

    def answer(route):
        """Of the hub, as if its reaper had been refused: no engine that can be had here hangs to order."""
        body = route.fetch().json()
        body["servers"] = {"": {**server, **told}} if told else {}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(body))

    hub.api("POST", "/users/ann")
    server = {"name": "", "display_name": None, "last_activity": None, "started": None, "ready": False, "url": "/user/ann/",
              "progress_url": "", "user_options": None}
    with chrome.chromium() as browser:
        page = browser.new_context(viewport=chrome.SIZE).new_page()
        page.route("**/hub/api/users/ann?*", answer)
        page.route("**/hub/api/users/ann", answer)
        page.route("**/hub/spawn-pending/ann", lambda route: route.fulfill(
            response=shell, body=shell.text().replace('"page":"home"', '"page":"spawn-pending"')))
        chrome.sign_in(page, hub.url, "ann", "pw", then="/hub/home")
        shell = page.request.get(hub.url + "/hub/home")
        expect(page.get_by_text(WHY)).to_be_visible()
        chrome.shoot(page, "stopping-home")
        page.goto(hub.url + "/hub/spawn-pending/ann")
        expect(page.get_by_role("heading")).to_have_text("Stopping your server")
        expect(page.get_by_text(WHY)).to_be_visible()
        expect(page.get_by_text("Try again")).to_have_count(0)
        chrome.shoot(page, "stopping-pending")
        told = None
        expect(page.get_by_text("The server is not running.")).to_be_visible()
