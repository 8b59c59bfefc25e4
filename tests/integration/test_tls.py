"""https by Berth itself: sign-in, Lab and a kernel through it, cookies that never travel in the clear."""

import hashlib
import shutil
import socket
import ssl

import pytest
import requests

from tests.support.certificates import make_certificate
from tests.support.ports import free_port
from tests.support.person import Person, wait_until


@pytest.fixture
def secure_hub(local_berth, folder):
    certificate, key = make_certificate(folder, "hub")
    port, plain = free_port(), free_port()
    hub = local_berth({"bind_url": f"https://127.0.0.1:{port}",
                       "tls": {"certificate": str(certificate), "key": str(key), "redirect_port": plain, "hsts": "30d"}},
                      start=False)
    hub.url, hub.verify, hub.plain_url = f"https://127.0.0.1:{port}", str(certificate), f"http://127.0.0.1:{plain}"
    return hub.start()


@pytest.mark.timeout(240)
def test_a_notebook_over_https(secure_hub):
    ann = secure_hub.person("ann")
    signed_in = ann.login()
    assert signed_in.status_code == 302
    cookies = signed_in.raw.headers.getlist("Set-Cookie")
    assert cookies and all("; Secure" in cookie for cookie in cookies), cookies
    page = ann.get("/hub/home")
    assert page.headers["Strict-Transport-Security"] == f"max-age={30 * 86400}"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    ann.started()
    lab = ann.open_lab()
    assert lab.status_code == 200 and "jupyter-config-data" in lab.text, lab.text[:300]
    assert lab.url.startswith(secure_hub.url)
    assert ann.kernel().run("6*7") == "42"


def test_http_is_sent_to_https_and_keeps_its_place(secure_hub):
    answer = requests.get(secure_hub.plain_url + "/hub/login?next=%2Fhub%2Fhome", allow_redirects=False, timeout=10)
    assert answer.status_code == 301
    assert answer.headers["Location"] == secure_hub.url + "/hub/login?next=%2Fhub%2Fhome"
    assert requests.get(answer.headers["Location"], verify=secure_hub.verify, timeout=10).status_code == 200


def test_every_page_names_one_script_nonce_of_its_own(secure_hub):
    seen = set()
    for _ in range(2):
        page = Person(secure_hub.url, "ann", verify=secure_hub.verify).get("/hub/login")
        policy = page.headers["Content-Security-Policy"]
        nonce = policy.split("'nonce-")[1].split("'")[0]
        assert page.text.count("<script") == page.text.count(f'nonce="{nonce}"') > 0
        assert "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy.split("script-src")[1]
        seen.add(nonce)
    assert len(seen) == 2


@pytest.mark.timeout(240)
def test_a_renewed_certificate_leaves_a_kernel_connected(secure_hub, folder):
    ann = secure_hub.person("ann").signed_in()
    ann.started()
    ann.open_lab()
    kernel = ann.kernel()
    assert kernel.run("kept = 6*7") == ""
    port = int(secure_hub.url.rsplit(":", 1)[1])

    def shown():
        with socket.create_connection(("127.0.0.1", port), 10) as plain, \
                ssl._create_unverified_context().wrap_socket(plain) as secure:
            return secure.getpeercert(binary_form=True)

    before = shown()
    for path, fresh in zip((folder / "hub.crt", folder / "hub.key"), make_certificate(folder, "renewed")):
        shutil.move(fresh, path)
    wait_until("the new certificate is shown", lambda: shown() != before, 30)
    assert kernel.run("kept") == "42", "over the connection that was open before"


QUICK = {"spawner": "local", "local": {"command": "/bin/true"}}


def https_hub(berth, tls, **more):
    """A hub on https; `tls` is its section. It answers at hub.url and, in the clear, at hub.plain_url."""
    port, plain = free_port(), free_port()
    hub = berth({**QUICK, "bind_url": f"https://127.0.0.1:{port}", "tls": {"redirect_port": plain, **tls}}, start=False)
    hub.url, hub.verify, hub.plain_url = f"https://127.0.0.1:{port}", False, f"http://127.0.0.1:{plain}"
    return hub


def handshake(hub, name=None, session=None, context=None):
    """(the certificate shown to who asks for this name, whether the session was resumed, the session)"""
    context = context or ssl._create_unverified_context()
    port = int(hub.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), 10) as plain, \
            context.wrap_socket(plain, server_hostname=name, session=session) as secure:
        secure.sendall(b"GET /hub/health HTTP/1.1\r\nHost: h\r\n\r\n")
        assert secure.recv(4096).startswith(b"HTTP/1.1 200")  # and with it the tickets
        return secure.getpeercert(binary_form=True), secure.session_reused, secure.session


