"""Fixtures of the proxy's conformance suite. PROXY_COMMAND says which program is asked."""

import pathlib
import shutil
import tempfile

import pytest

from tests.conformance import proxy_peers as peers


@pytest.fixture
def start():
    """start(*flags) gives a proxy that ends with the test."""
    started = []

    def make(*flags, **more):
        started.append(peers.Proxy(*flags, **more))
        return started[-1]

    yield make
    for proxy in started:
        proxy.close()


@pytest.fixture(scope="module")
def proxy():
    """One proxy for the tests of a module that need no flags; each test uses paths of its own."""
    one = peers.Proxy()
    yield one
    assert one.process.poll() is None, one.read_log()
    one.close()


@pytest.fixture
def target():
    """target(reply) gives a server behind the proxy."""
    made = []

    def make(reply=peers.echo, **more):
        made.append(peers.Target(reply, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def short_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="b-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


berth_only = pytest.mark.skipif(not peers.is_berth(), reason="configurable-http-proxy differs: see docs/proxy.md")
