"""The agent itself, without touching it: does it run, does its local API answer, does systemd watch it, what it trusts.

The law: the ledger's lock is never tried, only read about: trying it could keep an agent from starting.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from agent.adapters.clock import SystemClock
from agent.adapters.keys.sm2 import availability
from agent.commands.doctor.finding import Finding, fault, in_thread, ok, warning
from agent.commands.doctor.machine import Machine
from agent.commands.doctor.storage import LOCK
from agent.commands.doctor.uplinks import http_status
from agent.commands.trust import TRUST_FOLDER, TrustUnreadable, read_current
from agent.config import Config
from agent.core.trust_list import Freshness, Trust

HOUR_S = 3_600


def agent_of(config: Config, machine: Machine) -> int | None:
    """Return the pid of the agent that owns this configuration's ledger; None where none runs."""
    return machine.lock_owner(config.state_directory / LOCK)


async def agent(config: Config, machine: Machine) -> Sequence[Finding]:
    """Look whether the agent runs, answers and is watched."""
    pid = await in_thread(partial(agent_of, config, machine))
    if pid is None:
        return [warning("agent", "it does not run", "systemctl start scanward; if it ends: journalctl -u scanward")]
    if config.console.port == 0:
        return [ok("agent", f"runs (pid {pid}); its local API has no fixed port")]
    try:
        status, _ = await http_status(config.console.host, config.console.port, "/healthz")
    except (OSError, ValueError, EOFError):
        status = 0
    if status != 200:
        do = "systemctl restart scanward, and keep what journalctl -u scanward says"
        return [fault("agent", f"runs (pid {pid}), but {config.console.listen} does not answer", do)]
    try:
        variables = (machine.root / f"proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return [ok("agent", f"runs (pid {pid}) and answers")]
    if not any(variable.startswith(b"WATCHDOG_USEC=") for variable in variables):
        do = "run it by systemd/scanward.service: then a hung agent is started again"
        return [warning("agent", f"runs (pid {pid}) and answers, but nobody watches it", do)]
    return [ok("agent", f"runs (pid {pid}), answers, and systemd watches it")]


def trust(config: Config) -> Sequence[Finding]:
    """Look at the trust list: is there one, and how old is it."""
    if config.trust.root is None:
        return [fault("trust", "no [trust] root: every signed code is refused", "install the platform's root.json")]
    root = Path(config.trust.root)
    if not root.is_file():
        return [fault("trust", f"{root} is not there", "put the platform's root of trust there, or correct the path")]
    try:
        _, manifest, content = read_current(config.state_directory / TRUST_FOLDER)
    except TrustUnreadable as error:
        do = "see the uplink: it is fetched by itself; until then every signed code is refused"
        return [fault("trust", str(error), do)]
    trusted = Trust(content.trust_list, content.policy, content.revoked, manifest.expires_at_ms)
    now = SystemClock().now().now
    age = f"version {content.trust_list.version}, {trusted.age_s(now) // HOUR_S} hours old"
    do = "see the uplink and the clock; the agent fetches it by itself"
    match trusted.freshness(now):
        case Freshness.FRESH if content.trust_list.set_aside:
            wrong = f"{age}: {len(content.trust_list.set_aside)} keys are set aside, codes that need them are refused"
            return [warning("trust", wrong, "see `scanward trust show`, and tell whoever keeps the trust list")]
        case Freshness.FRESH:
            return [ok("trust", age)]
        case Freshness.WARN:
            return [warning("trust", f"{age}: past its date, still used in full", do)]
        case Freshness.PROVISIONAL:
            return [warning("trust", f"{age}: past its date, codes are accepted provisionally only", do)]
        case _:
            return [fault("trust", f"{age}: too old, nothing is accepted offline", do)]


def policy(config: Config) -> Sequence[Finding]:
    """Look whether the steps that this site narrows are steps of the signed policy: others change nothing."""
    try:
        _, _, content = read_current(config.state_directory / TRUST_FOLDER)
    except TrustUnreadable:
        return []
    named = (config.policy.refuse.keys() | config.policy.checked.keys()) - {"*"}
    if unknown := sorted(named - content.policy.steps.keys()):
        wrong = f"the signed policy has no step {', '.join(unknown)}: what [policy] says of it does nothing"
        return [warning("policy", wrong, f"its steps are {', '.join(content.policy.steps) or 'none'}")]
    return []


def sm2(availability: Callable[[], str | None] = availability) -> Sequence[Finding]:
    """Ask whether codes signed with SM2 can be verified on this machine."""
    if (why := availability()) is None:
        return [ok("SM2", "can be verified here")]
    return [
        warning("SM2", f"cannot be verified here: {why}", "install OpenSSL 3 with SM2; codes signed so are refused")
    ]


def shown(findings: Sequence[Finding], worst: str) -> str:
    """Return the findings for programs, JSON."""
    rows = [{"level": f.level.value, "topic": f.topic, "what": f.what, "do": f.do} for f in findings]
    return json.dumps({"format": "scanward-doctor-1", "worst": worst, "findings": rows}, ensure_ascii=False, indent=1)
