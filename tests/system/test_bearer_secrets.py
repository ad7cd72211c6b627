"""A real agent is shown payment codes, vouchers, ids, prescriptions: nothing outside its memory holds them in clear."""

import base64
import hashlib
import json
import sqlite3
import time
from pathlib import Path

import cbor2
import pytest
import requests

from demo.setting import running
from demo.tty import TtyScanner
from fakes.agent_process import RunningAgent, running_agent
from fakes.ledger_parts import sealing_private, sealing_recipient
from fakes.neighbours import COVID_CODE, access_code, prescription_id, samples
from fakes.trust_content import ENTRIES, content, key_entry, trust_list
from platform_stub import cli
from platform_stub.wire.sealing import open_data_key, open_fields

DECIDED_S_MAX = 20.0
CARD = "JZ70718293"
FAMILIES = {**samples(), "hospital-card": CARD}
SECRETS = {
    **{family: text for family, text in FAMILIES.items() if family not in ("e-prescription", "covid-code")},
    "e-prescription, its access code": access_code(),
    "e-prescription, its id": prescription_id(),
    "covid-code": COVID_CODE[-40:-8],
}
POLICY = b"""
format = "scanward-policy-1"
version = 3
[steps.registration]
verified = ["ehc.any", "insurance.any"]
provisional = ["hospital-card.any"]
"""


def files(*, is_sealing: bool) -> dict[str, bytes]:
    """Return what the platform signed, with a key to seal for or without one."""
    spki = sealing_recipient("platform").spki
    seal = key_entry("platform", "X25519", ["seal"]) | {
        "spki": base64.b64encode(spki).decode(),
        "kid": hashlib.sha256(spki).digest()[:8].hex(),
    }
    entries = [e for e in ENTRIES if "seal" not in e["usage"]] + ([seal] if is_sealing else [])
    return {**content(), "trust-list.json": trust_list(entries=entries), "policy.toml": POLICY}


def scanned(agent: RunningAgent, tty: TtyScanner) -> str:
    """Have every code scanned, half by a program and half on a tty; return all that the local API says meanwhile."""
    said, headers = list[str](), agent.headers("program")
    with requests.get(f"{agent.url}/v1/events", headers=headers, stream=True, timeout=DECIDED_S_MAX) as events:
        for number, text in enumerate(FAMILIES.values()):
            if number % 2:
                tty.type(text)
            else:
                scan = {"scanner": "phone", "data": text}
                assert requests.post(f"{agent.url}/v1/scans", json=scan, headers=headers, timeout=5).status_code == 202
        decided = 0
        for line in events.iter_lines(decode_unicode=True):
            said.append(line)
            decided += line.startswith("event: decision")
            if decided == len(FAMILIES):
                break
    for path in ("/metrics", "/v1/status", "/v1/diagnostics", "/v1/parked"):
        said.append(requests.get(agent.url + path, headers=headers, timeout=5).text)
    page = requests.get(agent.url + "/", headers=agent.headers("staff"), timeout=5)
    return "\n".join([*said, page.text])


def found_in(data: bytes) -> set[str]:
    """Return which secrets the bytes hold: as text, as hexadecimal digits, as their bytes or their hash."""
    return {
        name
        for name, secret in SECRETS.items()
        for form in (secret.encode(), secret.encode().hex().encode(), hashlib.sha256(secret.encode()).digest())
        if form in data
    }


def leaking(folder: Path) -> list[Path]:
    """Return the files that hold a secret; a database's write-ahead log is among those looked at."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    return [path for path in files if found_in(path.read_bytes())]


def records(database: Path) -> list[dict[int, object]]:
    """Return the records of a ledger."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT envelope FROM record ORDER BY seq").fetchall()
    finally:
        connection.close()
    return [cbor2.loads(cbor2.loads(envelope).value[2]) for (envelope,) in rows]


