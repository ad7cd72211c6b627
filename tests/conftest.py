"""What every test may use: the byte vectors of the wire, and the rule that a skip is a failure where it says so."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested: what hangs is ended by the time limit of each test (pyproject.toml).
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in each run of the same code: who sees a red test has changed something (decision 0240).
settings.register_profile("scanward", settings.get_profile("random"), derandomize=True)
settings.load_profile("scanward")

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def vectors() -> Any:
    """Return a loader of tests/vectors/NAME.json."""
    return lambda name: json.loads((HERE / "vectors" / f"{name}.json").read_text())


@pytest.fixture(scope="session", autouse=True)
def main_loop() -> Iterator[None]:
    """Own the main thread's loop: pytest-asyncio makes one otherwise, and never closes it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """With SCANWARD_NO_SKIP=1 a skipped test has failed: CI must have what every test needs."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("SCANWARD_NO_SKIP") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, and SCANWARD_NO_SKIP=1: {report.longrepr}"
    return report
