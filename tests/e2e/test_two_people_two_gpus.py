"""The main job in Chromium: from the first administrator's link to the third user's turn."""

import re

import pytest

from tests.integration.test_gpus import lease_of
from tests.support import browser as chrome
from tests.support.person import wait_until

PASSWORD = "a good long password 7"
PRINT = "import os; print(os.environ['{variable}'])"


@pytest.fixture(scope="module")
def browser():
    with chrome.chromium() as one:
        yield one


@pytest.fixture
def stand_in():
    from tests.support import venvs
    library = venvs.ROOT / "build" / "release" / "stand-ins" / "libnvidia-ml.so.1"
    if not library.exists():
        pytest.skip("the stand-in NVML library is not built (target standin_nvml)")
    return {"arguments": ["--stand-in-gpus", "2"]}


def config():
    return {"authentication": {"method": "password", "admins": []}, "gpu": {"agent": True},
            "profiles": [{"name": "gpu", "display_name": "JupyterLab with a GPU", "gpus": 1,
                          "description": "One GPU that is yours while the server runs."},
                         {"name": "cpu", "display_name": "JupyterLab", "description": "Without a GPU."}]}


class Visitor:
    """A person at a browser of their own."""

    def __init__(self, browser, hub, name):
        self.hub, self.name = hub, name
        self.context = browser.new_context(viewport=chrome.SIZE)
        self.page = self.context.new_page()
        self.page.set_default_timeout(90_000)

    def accept_link(self, link, **fields):
        self.page.goto(link)
        for field, value in {**fields, "password": PASSWORD, "password_repeat": PASSWORD}.items():
            self.page.fill(f'input[name="{field}"]', value)
        self.page.click("#invite_submit")
        self.page.wait_for_url(lambda where: "/hub/" in where and where != link)
        if "/hub/login" in self.page.url:
            chrome.sign_in(self.page, self.hub.url, self.name, PASSWORD)

    def start(self, profile="gpu"):
        self.page.goto(self.hub.url + "/hub/home")
        self.page.click("#start")
        self.page.check(f'input[name="profile"][value="{profile}"]')
        self.page.click('#spawn_form button[type="submit"]')

    def stop(self):
        self.page.goto(self.hub.url + "/hub/home")
        self.page.click("#stop")
        self.page.wait_for_selector("#start")

    def cell(self, variable):
        chrome.wait_launcher(self.page)
        return chrome.run_cell(self.page, PRINT.format(variable=variable))


def invitations(admin, names):
    """The administrator adds people on the admin page and takes an invitation link for each."""
    page = admin.page
    page.goto(admin.hub.url + "/hub/admin")
    page.get_by_role("button", name="Add users").click()
    page.fill("#new-users", "\n".join(names))
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Add .*user")).click()
    page.wait_for_selector("text=Invitation", state="detached")
    links = {}
    for name in names:
        page.get_by_role("button", name=f"Actions for {name}").click()
        page.get_by_role("menuitem", name=re.compile("^Invitation")).click()
        links[name] = page.get_by_label("Invitation link", exact=True).inner_text().strip()
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
    return links


