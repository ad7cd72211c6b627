"""The doctor on machines that lack something: invented /proc and /sys trees, real files, real permissions."""

import asyncio
import grp
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.adapters.clock import SystemRandomness
from agent.app import Paths, open_ledger
from agent.cli import main
from agent.commands.doctor import checks_of, devices, machine, service, storage
from agent.commands.doctor.finding import Check, Finding, Level, fault, look_at, of_files, ok, warning, worst
from agent.commands.doctor.machine import Machine, User, service_user
from agent.config import Config, Environment, parse
from demo.tty import TtyScanner
from fakes.trust_content import content, publish_bundle

EVERYBODY = User("scanward", 54_320, frozenset({54_321}), is_self=False)
NOW_MS = 1_800_000_000_000


def config_of(folder: Path, more: str = "", path: str = "/dev/null") -> Config:
    text = f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{path}"\n[state]\ndirectory = "{folder}"\n{more}'
    return parse(text.encode(), Environment("kiosk", None, None))


def tree(folder: Path, **files: str) -> Machine:
    """Return a machine made of files; two underlines in a name are a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(folder)


def said(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{f.level}: {f.what}: {f.do}" for f in findings)


def levels(findings: Sequence[Finding]) -> list[str]:
    return [finding.level.value for finding in findings]


# Looking


async def test_a_check_that_hangs_becomes_a_finding_and_holds_up_no_other() -> None:
    gate = threading.Event()

    def hang() -> Sequence[Finding]:
        gate.wait()
        return [ok("never", "")]

    checks = [of_files("disk", hang), of_files("clock", lambda: [ok("clock", "right")])]
    found = await look_at(checks, check_s_max=0.2)
    gate.set()
    assert [(f.topic, f.level) for f in found] == [("disk", Level.FAULT), ("clock", Level.OK)]
    assert "no answer within 0.2 s" in found[0].what


def test_a_check_that_hangs_for_ever_does_not_keep_the_program_from_ending() -> None:
    code = (
        "import asyncio, threading\nfrom agent.commands.doctor.finding import look_at, of_files\n"
        "asyncio.run(look_at([of_files('disk', threading.Event().wait)], check_s_max=0.1))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


async def test_what_may_not_be_looked_at_is_a_warning_and_what_fails_a_fault() -> None:
    def may_not() -> Sequence[Finding]:
        raise PermissionError(13, "Permission denied", "/secret")

    def fails() -> Sequence[Finding]:
        raise OSError(5, "Input/output error")

    found = await look_at([of_files("a", may_not), of_files("b", fails)])
    assert levels(found) == ["warning", "fault"]
    assert "run this as root" in found[0].do


def test_the_worst_finding_is_the_whole_s() -> None:
    assert worst([]) == Level.OK
    assert worst([ok("a", ""), warning("b", "", "")]) == Level.WARNING
    assert worst([warning("b", "", ""), fault("c", "", ""), ok("a", "")]) == Level.FAULT


def test_a_finding_is_one_line_of_limited_length() -> None:
    assert fault("a", "x\ny" + "z" * 1_000, "").what == ("x y" + "z" * 1_000)[:300]


# Devices


@pytest.fixture
def tty(tmp_path: Path) -> Iterator[TtyScanner]:
    tty = TtyScanner("front", tmp_path / "tty-front")
    yield tty
    tty.close()


def looked_at(path: Path | str, folder: Path, user: User, where: Machine = Machine()) -> Sequence[Finding]:  # noqa: B008
    return devices.scanner(config_of(folder, path=str(path)).scanners[0], where, user, os.getpid)


def test_a_device_that_is_not_there_is_a_fault_that_says_where_to_look(tmp_path: Path) -> None:
    found = looked_at(tmp_path / "none", tmp_path, service_user())
    assert levels(found) == ["fault"]
    assert "/dev/scanward/by-id" in found[0].do


def test_a_device_of_a_group_the_service_is_not_in_names_group_and_command(tty: TtyScanner, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("root is missing: a device cannot be given to another group")
    group = grp.getgrnam("tty")
    os.chown(tty.path, 0, group.gr_gid)
    tty.path.chmod(0o660)
    tmp_path.chmod(0o755)
    found = looked_at(tty.path, tmp_path, EVERYBODY)
    assert said(found).startswith("fault: scanward has no permission for")
    assert "usermod --append --groups tty scanward" in found[0].do
    os.chown(tty.path, 0, 54_321)
    member = looked_at(tty.path.resolve(), tmp_path, EVERYBODY)
    assert "may use it" in said(member) or "is open in another program" in said(member)


def test_a_device_that_another_program_holds_names_it(tty: TtyScanner, tmp_path: Path) -> None:
    device = str(tty.path.resolve())
    with (
        Path(device).open("rb", buffering=0) as held,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()]) as other,
    ):
        found = looked_at(tty.path, tmp_path, service_user())
        assert levels(found) == ["warning"]
        assert f"(pid {other.pid})" in found[0].what
        other.kill()
    assert levels(looked_at(tty.path, tmp_path, service_user())) == ["ok"], "its own and the agent's hold do not count"


def test_modem_manager_is_a_warning_unless_it_is_told_to_leave_scanners_alone(tmp_path: Path) -> None:
    assert levels(devices.modem_manager(tree(tmp_path, proc__1__comm="init\n"))) == ["ok"]
    where = tree(tmp_path, proc__7__comm="ModemManager\n")
    assert levels(devices.modem_manager(where)) == ["warning"]
    (tmp_path / devices.RULES).parent.mkdir(parents=True)
    (tmp_path / devices.RULES).write_text("")
    assert levels(devices.modem_manager(where)) == ["ok"]


# State


MOUNTS = "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n25 24 0:22 / {point} {options} - {kind} none rw\n"


@pytest.mark.parametrize(
    ("kind", "options", "level", "says"),
    [
        ("ext4", "rw,relatime", "ok", "with space for all records"),
        ("tmpfs", "rw", "fault", "a power cut takes all records"),
        ("vfat", "rw", "fault", "neither permissions nor order"),
        ("nfs4", "rw", "fault", "on another machine"),
        ("overlay", "rw", "warning", "may be memory"),
        ("ext4", "ro,relatime", "fault", "mount -o remount,rw"),
    ],
)
def test_the_disk_under_the_records_is_judged_by_what_it_keeps(
    tmp_path: Path, kind: str, options: str, level: str, says: str
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    mounts = MOUNTS.format(point=state, kind=kind, options=options)
    where = tree(tmp_path / "machine", proc__self__mountinfo=mounts)
    found = storage.state(config_of(state, "[ledger]\nbytes_max = 1048576\n"), where, service_user("nobody-here"))
    assert levels(found) == [level]
    assert says in said(found)


def test_a_ledger_that_may_outgrow_its_disk_is_a_warning(tmp_path: Path) -> None:
    found = storage.state(
        config_of(tmp_path, f"[ledger]\nbytes_max = {10**15}\n"), Machine(tmp_path), service_user("nobody-here")
    )
    assert levels(found) == ["warning"]
    assert "less than the ledger may grow to" in found[0].what


def test_a_state_directory_the_service_may_not_write_is_a_fault(tmp_path: Path) -> None:
    found = storage.state(config_of(tmp_path), Machine(tmp_path), EVERYBODY)
    assert levels(found) == ["fault"]
    assert "chown -R scanward:" in found[0].do


def test_a_signing_key_that_others_may_read_is_a_fault_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / storage.SIGNING_KEY).write_text("an invented secret")
    (tmp_path / storage.SIGNING_KEY).chmod(0o644)
    found = storage.state(
        config_of(tmp_path, "[ledger]\nbytes_max = 1048576\n"), Machine(tmp_path), service_user("none")
    )
    assert "chmod 600" in said(found)
    assert "invented" not in said(found)


# Machine


def test_a_clock_in_1970_without_a_chip_is_a_fault_and_says_what_it_means(tmp_path: Path) -> None:
    found = machine.clock(Machine(tmp_path), now_ms=lambda: 2_000)
    assert "fault: the clock stands before 2026" in said(found)
    assert "no clock chip" in said(found)


def test_a_clock_chip_is_compared_with_the_clock(tmp_path: Path) -> None:
    where = tree(tmp_path, sys__class__rtc__rtc0__since_epoch=f"{NOW_MS // 1000 + 3_600}\n")
    assert "minutes off" in said(machine.clock(where, now_ms=lambda: NOW_MS))
    where = tree(tmp_path, sys__class__rtc__rtc0__since_epoch=f"{NOW_MS // 1000}\n")
    assert "chip" not in said([f for f in machine.clock(where, now_ms=lambda: NOW_MS) if f.level != Level.OK])


@pytest.mark.parametrize(
    ("bits", "says"),
    [
        ("0x0", []),
        ("0x50005", ["fault: the voltage is too low now", "warning: the processor is slowed down now"]),
        ("0x50000", ["warning: the voltage was too low since", "warning: the processor was slowed down since"]),
        ("nonsense", []),
    ],
)
def test_the_raspberry_pi_s_word_on_its_power_supply_is_passed_on(tmp_path: Path, bits: str, says: list[str]) -> None:
    where = tree(
        tmp_path,
        proc__meminfo="MemAvailable:  900000 kB\n",
        **{"sys__devices__platform__soc__soc:firmware__get_throttled": bits},
    )
    text = said(machine.limits(where))
    assert all(each in text for each in says)
    assert len(text.splitlines()) == max(1, len(says))


def test_little_memory_and_heat_are_warnings(tmp_path: Path) -> None:
    where = tree(tmp_path, proc__meminfo="MemAvailable: 20000 kB\n", sys__class__thermal__thermal_zone0__temp="85000\n")
    assert levels(machine.limits(where)) == ["warning", "warning"]


def test_a_machine_that_can_sleep_is_a_warning_unless_something_keeps_it_awake(tmp_path: Path) -> None:
    assert levels(machine.sleep(Machine(tmp_path))) != ["warning"]
    where = tree(tmp_path, sys__power__state="freeze mem disk\n", proc__1__comm="init\n")
    assert levels(machine.sleep(where)) == ["warning"]
    awake = {"proc__9__comm": "systemd-inhibit\n", "proc__9__cmdline": "systemd-inhibit\0--who=Scanward\0"}
    assert levels(machine.sleep(tree(tmp_path, **awake))) == ["ok"]


# Trust, SM2, the whole


def test_a_terminal_without_root_or_trust_list_hears_what_that_means(tmp_path: Path) -> None:
    assert "every signed code is refused" in said(service.trust(config_of(tmp_path)))
    (tmp_path / "root.json").write_text("{}")
    config = config_of(tmp_path, f'[trust]\nroot = "{tmp_path / "root.json"}"\n')
    assert levels(service.trust(config)) == ["fault"]
    publish_bundle(tmp_path / "trust", content())
    assert "version" in said(service.trust(config))


def test_keys_that_this_terminal_cannot_use_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}")
    config = config_of(tmp_path, f'[trust]\nroot = "{tmp_path / "root.json"}"\n')
    files = content()
    trust_list = json.loads(files["trust-list.json"])
    trust_list["keys"].append({"family": "hcert", "issuer": "XA", "kid": "aa" * 8, "alg": "ES256", "spki": "AAAA"})
    files["trust-list.json"] = json.dumps(trust_list).encode()
    publish_bundle(tmp_path / "trust", files, expires_at_ms=4_102_444_800_000)
    assert levels(service.trust(config)) == ["warning"]
    assert "1 keys are set aside" in said(service.trust(config))


def test_a_step_that_the_signed_policy_does_not_have_is_a_warning(tmp_path: Path) -> None:
    """`payments` for `payment` demands nothing of anybody."""
    config = config_of(tmp_path, '[policy.checked]\n"*" = ["time"]\npayments = ["revocation"]\n')
    assert service.policy(config) == []
    publish_bundle(tmp_path / "trust", content())
    assert "the signed policy has no step payments" in said(service.policy(config))
    assert service.policy(config_of(tmp_path, '[policy.checked]\n"*" = ["time"]\n')) == []


def test_sm2_is_a_finding_whether_or_not_it_is_built_in() -> None:
    assert [f.topic for f in service.sm2()] == ["SM2"]
    assert levels(service.sm2(lambda: None)) == ["ok"]
    assert levels(service.sm2(lambda: "no libcrypto")) == ["warning"]


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """A terminal that has run: its configuration."""
    config = tmp_path / "agent.toml"
    (tmp_path / "root.json").write_text("{}")
    config.write_text(
        '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n'
        f'[state]\ndirectory = "{tmp_path / "state"}"\n'
        f'[uplink.http]\nurl = "http://127.0.0.1:9"\n[trust]\nroot = "{tmp_path / "root.json"}"\n'
    )
    (tmp_path / "state").mkdir(mode=0o700)
    open_ledger(config_of(tmp_path / "state"), Paths(tmp_path / "state"), SystemRandomness()).close()
    return config


def test_the_status_is_2_for_faults_and_json_says_the_same_as_the_lines(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--config", str(terminal)]) == 2
    lines = capsys.readouterr().out
    assert main(["doctor", "--config", str(terminal), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["worst"]) == ("scanward-doctor-1", "fault")
    for finding in told["findings"]:
        assert f"{finding['level']:<8} {finding['topic']:<16} " in lines
        assert (finding["do"] == "") == (finding["level"] == "ok")
    assert lines.splitlines()[-1].startswith("doctor: ")


def test_a_configuration_that_cannot_be_read_is_a_finding_and_the_machine_is_looked_at_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "agent.toml").write_text("[[scanners]]\n")
    assert main(["doctor", "--config", str(tmp_path / "agent.toml")]) == 2
    out = capsys.readouterr().out
    assert "fault    configuration" in out
    assert "memory" in out


def test_nothing_is_written_and_no_lock_is_taken(terminal: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in terminal.parent.rglob("*")}
    lock = os.open(terminal.parent / "state" / storage.LOCK, os.O_RDWR)
    asyncio.run(look_at(checks_of(terminal, Machine())))
    assert {path: path.stat().st_mtime_ns for path in terminal.parent.rglob("*")} == before
    assert service.agent_of(config_of(terminal.parent / "state"), Machine()) is None
    os.close(lock)


def test_each_check_has_a_topic_of_its_own(terminal: Path) -> None:
    topics = [check.topic for check in checks_of(terminal, Machine()) if isinstance(check, Check)]
    assert len(topics) == len(set(topics)) >= 12


def test_a_pattern_of_cards_that_another_kind_of_code_fits_is_a_warning(
    terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with terminal.open("a") as file:
        file.write("[codes]\nhospital_cards = ['JZ\\d{6}', '26\\d{14}']\n")
    main(["doctor", "--config", str(terminal)])
    out = capsys.readouterr().out
    assert "may be taken for a code of alipay" in out
    assert "a pattern that fits this site's cards alone" in out
