"""The incidents of JupyterHub and its spawners, one test each (docs/security.md says which guard each one holds)."""

import pathlib
import shutil
import tempfile
import time

import pytest
import requests

from tests.support import hub as hubs
from tests.support.person import NAVIGATE

USER_ADMIN, NAMESAKE = "user-admin-0123456789", "namesake-0123456789ab"


@pytest.fixture(scope="module")
def hub():
    """No notebook ever starts here: what is asked is who may."""
    if not pathlib.Path(hubs.berth_binary()).exists():
        pytest.skip(f"{hubs.berth_binary()} is not built (./run --build)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-t-"))
    one = hubs.Berth(folder / "hub", {
        "spawner": "local", "local": {"command": "/bin/false"},
        "authentication": {"admins": ["Admin", "chief"], "blocked_users": ["Mallory"], "tries_before_delay": 1000,
                           "token_max_age": "30d"},
        "groups": {"ml": ["ann", "chief", "tom"]},
        "roles": [{"name": "assistant", "users": ["tom"],
                   "scopes": ["admin:users!group=ml", "tokens!group=ml", "admin:servers!group=ml", "list:users!group=ml"]}],
        "services": [{"name": "ops", "api_token": hubs.OPS_TOKEN, "scopes": hubs.BERTH_SCOPES},
                     {"name": "user-admin", "api_token": USER_ADMIN, "scopes": ["admin:users", "tokens"]},
                     {"name": "ann", "api_token": NAMESAKE, "scopes": ["tokens!service=ann"]}]})
    one.start()
    for name in ("ann", "bob", "chief", "tom", "admin"):
        one.person(name).signed_in()
    yield one
    one.clean_up()
    shutil.rmtree(folder, ignore_errors=True)


def token_of(person, **wanted):
    answer = person.hub_api("POST", f"/users/{person.name}/tokens", json=wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def servers_of(hub, name):
    return hub.api("GET", f"/users/{name}").json()["servers"]


def with_cookies(hub, cookies, path="/hub/home"):
    return requests.get(hub.url + path, cookies=cookies, headers=NAVIGATE, allow_redirects=False, timeout=20)


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example",
                                   "https:evil.example", "///evil.example/%2f..", "javascript:alert(1)", "\t//evil.example"])
def test_cve_2019_10255_next_leads_elsewhere(hub, where):
    answer = hub.person("ann").login(where)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/")
    assert not answer.headers["Location"].startswith(("//", "/\\")), answer.headers["Location"]


@pytest.mark.parametrize("tail", ["//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example"])
def test_cve_2026_33709_next_with_our_own_host_leads_elsewhere(hub, tail):
    where = hub.person("ann").login(hub.url + tail).headers["Location"]
    assert where.startswith("/") and not where.startswith(("//", "/\\")), where


def test_ghsa_cw7p_signed_out_cookies_come_back(hub):
    ann = hub.person("ann").signed_in()
    cookies = {c.name: c.value for c in ann.session.cookies}
    token = token_of(ann)
    assert with_cookies(hub, cookies).status_code == 200
    ann.logout()
    again = with_cookies(hub, cookies)
    assert again.status_code == 302 and "/hub/login" in again.headers["Location"]
    before = cookies["jupyterhub-session-id"]
    ann.login()
    assert ann.cookie("jupyterhub-session-id", "/") != before, "a new sign-in is a new session"
    assert hub.api("GET", "/user", token).status_code == 200, "what is no browser's stays"


def test_cve_2024_28233_tossed_xsrf_cookie(hub):
    ann, other = hub.person("ann").signed_in(), hub.person("ann").signed_in()
    made_up = "0123456789abcdef"
    for tossed in (made_up, other.cookie("_xsrf", "/hub/")):
        theirs = {c.name: c.value for c in ann.session.cookies if c.name != "_xsrf"} | {"_xsrf": tossed}
        answer = requests.post(f"{hub.url}/hub/api/users/ann/tokens", json={}, cookies=theirs, timeout=20,
                               headers={"X-XSRFToken": tossed, "Sec-Fetch-Mode": "cors", "Origin": hub.url})
        assert answer.status_code == 403, answer.text
    assert "frame-ancestors 'none'" in ann.get("/hub/home").headers["Content-Security-Policy"]


