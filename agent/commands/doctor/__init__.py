"""`scanward doctor`: look at everything a terminal needs, and say what is wrong and what to do about it.

The law: it may be run at any time, beside the running agent, by anybody: it opens no device, takes no lock, writes
nothing and shows no secret. Each check has its time; the whole run ends within seconds.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.commands.check import card_warnings, errors
from agent.commands.doctor import devices, machine, scanners, service, storage, uplinks
from agent.commands.doctor.finding import Check, Finding, Level, fault, look_at, of_files, ok, warning, worst
from agent.commands.doctor.machine import Machine, service_user
from agent.config import Config, ConfigInvalid, Environment, load, read_environment

SERVICE_STATE = Path("/var/lib/scanward")
STATUS = {Level.OK: 0, Level.WARNING: 1, Level.FAULT: 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, TOML")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Look, and print what was found; return 0 where all is well, 1 for warnings, 2 for faults."""
    findings = asyncio.run(look_at(checks_of(args.config, Machine())))
    level = worst(findings)
    if args.json:
        print(service.shown(findings, level.value))
    else:
        for line in lines_of(findings):
            print(line)
    sys.stdout.flush()
    return STATUS[level]


def lines_of(findings: Sequence[Finding]) -> list[str]:
    """Return the findings for people, and a line that counts them."""
    lines = list[str]()
    for finding in findings:
        lines.append(f"{finding.level.value:<8} {finding.topic:<16} {finding.what}")
        if finding.do:
            lines.append(f"{'':<25} do: {finding.do}")
    counts = [f"{sum(f.level is each for f in findings)} {each.value}" for each in Level]
    return [*lines, f"doctor: {', '.join(counts)}"]


def checks_of(path: Path, where: Machine) -> list[Check]:
    """Return all that can be looked at with this configuration; with one that is invalid, the machine alone."""
    user = service_user()
    of_machine = [
        of_files("clock", partial(machine.clock, where)),
        of_files("memory", partial(machine.limits, where)),
        of_files("sleep", partial(machine.sleep, where)),
        of_files("ModemManager", partial(devices.modem_manager, where)),
        of_files("SM2", service.sm2),
    ]
    try:
        config = load(path, _environment())
    except ConfigInvalid as error:
        trouble = fault("configuration", str(error), f"correct {path}; scanward check --config {path} checks it again")
        return [_told("configuration", [trouble]), *of_machine]
    agent_of = partial(service.agent_of, config, where)
    of_devices = [
        of_files(f"scanner {s.id}", partial(devices.scanner, s, where, user, agent_of)) for s in config.scanners
    ]
    return [
        of_files("configuration", partial(_configuration, config, path)),
        *of_devices,
        *scanners.checks_of(config, where, agent_of),
        of_files("state", partial(storage.state, config, where, user)),
        of_files("trust", partial(service.trust, config)),
        of_files("policy", partial(service.policy, config)),
        Check("uplink http", partial(uplinks.http, config)),
        Check("uplink mqtt", partial(uplinks.broker, config)),
        Check("agent", partial(service.agent, config, where)),
        *of_machine,
    ]


def _environment() -> Environment:
    """Return the environment; where a person asks from a shell, the service's state directory, if there is one."""
    environment = read_environment()
    if environment.state_directory is None and SERVICE_STATE.is_dir():
        return replace(environment, state_directory=str(SERVICE_STATE))
    return environment


def _configuration(config: Config, path: Path) -> Sequence[Finding]:
    found = [
        fault("configuration", trouble, f"the agent does not start so: correct {path}") for trouble in errors(config)
    ]
    found += [
        warning("configuration", said, f"a pattern that fits this site's cards alone, in {path}")
        for said in card_warnings(config)
    ]
    return found or [ok("configuration", str(path))]


def _told(topic: str, findings: Sequence[Finding]) -> Check:
    async def look() -> Sequence[Finding]:
        return findings

    return Check(topic, look)