def the_main_job(hub, browser, variable, shots):
    # The first administrator's link stands in the output of the start.
    found = wait_until("the first administrator's link is printed", lambda: re.search(
        rf"{re.escape(hub.url)}/\S*(?:first|setup|invite|welcome)\S*", hub.log()), 20)
    admin = Visitor(browser, hub, "root")
    admin.page.goto(hub.url)
    chrome.shoot(admin.page, f"{shots}-sign-in")
    admin.accept_link(found[0], username="root")
    links = invitations(admin, ["ann", "bob", "eve"])
    chrome.shoot(admin.page, f"{shots}-admin-users")

    ann, bob, eve = (Visitor(browser, hub, name) for name in ("ann", "bob", "eve"))
    for person in (ann, bob, eve):
        person.accept_link(links[person.name])
    assert "simulated" in ann.page.inner_text("body").lower(), "every page says that the GPUs are simulated"

    ann.page.goto(hub.url + "/hub/spawn")
    ann.page.wait_for_selector('input[name="profile"]')
    chrome.shoot(ann.page, f"{shots}-start")
    ann.start()
    ann.page.wait_for_selector(".steps li")
    chrome.shoot(ann.page, f"{shots}-pending")
    of_ann = ann.cell(variable)
    chrome.shoot(ann.page, f"{shots}-lab")
    bob.start()
    of_bob = bob.cell(variable)
    assert [of_ann] == lease_of(hub, "ann") and [of_bob] == lease_of(hub, "bob")
    assert of_ann != of_bob and of_ann.startswith("GPU-")

    # The third is told on the form that she would wait, and refused with the reason when she does not want to.
    eve.page.goto(hub.url + "/hub/spawn")
    eve.page.wait_for_selector('input[name="profile"][value="gpu"]')
    reason = eve.page.locator(".profile-why").first.inner_text()
    assert "GPU" in reason and "number 1 in the queue" in reason, reason
    chrome.shoot(eve.page, f"{shots}-would-wait")
    refused = eve.page.evaluate("""async () => {
        const data = JSON.parse(document.getElementById('berth-data').textContent);
        const answer = await fetch(data.hub + 'api/users/eve/server', {method: 'POST', body: '{"profile": "gpu", "wait": false}',
            headers: {'Content-Type': 'application/json', 'X-Xsrftoken': data.xsrf}});
        return [answer.status, (await answer.json()).message];
    }""")
    assert 400 <= refused[0] < 500 and "GPU" in refused[1], refused
    assert lease_of(hub, "eve") == []

    # She waits with her page closed, and has her server when ann is done.
    eve.start()
    eve.page.wait_for_selector("text=position 1 of 1")
    chrome.shoot(eve.page, f"{shots}-waiting")
    eve.page.goto("about:blank")
    admin.page.goto(hub.url + "/hub/admin#gpus")
    admin.page.wait_for_selector("text=Waiting for a GPU")
    chrome.shoot(admin.page, f"{shots}-gpus")
    ann.stop()
    wait_until("eve has the GPU", lambda: lease_of(hub, "eve") == [of_ann], 60)
    eve.page.goto(hub.url + "/hub/spawn-pending/eve")
    assert eve.cell(variable) == of_ann
    assert lease_of(hub, "eve") == [of_ann]

    bob.page.goto(hub.url + "/hub/home")
    bob.page.wait_for_selector("#stop")
    chrome.shoot(bob.page, f"{shots}-home")
    bob.page.click("#logout")
    bob.page.wait_for_load_state()
    bob.page.goto(hub.url + "/user/bob/lab")
    bob.page.wait_for_url(re.compile("/hub/login"))


@pytest.mark.timeout(900)
def test_with_docker(docker_berth, browser, stand_in):
    the_main_job(docker_berth(config(), **stand_in), browser, "NVIDIA_VISIBLE_DEVICES", "docker")


@pytest.mark.timeout(900)
def test_with_local_processes(local_berth, browser, stand_in):
    the_main_job(local_berth(config(), **stand_in), browser, "CUDA_VISIBLE_DEVICES", "local")


def test_pages_on_a_phone_and_in_the_dark(local_berth, browser):
    # Two profiles: with one alone the spawn page starts it and leads away from whatever the test looks at next.
    hub = local_berth({"profiles": config()["profiles"]})
    for name, options in {"phone": {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True},
                          "dark": {"viewport": chrome.SIZE, "color_scheme": "dark"}}.items():
        context = browser.new_context(**options)
        page = context.new_page()
        page.set_default_timeout(90_000)
        wrong = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        foreign = []
        page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(
            (hub.url, "data:", "blob:")) else None)
        chrome.sign_in(page, hub.url, "admin", "pw")
        for path in ("home", "spawn", "token", "admin"):
            page.goto(f"{hub.url}/hub/{path}")
            page.wait_for_load_state("networkidle") if path == "token" else page.wait_for_selector("h1")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} on a {name} scrolls"
            chrome.shoot(page, f"{name}-{path}")
        assert not wrong, wrong
        assert not foreign, foreign
        context.close()
