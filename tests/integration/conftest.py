# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one set of services for the session, one pipe (topics, views, consumer group, prefix) for each test."""
import pytest

pytest.register_assert_rewrite("support")

from support.kafka import Broker
from support.objects import Store
from support.pipe import Pipe
from support.services import Services


@pytest.fixture(scope="session")
def services():
    found = Services()
    yield found
    found.close()


@pytest.fixture(scope="session")
def broker(services):
    return Broker(services.bootstrap)


@pytest.fixture(scope="session")
def store(services):
    return Store(services.settings)


@pytest.fixture
def new_pipe(services, broker, store, tmp_path):
    """Makes pipes: new_pipe(partitions=1); partitions=0 leaves the topics out."""
    pipes = []

    def make(partitions=3):
        folder = tmp_path / str(len(pipes))
        folder.mkdir()
        pipes.append(Pipe(services, broker, store, folder, partitions))
        return pipes[-1]

    make.pipes = pipes
    yield make
    for made in pipes:
        made.close()
    for made in pipes:
        made.check_logs()


@pytest.fixture
def pipe(new_pipe):
    return new_pipe()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the programs said last stands beside a failure."""
    report = yield
    make = getattr(item, "funcargs", {}).get("new_pipe")
    if report.failed and make:
        for made in make.pipes:
            for worker in made.workers + made.schedulers:
                report.sections.append((f"end of {worker.log_path}", worker.text()[-4000:]))
            for done in made.programs[-2:]:
                report.sections.append(("a program", repr(done)))
    return report