@pytest.mark.parametrize("is_sealing", [True, False])
def test_what_a_bearer_could_use_is_sealed_or_nowhere(tmp_path: Path, is_sealing: bool) -> None:
    tty = TtyScanner("desk", tmp_path / "no-scanner")
    cards = "[codes]\nhospital_cards = ['JZ\\d{8}']\n"
    with running_agent(tmp_path, files(is_sealing=is_sealing), cards) as agent:
        wait_for(agent)
        said = scanned(agent, tty)
        assert found_in(said.encode()) == set()
        assert leaking(agent.folder / "state") == []
    tty.close()
    log = (tmp_path / "agent.log").read_bytes()
    assert found_in(log) == set()
    for family in FAMILIES:
        assert f"({family}, ".encode() in log
    kept = records(next((tmp_path / "state").glob("ledger*.sqlite")))
    assert kept_texts(kept) == (set(FAMILIES.values()) - {COVID_CODE} if is_sealing else set())
    assert any(8 in record for record in kept) is is_sealing


NEAR = {
    "a digit more": FAMILIES["wechat-pay"] + "7",
    "a digit less": FAMILIES["insurance"][:-1],
    "full width": FAMILIES["alipay"].translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
    "in an address": f"https://pay.example/c?code={FAMILIES['unionpay']}",
    "in JSON": json.dumps({"code": FAMILIES["resident-id"]}),
    "with its AIM id": f"]Q1{FAMILIES['wechat-pay']}",
}


def test_what_is_nearly_a_bearer_s_code_is_sealed_or_nowhere_too(tmp_path: Path) -> None:
    with running_agent(tmp_path, files(is_sealing=True)) as agent:
        headers, said = agent.headers("program"), list[bytes]()
        with requests.get(f"{agent.url}/v1/events", headers=headers, stream=True, timeout=DECIDED_S_MAX) as events:
            for text in NEAR.values():
                scan = {"scanner": "phone", "data": text}
                assert requests.post(f"{agent.url}/v1/scans", json=scan, headers=headers, timeout=5).status_code == 202
            for line in events.iter_lines():
                said.append(line)
                if b"".join(said).count(b"event: decision") == len(NEAR):
                    break
        for path in ("/metrics", "/v1/status", "/v1/diagnostics", "/v1/parked"):
            said.append(requests.get(agent.url + path, headers=headers, timeout=5).content)
        seen = [*said, *(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())]
        for name, text in NEAR.items():
            core = "".join(filter(str.isdigit, text)).translate({0xFF10 + n: ord("0") + n for n in range(10)})[:-1]
            assert not any(text.encode() in data or core.encode() in data for data in seen), name
    kept = records(next((tmp_path / "state").glob("ledger*.sqlite")))
    assert kept_texts(kept) == set(NEAR.values())
    assert {record[15] for record in kept if 15 in record} == {"unknown"}


def kept_texts(kept: list[dict[int, object]]) -> set[str]:
    """Return the scans that the platform can open in these records."""
    keys = [open_data_key(record, sealing_private("platform")) for record in kept if 9 in record]
    fields = [open_fields(record, keys[-1]) for record in kept if 8 in record]
    return {field.scan.decode() for field in fields if field.scan}


def wait_for(agent: RunningAgent) -> None:
    """Wait until the tty is read."""
    end_s = time.monotonic() + DECIDED_S_MAX
    while True:
        status = requests.get(f"{agent.url}/v1/status", headers=agent.headers("program"), timeout=5).json()
        if all(scanner["presence"] == "present" for scanner in status["scanners"]):
            return
        assert time.monotonic() < end_s, status


async def test_a_platform_that_is_asked_about_them_keeps_them_sealed_too(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    assert cli.main(["init", str(folder)]) == 0
    asked = ["insurance", "resident-id", "hospital-card", "e-prescription"]
    kinds = ", ".join(f'"{family}.any"' for family in ["ehc", *asked])
    policy = POLICY.decode() + f"[steps.payment]\nverified = [{kinds}]\n"
    (folder / "policy.toml").write_text(policy)
    assert cli.main(["publish", str(folder)]) == 0
    async with running(tmp_path, more_config="[codes]\nhospital_cards = ['JZ\\d{8}']\n") as setting:
        for family, text in FAMILIES.items():
            setting.payment.type(text)
            decision = await setting.display.next_decision("payment")
            assert (decision["family"], decision["answer"]) == (family, "refuse")
            expected = "family.obsolete" if family == "covid-code" else "policy.not-verifiable"
            assert decision["reason"] == ("online.not-ours" if family in asked else expected)
        await setting.until(lambda status: status["uplink"]["waiting"] == 0)
        assert leaking(tmp_path) == []
    for log in setting.logs:
        assert found_in(log.read_bytes()) == set(), log
