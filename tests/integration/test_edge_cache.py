"""Lab's files from the image in the server's place: who gets them, who does not, and that no container can put any."""

import os
import pathlib
import subprocess

import requests

from tests.support.person import wait_until

BR = {"Accept-Encoding": "br"}


def edge_folder(hub):
    """Once the files of the image are there."""
    folder = hub.folder / "state" / "edge"
    return wait_until("the image has been read", lambda: next(folder.glob("[0-9a-f]*/index.json"), None), 120).parent


def main_script(person):
    page = person.open_lab()
    at = page.text.index(f"/user/{person.name}/static/lab/main.")
    return page.text[at:page.text.index('"', at)]


def container_of(hub, name):
    return subprocess.run(["docker", "ps", "-q", "--filter", f"name={hub.mark}-{name}"], capture_output=True,
                          text=True, check=True).stdout.strip()


def break_file(hub, name, path):
    """Changes the file inside the user's running container, as root could who owns it."""
    inside = f"/opt/notebook/share/jupyter/lab/static/{path.split('?')[0].rsplit('/', 1)[1]}"
    subprocess.run(["docker", "exec", "-u", "0", container_of(hub, name), "sh", "-c", f"echo 'evil()' > {inside}"],
                   check=True)


def ready(docker_berth, *names):
    hub = docker_berth({"cull": {"notice_in_lab": False}})
    folder = edge_folder(hub)
    people = [hub.person(name).signed_in() for name in names]
    for person in people:
        person.started()
    return hub, folder, people


def from_server(answer):
    return "TornadoServer" in answer.headers.get("Server", "")


def test_what_one_container_holds_never_reaches_another(docker_berth):
    hub, _, (ann, bob) = ready(docker_berth, "ann", "bob")
    path = main_script(ann)
    break_file(hub, "ann", path)
    own = ann.get(path, headers={"Accept-Encoding": "identity"})
    assert from_server(own) and own.text == "evil()\n", "without the cache ann sees what she did"
    cached = ann.get(path, headers={"Accept-Encoding": "gzip"})
    assert not from_server(cached) and "evil()" not in cached.text[:20], "and the image's file with it"
    main_script(bob)  # signs in
    for coding in ("gzip", "identity"):
        his = bob.get(path.replace("/ann/", "/bob/"), headers={"Accept-Encoding": coding})
        assert his.status_code == 200 and "evil()" not in his.text[:20] and len(his.content) > 10_000
        assert from_server(his) == (coding == "identity")


def test_answers_are_the_servers_own(docker_berth):
    hub, folder, (ann,) = ready(docker_berth, "ann")
    path = main_script(ann)
    for suffix in (path, path.split("?")[0]):
        served = ann.get(suffix, headers={"Accept-Encoding": "identity"})
        cached = ann.get(suffix, headers={"Accept-Encoding": "gzip"})
        assert from_server(served) and not from_server(cached)
        assert served.content == cached.content
        assert served.headers["Cache-Control"] == cached.headers["Cache-Control"]
        assert cached.headers["Vary"] == "Accept-Encoding"
    again = ann.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": cached.headers["ETag"]})
    assert again.status_code == 304
    part = ann.get(path, headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert part.status_code == 206 and from_server(part)
    missing = ann.get("/user/ann/static/lab/0123456789abcdef.js", headers=BR)
    assert missing.status_code == 404 and from_server(missing)
    assert "berth-edge" in {cookie.name for cookie in ann.session.cookies}
    assert not list(folder.glob("*.tar"))
    hub.kill9()
    hub.start()
    assert not from_server(ann.get(path, headers={"Accept-Encoding": "gzip"})), "also when the hub has restarted"


def test_without_a_pass_the_server_is_asked(docker_berth):
    hub, _, (ann, bob) = ready(docker_berth, "ann", "bob")
    path = main_script(ann)
    gzip = {"Accept-Encoding": "gzip"}
    assert from_server(requests.get(hub.url + path, headers=gzip, timeout=20))
    main_script(bob)
    passes = [c.value for c in bob.session.cookies if c.name == "berth-edge"]
    assert passes
    for value in (passes[0], "1.x", passes[0].replace(".", ".x", 1)):
        answer = requests.get(hub.url + path, headers={**gzip, "Cookie": f"berth-edge={value}"}, timeout=20)
        assert from_server(answer), "a pass for bob's server is none for ann's"
    token = ann.hub_api("POST", "/users/ann/tokens", json={}).json()["token"]
    answer = ann.get(path, headers={**gzip, "Authorization": f"token {token}"})
    assert from_server(answer), "what a token may have is the server's to say"


def test_the_pass_stays_between_browser_and_proxy(docker_berth):
    hub, _, (ann,) = ready(docker_berth, "ann")
    main_script(ann)
    assert ann.cookie("berth-edge", "/user/ann/lab")
    log = hub.api("GET", "/users/ann/server/log")
    assert "berth-edge" not in log.text
    ann.logout()
    assert not ann.cookie("berth-edge", "/user/ann/lab")


def test_files_are_there_while_the_container_boots(docker_berth):
    hub = docker_berth({"profiles": [{"name": "slow", "display_name": "slow", "command":
                                      ["sh", "-c", "sleep 16; exec jupyterhub-singleuser"]}]})
    folder = edge_folder(hub)
    ann = hub.person("ann").signed_in()
    assert ann.start({"profile": "slow"}).status_code == 202, "it takes longer than the API waits"
    page = ann.get("/hub/spawn-pending/ann")
    start = page.text.index('"prefetch":[') + len('"prefetch":[')
    urls = [url.strip('"') for url in page.text[start:page.text.index("]", start)].split(",")]
    assert urls and "/static/lab/main." in urls[0], urls
    for url in urls:
        answer = ann.get(url, headers={"Accept-Encoding": "gzip", "Sec-Purpose": "prefetch"})
        assert answer.status_code == 200 and not from_server(answer) and answer.headers["ETag"], url
    other = ann.get("/user/ann/api/status")
    assert other.status_code in (424, 503) or "hub" in other.url
    stranger = requests.get(hub.url + urls[0], headers={"Accept-Encoding": "gzip"}, timeout=20)
    assert "ETag" not in stranger.headers or "javascript" not in stranger.headers.get("Content-Type", "")
    ann.wait_ready()
    ann.open_lab()
    assert pathlib.Path(folder).exists()


def test_a_failed_start_leaves_no_route(docker_berth):
    hub = docker_berth({"profiles": [{"name": "dies", "display_name": "dies", "command": ["sh", "-c", "sleep 2; exit 3"]}]})
    edge_folder(hub)
    ann = hub.person("ann").signed_in()
    ann.start({"profile": "dies"})
    assert ann.progress()[-1].get("failed")
    wait_until("the route is gone", lambda: "/user/ann/" not in hub.api("GET", "/proxy").json(), 30)


def test_switched_off(docker_berth):
    hub = docker_berth({"edge_cache": {"enabled": False}})
    ann = hub.person("ann").signed_in()
    ann.started()
    assert from_server(ann.get(main_script(ann), headers={"Accept-Encoding": "gzip"}))
    assert not os.path.exists(hub.folder / "state" / "edge")


def test_local_servers_have_no_image(local_berth):
    hub = local_berth()
    ann = hub.person("ann").signed_in()
    ann.started()
    assert from_server(ann.get(main_script(ann), headers={"Accept-Encoding": "gzip"}))
    assert not [c for c in ann.session.cookies if c.name == "berth-edge"]