def der_of(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_the_certificate_of_the_name_that_is_asked_for(berth, folder):
    live = folder / "live"
    (live / "wide").mkdir(parents=True)
    first, key = make_certificate(folder, "first", "DNS:hub.test")
    two, _ = make_certificate(live, "two", "DNS:two.test,DNS:zwei.test")
    wide, wide_key = make_certificate(folder, "wide", "DNS:*.wide.test")
    shutil.move(wide, live / "wide" / "fullchain.pem")
    shutil.move(wide_key, live / "wide" / "privkey.pem")
    hub = https_hub(berth, {"certificate": str(first), "key": str(key), "directory": str(live)}).start()
    wide = live / "wide" / "fullchain.pem"
    for name, want in (("hub.test", first), ("two.test", two), ("ZWEI.test", two), ("lab.wide.test", wide), (None, first),
                       ("wide.test", first), ("a.b.wide.test", first), ("other.test", first)):
        assert handshake(hub, name)[0] == der_of(want), name
    three, _ = make_certificate(live, "three", "DNS:three.test")
    wait_until("a new file is taken", lambda: handshake(hub, "three.test")[0] == der_of(three), 15)
    (live / "three.key").unlink()
    wait_until("a certificate without key is told", lambda: "three.crt has no three.key beside it" in
               (hub.folder / "state" / "logs" / "proxy.log").read_text(), 15)
    assert handshake(hub, "two.test")[0] == der_of(two), "those before stay"


def test_a_session_is_resumed_also_after_a_renewal(berth, folder):
    certificate, key = make_certificate(folder, "hub")
    hub = https_hub(berth, {"certificate": str(certificate), "key": str(key)}).start()
    before = der_of(certificate)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl._create_unverified_context()
        context.minimum_version = context.maximum_version = version
        shown, reused, session = handshake(hub, context=context)
        assert not reused and session.has_ticket
        assert handshake(hub, session=session, context=context)[1], version
    for path, fresh in zip((certificate, key), make_certificate(folder, "renewed")):
        shutil.move(fresh, path)
    wait_until("the new certificate is shown", lambda: handshake(hub)[0] != before, 15)
    assert handshake(hub, session=session, context=context)[1]


def test_a_self_signed_certificate_for_a_first_try(berth):
    hub = https_hub(berth, {"self_signed": True}).start()
    shown = handshake(hub)[0]
    fingerprint = ":".join(f"{byte:02X}" for byte in hashlib.sha256(shown).digest())
    assert f"SHA-256 fingerprint that it shows must be {fingerprint}" in hub.log()
    files = hub.folder / "state" / "tls"
    assert (files / "self-signed.key").stat().st_mode & 0o777 == 0o600
    hub.verify = str(files / "self-signed.crt")
    assert requests.get(hub.url + "/hub/login", verify=hub.verify, timeout=10).status_code == 200, "of this address"
    hub.stop()
    hub.start()
    assert handshake(hub)[0] == shown, "it is kept"


def test_acme_tokens_are_served_in_the_clear_and_nothing_else(berth, folder):
    tokens = folder / "webroot" / ".well-known" / "acme-challenge"
    tokens.mkdir(parents=True)
    (tokens / "tok-en_1").write_text("tok-en_1.thumbprint")
    (tokens / "folder").mkdir()
    (folder / "webroot" / "secret").write_text("secret")
    hub = https_hub(berth, {"self_signed": True, "acme_webroot": str(folder / "webroot")}).start()
    at = hub.plain_url + "/.well-known/acme-challenge/"

    def get(path):
        prepared = requests.Request("GET", hub.plain_url).prepare()
        prepared.url = path  # dots are sent as they are
        return requests.Session().send(prepared, allow_redirects=False, timeout=10)
    assert (get(at + "tok-en_1").status_code, get(at + "tok-en_1").text) == (200, "tok-en_1.thumbprint")
    for path in ("none", "", "folder", "../../secret", "..%2F..%2Fsecret", "tok-en_1/", "%2e%2e"):
        answer = get(at + path)
        assert answer.status_code in (301, 400, 404) and "secret" not in answer.text, path
    assert get(hub.plain_url + "/hub/login").status_code == 301


def test_a_browser_signs_in_over_https(secure_hub):
    playwright = pytest.importorskip("playwright")
    assert playwright
    from tests.support import browser as browsers
    with browsers.chromium() as browser:
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        browsers.sign_in(page, secure_hub.url, "ann", "pw", "/hub/home")
        assert page.url == secure_hub.url + "/hub/home"
        page.wait_for_selector("#logout")
        assert all(cookie["secure"] for cookie in context.cookies()), context.cookies()
        assert not complaints, complaints  # a script that the policy forbids would be one
