"""People see that their server is about to be stopped, where they are: in an unmodified JupyterLab, and on the home page."""

import pytest

from tests.integration.test_culling import berth_of, gone, limits
from tests.support import browser as chrome
from tests.support.person import wait_until


@pytest.fixture(scope="module")
def browser():
    with chrome.chromium() as one:
        yield one


@pytest.fixture
def visit(browser):
    contexts = []

    def make(**more):
        contexts.append(browser.new_context(**{"viewport": chrome.SIZE, **more}))
        page = contexts[-1].new_page()
        page.set_default_timeout(90_000)
        return page
    yield make
    for context in contexts:
        context.close()


def seen_and_held_off_in_lab(hub, page, shot):
    ann = hub.person("ann").signed_in()
    ann.started()
    wait_until("ann is warned", lambda: berth_of(hub, "ann").get("ending"), 30)
    chrome.sign_in(page, hub.url, "ann", "pw", then="/user/ann/lab")
    chrome.wait_launcher(page)
    warning = page.locator(".Toastify__toast", has_text="This server stops in")
    warning.wait_for()
    assert "nothing has been done in it" in warning.inner_text()
    chrome.shoot(page, shot)
    warning.get_by_role("button", name="Keep running").click()
    page.locator(".Toastify__toast", has_text="The server goes on for at least 30 s").wait_for()
    warning.wait_for(state="detached")
    assert "ending" not in berth_of(hub, "ann")
    # The next one comes while Lab is open, and nobody reloads anything.
    wait_until("ann is warned again", lambda: berth_of(hub, "ann").get("ending"), 90)
    warning.wait_for()
    assert not gone(hub, "ann")


# Only kernels count: a page that is looked at by this test must not be work.
FOR_LAB = limits(idle="1s", warning="120s", extension="30s", max_extensions=2, count_open_pages=False)


def test_in_jupyterlab_in_a_container(docker_berth, visit):
    seen_and_held_off_in_lab(docker_berth(FOR_LAB), visit(), "cull-lab")


def test_in_jupyterlab_as_a_local_process(local_berth, visit):
    seen_and_held_off_in_lab(local_berth(FOR_LAB), visit(), "cull-lab-local")


def test_no_extension_is_added_where_nothing_ends(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()
    ann.started()
    assert "berth-notice" not in ann.open_lab().text


@pytest.mark.parametrize("look", [
    {}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 2}],
    ids=["light", "dark", "phone"])
def test_on_the_home_page(local_berth, visit, request, look):
    hub = local_berth(limits(idle="1s", warning="300s", extension="1h", max_extensions=1))
    ann = hub.person("ann").signed_in()
    ann.started()
    page = visit(**look)
    chrome.sign_in(page, hub.url, "ann", "pw", then="/hub/home")
    banner = page.locator(".note-warning", has_text="Stops in")
    banner.wait_for()
    assert "You can keep it running 1 time more" in banner.inner_text()
    box = banner.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"], "it fits the screen"
    chrome.shoot(page, f"cull-home-{request.node.callspec.id}")
    page.get_by_role("button", name="Keep Default server running").click()
    banner.wait_for(state="detached")
    page.locator("text=The server goes on for at least 60 min").wait_for()
    assert "ending" not in berth_of(hub, "ann")


def test_afterwards_the_home_page_says_why(local_berth, visit):
    hub = local_berth(limits(max_age="3s"))
    ann = hub.person("ann").signed_in()
    assert ann.start().status_code in (201, 202)
    wait_until("the server is stopped", lambda: "stopped_because" in berth_of(hub, "ann"), 60)
    page = visit()
    chrome.sign_in(page, hub.url, "ann", "pw", then="/hub/home")
    page.locator(".note-info", has_text="Stopped because it had run for 3 s").wait_for()
    page.goto(hub.url + "/user/ann/lab")
    page.locator("#stopped-because", has_text="Stopped because it had run for 3 s").wait_for()
