"""Secrets that systemd hands over: where a configuration that names one finds it."""

import os
import re
from pathlib import Path

import pytest

from agent.config import CREDENTIALS_FOLDER, ConfigInvalid, Environment, parse, read_environment

ROOT = Path(__file__).parents[1]
TEXT = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n[trust]\nroot = "credential:root.json"\n'


def root_of(directory: Path | None) -> str | None:
    return parse(TEXT.encode(), Environment("kiosk", None, None, directory and str(directory))).trust.root


@pytest.mark.parametrize("name", ["root.json", "scanward_root.json"])
def test_in_the_service_a_credential_is_the_file_systemd_handed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    assert root_of(tmp_path) == str(tmp_path / name)


def test_outside_the_service_it_is_the_file_that_systemd_takes_it_from() -> None:
    assert root_of(None) == f"{CREDENTIALS_FOLDER}/root.json"


def test_a_credential_that_was_not_handed_over_is_named_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=re.escape("$.trust.root: no credential root.json")) as caught:
        root_of(tmp_path)
    assert f"{CREDENTIALS_FOLDER}/root.json" in str(caught.value)


@pytest.mark.parametrize("name", ["", "../shadow", "a/b", ".hidden", "x" * 65, "名"])
def test_a_credential_is_a_file_name_and_nothing_else(name: str) -> None:
    with pytest.raises(ConfigInvalid, match=re.escape("$.trust.root: credential:NAME")):
        parse(TEXT.replace("root.json", name).encode(), Environment("kiosk", None, None))


def test_the_unit_hands_over_each_file_of_the_folder_under_the_name_that_is_looked_for() -> None:
    assert f"\nLoadCredential=scanward:{CREDENTIALS_FOLDER}\n" in (ROOT / "systemd" / "scanward.service").read_text()


def test_directory_and_watchdog_are_read_as_systemd_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/scanward.service")
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    environment = read_environment()
    assert (environment.credentials_directory, environment.watchdog_s) == ("/run/credentials/scanward.service", 30.0)


@pytest.mark.parametrize(
    ("usec", "pid"), [("", ""), ("0", ""), ("-1", ""), ("x", ""), ("9" * 30, ""), ("30000000", "1")]
)
def test_a_watchdog_that_is_none_or_another_process_s_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert read_environment().watchdog_s is None