def test_cve_2024_41942_who_administers_users_makes_administrators(hub):
    made = hub.api("POST", "/users", USER_ADMIN, json={"usernames": ["made"], "admin": True})
    assert made.status_code == 403, made.text
    assert hub.api("PATCH", "/users/bob", USER_ADMIN, json={"admin": True}).status_code == 403
    assert hub.api("POST", "/users/chief/tokens", USER_ADMIN, json={}).status_code == 403
    assert hub.api("GET", "/users/bob").json()["admin"] is False
    assert hub.api("POST", "/users", USER_ADMIN, json={"usernames": ["plain"]}).status_code == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_cve_2026_40864_no_cors_starts_a_server(hub, site):
    ann = hub.person("ann").signed_in()
    headers = {**NAVIGATE, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": site, "Origin": "https://evil.example"}
    for path in ("/hub/spawn", "/hub/spawn/ann", "/hub/api/users/ann/server", "/hub/api/users/ann/tokens"):
        answer = ann.session.post(hub.url + path, data={"profile": "cpu"}, headers=headers, allow_redirects=False, timeout=20)
        assert answer.status_code in (400, 403), (path, answer.status_code)
    assert servers_of(hub, "ann") == {}


def test_cve_2026_54338_endless_names_in_the_log(hub):
    hub.person("x" * 500_000).login()
    hub.person("y\n" * 1000).login()
    hub.api("GET", "/users/" + "z" * 10_000)
    assert max(len(line) for line in hub.log().splitlines()) < 14_000
    assert "x" * 1000 not in hub.log() and "\ny\n" not in hub.log()


def test_ghsa_c4gm_filtered_scopes_open_unfiltered_doors(hub):
    tom = hub.person("tom").signed_in()
    token = token_of(tom)
    listed = hub.api("GET", "/users", token)
    assert {u["name"] for u in listed.json()} <= {"ann", "chief", "tom"}
    for method, path, body in (("POST", "/users", {"usernames": ["new"]}), ("POST", "/users/new", None),
                               ("GET", "/groups/other", None), ("POST", "/users/bob/server", {}), ("GET", "/proxy", None),
                               ("DELETE", "/users/bob", None), ("POST", "/users/bob/tokens", {})):
        assert hub.api(method, path, token, json=body).status_code in (403, 404), (method, path)
    assert hub.api("GET", "/users/bob").status_code == 200 and hub.api("GET", "/users/new").status_code == 404


def test_ghsa_69wv_filtered_administrators_reach_an_administrator(hub):
    token = token_of(hub.person("tom").signed_in())
    for method, path, body in (("POST", "/users/chief/tokens", {}), ("PATCH", "/users/chief", {"admin": False}),
                               ("PATCH", "/users/tom", {"admin": True}),
                               ("PATCH", "/users/ann", {"admin": True})):
        assert hub.api(method, path, token, json=body).status_code in (403, 404), (method, path)
    chief = hub.api("GET", "/users/chief").json()
    assert chief["admin"] is True and hub.api("GET", "/users/ann").json()["admin"] is False


def test_share_after_rename_rights_do_not_stay_with_the_name(hub):
    hub.person("old").signed_in()
    admin = hub.person("admin").signed_in()
    token = token_of(hub.person("old").signed_in(), scopes=["access:servers!user=old", "read:users!user=old"])
    assert hub.api("GET", "/users/old", token).status_code == 200
    assert admin.hub_api("PATCH", "/users/old", json={"name": "moved"}).status_code == 200
    hub.person("old").signed_in()
    assert hub.api("GET", "/users/old", token).status_code in (403, 404), "that is somebody else now"
    assert hub.api("DELETE", "/users/old", token).status_code in (403, 404)


@pytest.mark.parametrize("name", [".", "..", "%2e", "%2e%2e", "%2E.", "a/b", "", " ", "a\x00b", "ann\n"])
def test_names_reach_other_paths(hub, name):
    assert hub.api("POST", "/users", json={"usernames": [name]}).status_code in (400, 409, 201)
    known = [u["name"] for u in hub.api("GET", "/users").json()]
    assert not {".", "..", "%2e", "%2e%2e", "%2e.", "a/b", "", " ", "a\x00b", "ann\n"} & set(known), known
    admin = hub.person("admin").signed_in()
    assert admin.hub_api("PATCH", "/users/bob", json={"name": name}).status_code in (400, 409)
    assert hub.api("GET", "/users/bob").status_code == 200


def test_tokens_that_are_endless(hub):
    begin = time.monotonic()
    for size in (10_000, 60_000):
        assert hub.api("GET", "/user", "a" * size).status_code in (400, 403, 431)
    assert time.monotonic() - begin < 10
    ann = hub.person("ann").signed_in()
    for life, want in ((0, 400), (-1, 400), (31 * 86400, 400), (30 * 86400, 201)):
        answer = ann.hub_api("POST", "/users/ann/tokens", json={"expires_in": life})
        assert answer.status_code == want, (life, answer.text)
    for asked in ({}, {"expires_in": None}):
        assert ann.hub_api("POST", "/users/ann/tokens", json=asked).json()["expires_at"] is not None


def test_tokens_of_a_service_match_a_user_of_that_name(hub):
    assert hub.api("POST", "/users/ann/tokens", NAMESAKE, json={}).status_code in (403, 404)
    assert hub.api("GET", "/users/ann/tokens", NAMESAKE).status_code in (403, 404)


def test_logins_are_compared_before_they_are_normalised(hub):
    for typed in ("ADMIN", "Admin", " admin "):
        who = hub.person(typed).signed_in()
        assert who.hub_api("GET", "/user").json()["name"] == "admin"
    for typed in ("mallory", "MALLORY", " Mallory"):  # oauthenticator: GHSA-gprj, GHSA-55m3, CVE-2018-7206, …
        assert hub.person(typed).login().status_code == 403
    assert hub.person("ann").signed_in().hub_api("GET", "/user").json()["admin"] is False


def test_user_options_that_cannot_be_read_back(hub):
    bob = hub.person("bob").signed_in()
    for options in ({"__jupyterhub_bytes__": "no base64!"}, {"a": {"__jupyterhub_bytes__": 7}}, {"profile": ["cpu"], "x": []}):
        assert bob.start(options).status_code < 600
        assert hub.api("GET", "/users").status_code == 200
        assert hub.api("GET", "/users/bob").status_code == 200


def test_ghsa_hfgr_image_of_the_users_choice(hub):
    for image in ("evil:latest", "--privileged", "docker.io/library/busybox"):
        answer = hub.person("tom").signed_in().start({"image": image})
        assert 400 <= answer.status_code < 500 and image in answer.json()["message"], answer.text
