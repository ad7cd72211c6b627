"""The verdict compares the journal with the platform's database, and every way to be wrong shows in it."""

import sqlite3

import pytest

from demo.journal import Journal, Presented
from demo.verdict import SCANS_MIN, judge

LEDGER = b"L" * 16


def shown(seq: int, answer: str = "accept", reason: str = "ok") -> dict[str, object]:
    hash_ = (bytes([seq]) * 32).hex()
    return {"ledger_id": LEDGER.hex(), "seq": seq, "hash": hash_, "answer": answer, "reason": reason, "step": "pay"}


@pytest.fixture
def journal() -> Journal:
    journal = Journal(secrets=["PLANTED SECRET"])
    for seq in range(1, SCANS_MIN + 1):
        journal.presented.append(Presented("code", "desk", "accept", "ok", shown(seq)))
    return journal


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "platform.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE records (ledger_id, seq, hash, answer, reason, step, scanner, replay_id, kind)"
        )
        connection.execute("CREATE TABLE alerts (kind)")
        rows = [
            (LEDGER, seq, bytes([seq]) * 32, 0, "ok", "pay", "desk", bytes([seq]) * 16, 0)
            for seq in range(1, SCANS_MIN + 1)
        ]
        connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return path


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "agent.log"
    path.write_text("info: nothing to see\n")
    return path


def change(database, sql: str) -> None:
    with sqlite3.connect(database) as connection:
        assert connection.execute(sql).rowcount > 0


def test_a_run_without_fault_is_good(journal, database, log):
    verdict = judge(journal, database, [log])
    assert verdict.is_good
    assert str(verdict) == f"demo: {SCANS_MIN} scans, {SCANS_MIN} as expected, {SCANS_MIN} delivered, 0 lost, 0 twice"


def test_an_alert_of_the_platform_about_a_terminal_that_did_nothing_wrong_is_a_fault(journal, database, log):
    change(database, "INSERT INTO alerts VALUES ('ledger.restored')")
    verdict = judge(journal, database, [log])
    assert not verdict.is_good
    assert "ledger.restored" in verdict.faults[0]


def test_no_scans_at_all_are_not_good(database, log):
    assert not judge(Journal(secrets=["x"]), database, [log]).is_good


def test_a_missing_record_is_lost(journal, database, log):
    change(database, "DELETE FROM records WHERE seq = 3")
    verdict = judge(journal, database, [log])
    assert (verdict.delivered, verdict.lost, verdict.is_good) == (SCANS_MIN - 1, 1, False)


def test_a_record_with_other_bytes_is_lost(journal, database, log):
    change(database, "UPDATE records SET hash = zeroblob(32) WHERE seq = 3")
    assert judge(journal, database, [log]).lost == 1


@pytest.mark.parametrize(
    "change_to", ["answer = 3", "reason = 'policy.none'", "step = 'registration'", "scanner = 'window'"]
)
def test_another_decision_than_was_shown_is_lost(journal, database, log, change_to):
    change(database, f"UPDATE records SET {change_to} WHERE seq = 3")  # noqa: S608
    verdict = judge(journal, database, [log])
    assert (verdict.lost, verdict.is_good) == (1, False)


def test_a_second_copy_counts_as_twice(journal, database, log):
    change(
        database,
        "INSERT INTO records SELECT ledger_id, seq, zeroblob(32), 0, reason, step, scanner, NULL, 0"
        " FROM records LIMIT 1",
    )
    assert judge(journal, database, [log]).twice == 1


def test_a_decision_nobody_saw_counts_as_twice(journal, database, log):
    change(
        database,
        "INSERT INTO records SELECT ledger_id, 99, hash, 3, reason, step, scanner, NULL, 0 FROM records LIMIT 1",
    )
    assert judge(journal, database, [log]).twice == 1


def test_a_one_time_code_accepted_twice_counts(journal, database, log):
    change(database, "UPDATE records SET replay_id = (SELECT replay_id FROM records WHERE seq = 1) WHERE seq = 2")
    assert judge(journal, database, [log]).twice == 1


def test_another_answer_than_expected_is_not_as_expected(journal, database, log):
    journal.presented[0].shown = shown(1, "refuse", "key.unknown")
    assert judge(journal, database, [log]).as_expected == SCANS_MIN - 1


def test_a_scan_that_nothing_was_shown_for_is_neither_expected_nor_delivered(journal, database, log):
    journal.presented[0].shown = None
    verdict = judge(journal, database, [log])
    assert (verdict.as_expected, verdict.delivered, verdict.lost) == (SCANS_MIN - 1, SCANS_MIN - 1, 1)


@pytest.mark.parametrize(
    ("first", "second", "is_good"),
    [
        (shown(1), shown(2, "refuse", "replay.used"), True),
        (shown(1), shown(2), False),
        (shown(1, "refuse", "replay.used"), shown(2, "refuse", "replay.used"), False),
        (shown(1), None, False),
    ],
)
def test_a_race_must_end_with_exactly_one_acceptance(journal, database, log, first, second, is_good):
    for one, what in zip(journal.presented, (first, second), strict=False):
        one.race, one.shown = 1, what
        if what is not None:
            answer, seq = {"accept": 0, "refuse": 3}[what["answer"]], what["seq"]
            change(database, f"UPDATE records SET answer = {answer}, reason = '{what['reason']}' WHERE seq = {seq}")  # noqa: S608
    assert judge(journal, database, [log]).is_good is is_good


def test_a_decision_without_a_scan_is_a_fault(journal, database, log):
    journal.unasked = [shown(50)]
    assert not judge(journal, database, [log]).is_good


@pytest.mark.parametrize("text", ["before planted secret after", ""])
def test_a_secret_in_a_log_or_an_empty_log_is_a_fault(journal, database, log, text):
    log.write_text(text)
    assert not judge(journal, database, [log]).is_good
