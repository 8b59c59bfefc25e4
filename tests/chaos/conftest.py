"""A world for each module of this suite: an engine of its own, and a hub that is started again whenever it ends."""

import pathlib
import tempfile

import pytest

from tests.chaos.engine import why_impossible
from tests.chaos.world import World
from tests.support import hub as hubs


@pytest.fixture(scope="session")
def possible(engine, notebook_image):
    """The machine's engine gives the images; what is hurt is another."""
    if reason := why_impossible():
        pytest.skip(reason)
    if not pathlib.Path(hubs.berth_binary()).exists():
        pytest.skip(f"{hubs.berth_binary()} is not built (./run --build)")


@pytest.fixture(scope="module")
def quiet_world(possible):
    """Nobody at work: each test starts its own servers."""
    world = World(pathlib.Path(tempfile.mkdtemp(prefix="berth-c-")), seed=1, users=0)
    try:
        yield world.start()
    finally:
        world.clean_up()


@pytest.fixture
def world(quiet_world):
    """Calm before and after; what the test leaves behind must be nothing that the walk finds."""
    quiet_world.complaints.clear()
    yield quiet_world
    quiet_world.stop_all()
    quiet_world.settle()
    assert quiet_world.complaints == []
