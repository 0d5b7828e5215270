"""Does an index answer? Against real servers on 127.0.0.1; nothing else is asked."""

import socket
from pathlib import Path

import pytest

from reprokit.doctor.reach import judge, reach, reach_all
from reprokit.stacks.pipconfig import PackageSettings
from tests.doctor.index import index

NONE = PackageSettings()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_one_small_page_of_an_index_is_asked_for() -> None:
    with index() as served:
        assert reach(served.address, NONE).trouble is None
    assert served.requests == [("/simple/pip/", None)]


def test_an_index_without_that_page_answers_too() -> None:
    with index(404) as served:
        assert reach(served.address, NONE).trouble is None


def test_the_password_of_an_address_is_used_and_never_told() -> None:
    with index(403) as served:
        address = served.address.replace("://", "://me:hush%21@")
        answer = reach(address, NONE)
    assert served.requests[0][1] == "Basic bWU6aHVzaCE="
    assert answer.trouble == "it refuses you"


def test_a_redirection_is_not_followed_with_the_password_in_hand() -> None:
    with index() as other, index(302, location=other.address) as served:
        address = served.address.replace("://", "://me:hush@")
        assert reach(address, NONE).trouble is None
    assert other.requests == []


def test_the_users_proxy_is_asked_in_the_indexs_place() -> None:
    with index() as proxy:
        settings = PackageSettings(proxy=proxy.address.removeprefix("http://").partition("/")[0])
        assert reach("http://index.example/simple", settings).trouble is None
    assert proxy.requests == [("http://index.example/simple/pip/", None)]


def test_where_nothing_listens_that_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert reach(f"https://127.0.0.1:{port}/simple", NONE).trouble == "nothing listens there"


def test_a_server_that_speaks_no_tls_is_named_so() -> None:
    with index() as served:
        answer = reach(served.address.replace("http:", "https:"), NONE)
    assert (answer.trouble or "").startswith("no encrypted connection")


def test_an_index_that_hangs_is_given_up_on_with_all_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, index() as served:
        hanging = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        answers = reach_all({hanging: "pip/", served.address: "x/"}, NONE, patience_s=0.3)
    assert "no answer" in (answers[hanging].trouble or "")
    assert answers[served.address].trouble is None


def test_an_index_in_a_folder_is_looked_at(tmp_path: Path) -> None:
    assert reach(tmp_path.as_uri(), NONE).trouble is None
    assert reach((tmp_path / "gone").as_uri(), NONE).trouble == "the folder is not there"


def test_an_address_of_another_kind_is_no_index() -> None:
    assert "`ftp:` is no address" in (reach("ftp://a.example/simple", NONE).trouble or "")


@pytest.mark.parametrize("status", [401, 407])
def test_a_password_that_is_missing_is_told(status: int) -> None:
    assert "password" in (judge(status) or "")


def test_a_server_in_trouble_is_told() -> None:
    assert judge(503) == "it answers with error 503"
