"""Where the records are: what a database URL may say, what is remembered, and that nobody changes it by accident."""

import pytest

from platform_stub import cli
from platform_stub.layout import Layout, LayoutInvalid
from platform_stub.storage.place import PlaceInvalid, Server, choose_place, read_server, remember_place

URL = "postgresql://platform@127.0.0.1:5432/scanward"


@pytest.fixture
def layout(platform_directory):
    return Layout(platform_directory)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgres:///scanward",
        "postgresql://platform@localhost/scanward",
        "postgresql://platform@[::1]:5433/scanward",
        "postgresql://%2Frun%2Fpostgresql/scanward",
        "postgresql:///scanward?host=/run/postgresql",
        "postgresql://platform@db.example/scanward?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem",
        "postgresql://platform@127.0.0.1,127.0.0.2:5433/scanward?target_session_attrs=read-write",
    ],
)
def test_a_url_of_this_machine_or_with_tls_is_taken(url):
    assert read_server(url) == Server(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://platform@127.0.0.1/scanward", "postgresql://USER"),
        ("scanward", "postgresql://USER"),
        ("postgresql://[::1/scanward", "postgresql://USER"),
        ("postgresql://platform@127.0.0.1/scan\nward", "postgresql://USER"),
        (URL + "/" + "x" * 1024, "postgresql://USER"),
        ("postgresql://platform:secret-7@127.0.0.1/scanward", "--database-password-file"),
        (URL + "?password=secret-7", "--database-password-file"),
        (URL + "?sslpassword=secret-7", "--database-password-file"),
        ("postgresql://platform@db.example/scanward", "sslmode=verify-full"),
        ("postgresql://platform@192.0.2.7/scanward?sslmode=prefer", "sslmode=verify-full"),
        ("postgresql://platform@127.0.0.1,db.example/scanward", "sslmode=verify-full"),
        ("postgresql:///scanward?host=db.example", "sslmode=verify-full"),
    ],
)
def test_a_url_that_is_none_or_tells_secrets_is_refused_without_repeating_them(url, why):
    with pytest.raises(PlaceInvalid, match=why) as refused:
        read_server(url)
    assert "secret-7" not in str(refused.value)


def test_what_people_see_of_a_server_is_where_it_is():
    server = read_server("postgresql://platform@db.example:5433/scanward?sslmode=verify-full")
    assert str(server) == "postgresql://db.example:5433/scanward"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"secret-7", "secret-7"), (b"secret-7\n", "secret-7"), (b"", None), (b"\n", None), (b"a\nb", None),
     (b"\xff", None), (b"x" * 1025, None)],
)  # fmt: skip
def test_a_password_file_holds_one_line(tmp_path, content, expected):
    (tmp_path / "password").write_bytes(content)
    server = Server(URL, tmp_path / "password")
    if expected is None:
        with pytest.raises(PlaceInvalid, match="one line with the password"):
            server.read_password()
    else:
        assert server.read_password() == expected


def test_without_a_word_the_records_are_in_the_file(layout):
    assert choose_place(layout) == layout.database
    remember_place(layout, layout.database)
    assert not layout.database_choice.exists()


def test_a_server_is_remembered_and_need_not_be_named_again(layout, tmp_path):
    place = choose_place(layout, URL, tmp_path / "password")
    assert choose_place(layout) == layout.database  # not before it has been opened
    remember_place(layout, place)
    assert choose_place(layout) == choose_place(layout, URL) == Server(URL, tmp_path / "password")
    assert choose_place(layout, None, tmp_path / "other") == Server(URL, tmp_path / "other")


def test_nobody_changes_the_database_by_accident(layout):
    remember_place(layout, choose_place(layout, URL))
    with pytest.raises(PlaceInvalid, match=r"at postgresql://127.0.0.1:5432/scanward\. Leave --database out"):
        choose_place(layout, URL + "2")
    layout.database_choice.unlink()
    layout.database.touch()
    with pytest.raises(PlaceInvalid, match=r"are in platform\.sqlite, and are not moved"):
        choose_place(layout, URL)
    assert choose_place(layout) == layout.database


@pytest.mark.parametrize("content", ["", "url = 7", "url = ", 'url = "postgresql:///a"\npassword = "x"', "\udcff"])
def test_a_damaged_choice_is_one_clear_error(layout, content):
    layout.database_choice.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(LayoutInvalid, match="is damaged"):
        choose_place(layout)


@pytest.mark.parametrize(
    "arguments",
    [["--database", "postgresql://a:secret-7@127.0.0.1/b"], ["--database-password-file", "/nowhere"]],
)
def test_run_says_in_one_line_what_is_wrong_with_its_database(platform_directory, capsys, arguments):
    assert cli.main(["run", str(platform_directory), "--listen", "127.0.0.1:0", *arguments]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "secret-7" not in said
