"""`scanward-platform import`: options without their file, revocations that would go, what no terminal would read."""

import pytest

from fakes.published import NOW_S, published
from platform_stub import cli
from platform_stub.issuing.imported import ImportInvalid
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout, LayoutInvalid

ONE, TWO, THREE = bytes(8), b"\x01" * 8, b"\x02" * 8


def version_and_revoked(platform):
    now = published(platform)
    return now.version, now.revoked


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--revoked", "x", "--withdraw-missing"], "--withdraw-missing belongs to --from FILE"),
        (["--revoked", "x", "--older-lists"], "--older-lists belongs to --from FILE"),
        (["--from", "x", "--unrevoke-missing"], "--unrevoke-missing belongs to --revoked FILE"),
        (["--withdraw", "--older-lists"], "--older-lists belongs to --from FILE"),
        (["--withdraw", "--withdraw-missing"], "--withdraw-missing belongs to --from FILE"),
        (["--withdraw", "--unrevoke-missing"], "--unrevoke-missing belongs to --revoked FILE"),
    ],
)
def test_an_option_without_its_file_is_not_passed_over(platform, tmp_path, monkeypatch, capsys, given, wanted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(b"")
    assert cli.main(["import", str(platform), *given]) == 2
    assert wanted in capsys.readouterr().err
    assert published(platform).version == 1


def test_a_revocation_that_would_go_is_counted_and_goes_only_where_that_is_asked_for(platform, tmp_path, capsys):
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(ONE + TWO)
    after.write_bytes(TWO + THREE)
    assert cli.main(["import", str(platform), "--revoked", str(before)]) == 0
    assert cli.main(["import", str(platform), "--revoked", str(after)]) == 1
    said = capsys.readouterr().err
    assert "1 of 2 revocations" in said
    assert "--unrevoke-missing" in said
    assert version_and_revoked(platform) == (2, ONE + TWO)
    assert cli.main(["import", str(platform), "--revoked", str(after), "--unrevoke-missing"]) == 0
    assert "1 revocations of before are gone" in capsys.readouterr().out
    assert version_and_revoked(platform) == (3, TWO + THREE)


def test_what_the_platform_itself_revokes_does_not_go_with_a_file(platform):
    repository = Repository(Layout(platform))
    repository.take(None, ONE, NOW_S)
    repository.revoke(ONE, NOW_S)
    assert repository.take(None, TWO, NOW_S).unrevoked == 0
    assert published(platform).revoked == ONE + TWO


def test_an_import_into_the_directory_of_an_earlier_version_makes_the_keys_that_it_lacks(platform):
    (platform / "keys" / "commands.pem").unlink()
    assert Repository(Layout(platform)).take(None, ONE, NOW_S).version == 2
    assert version_and_revoked(platform) == (2, ONE)


def test_a_withdrawal_says_how_many_revocations_are_gone(platform, capsys):
    Repository(Layout(platform)).take(None, ONE + TWO, NOW_S)
    assert cli.main(["import", str(platform), "--withdraw"]) == 0
    assert "2 revocations of before are gone" in capsys.readouterr().out


@pytest.fixture
def nearly_full(platform, monkeypatch):
    monkeypatch.setattr("platform_stub.issuing.imported.REVOKED_BYTES_MAX", 16)
    Repository(Layout(platform)).take(None, ONE + TWO, NOW_S)
    return platform


def test_a_revocation_that_no_terminal_would_read_changes_nothing(nearly_full):
    with pytest.raises(LayoutInvalid, match=r"revoked\.bin would have 24 bytes; terminals read 16"):
        Repository(Layout(nearly_full)).revoke(THREE, NOW_S)
    assert Layout(nearly_full).revoked.read_bytes() == b""
    assert version_and_revoked(nearly_full) == (2, ONE + TWO)
    Repository(Layout(nearly_full)).revoke(TWO, NOW_S)  # it is there


def test_an_import_is_counted_with_what_the_platform_revokes_itself(nearly_full):
    repository = Repository(Layout(nearly_full))
    repository.take(None, ONE, NOW_S, unrevokes=True)
    repository.revoke(THREE, NOW_S)
    with pytest.raises(ImportInvalid, match="terminals read 16"):
        repository.take(None, ONE + TWO, NOW_S)
    assert published(nearly_full).revoked == ONE + THREE
    assert Layout(nearly_full).imported_revoked.read_bytes() == ONE
    repository.take(None, ONE + THREE, NOW_S)  # one that both revoke counts once


def test_an_import_of_keys_alone_counts_the_revocations_that_are_there(nearly_full, monkeypatch):
    monkeypatch.setattr("platform_stub.issuing.imported.REVOKED_BYTES_MAX", 8)
    with pytest.raises(ImportInvalid, match="terminals read 8"):
        Repository(Layout(nearly_full)).take(
            b'{"format": "scanward-trust-list-1", "keys": [], "revocations": []}', None, NOW_S
        )
    assert not Layout(nearly_full).imported.exists()
    with pytest.raises(LayoutInvalid, match="terminals read 8"):
        Repository(Layout(nearly_full)).publish(NOW_S)
