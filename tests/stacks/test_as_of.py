"""Locks as of a day: the index as it stood then, kept by later calls, and a lock that tells."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from pathlib import Path

import pytest

from reprokit.errors import ConfigError, ReproKitError
from reprokit.stacks import asof, locks
from tests.stacks.wheelhouse import index, make_wheel, sha256

DAYS = {"1.0": "2023-01-10", "1.1": "2023-03-10", "1.2": "2023-06-10"}


@pytest.fixture
def dated(workspace: Path, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An index that says when each file came: three releases of numpy and of learn; torch is beside it."""
    served = workspace.parent / "served"
    for release in DAYS:
        make_wheel(served, "numpy", release)
        make_wheel(served, "learn", release, needs=("numpy",))
    for name in ("numpy-1.0", "learn-2.0"):
        (wheelhouse / f"{name}-py3-none-any.whl").unlink()

    def answer(request: BaseHTTPRequestHandler) -> bool:
        parts = request.path.strip("/").split("/")
        if parts[0] != "simple":
            return False
        page = {"meta": {"api-version": "1.1"}, "name": parts[1], "versions": list(DAYS)}
        page["files"] = [
            {
                "filename": wheel.name,
                "url": f"/files/{wheel.name}",
                "hashes": {"sha256": sha256(wheel)},
                "upload-time": f"{DAYS[wheel.name.split('-')[1]]}T12:00:00.000000Z",
                "size": wheel.stat().st_size,
            }
            for wheel in sorted(served.glob(f"{parts[1]}-*.whl"))
        ]
        data = json.dumps(page).encode()
        request.send_response(200 if page["files"] else 404)
        request.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
        return True

    monkeypatch.delenv("PIP_NO_INDEX")
    with index(served, first=answer) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/simple")
        yield workspace


def numpy_of(root: Path, **options: str) -> tuple[str | None, str | None]:
    """The numpy that the stack gets, and the day that its lock names."""
    lock = locks.lock_stack(root, "tiny", **options)[0].lock  # type: ignore[arg-type]
    assert locks.check_stack_lock(root, "tiny") == lock
    return lock.version("numpy"), lock.header.as_of


# The project asks for pip 26.3; an environment made by other means may have the one of its Python.
needs_new_pip = pytest.mark.skipif(
    int(version("pip").partition(".")[0]) < 26, reason="pip is older than the project asks for"
)


@pytest.mark.parametrize("resolver", ["uv", pytest.param("pip-tools", marks=needs_new_pip)])
def test_a_lock_as_of_a_day_has_what_the_index_had_then(dated: Path, resolver: str) -> None:
    assert numpy_of(dated, as_of="2023-04-01", resolver=resolver) == ("1.1", "2023-04-01")
    assert "# as-of: 2023-04-01\n" in (dated / "envs/tiny/requirements.lock").read_text()


def test_a_day_counts_to_its_end(dated: Path) -> None:
    assert numpy_of(dated, as_of="2023-03-10") == ("1.1", "2023-03-10")
    assert numpy_of(dated, as_of="2023-03-09") == ("1.0", "2023-03-09")
    assert numpy_of(dated, as_of="2023-06-10T11:00:00Z") == ("1.1", "2023-06-10T11:00:00Z")


def test_a_later_lock_keeps_the_day_and_none_lifts_it(dated: Path) -> None:
    numpy_of(dated, as_of="2023-04-01")
    assert numpy_of(dated) == ("1.1", "2023-04-01")
    file = dated / "envs/tiny/stack.yaml"
    file.write_text(file.read_text().replace("[numpy]", "[numpy>=1]"))
    assert numpy_of(dated) == ("1.1", "2023-04-01")
    assert numpy_of(dated, as_of="none") == ("1.2", None)


def test_versions_of_another_day_do_not_stay(dated: Path) -> None:
    numpy_of(dated, as_of="2023-01-20")
    assert numpy_of(dated, as_of="2023-12-31") == ("1.2", "2023-12-31")


def test_a_day_that_is_edited_in_a_lock_makes_it_stale(dated: Path) -> None:
    numpy_of(dated, as_of="2023-04-01")
    path = dated / "envs/tiny/requirements.lock"
    for changed in ("# as-of: 2024-04-01\n", ""):
        text = path.read_text()
        path.write_text(text.replace("# as-of: 2023-04-01\n", changed))
        with pytest.raises(ConfigError) as caught:
            locks.check_stack_lock(dated, "tiny")
        assert caught.value.code == "stale-lock"
        path.write_text(text)


def test_a_project_is_as_of_the_day_of_its_stack_unless_it_says_another(dated: Path) -> None:
    numpy_of(dated, as_of="2023-04-01")
    result = locks.lock_project(dated, "tiny", dated / "projects/one")
    assert result is not None
    assert (result.lock.version("learn"), result.lock.header.as_of) == ("1.1", "2023-04-01")
    result = locks.lock_project(dated, "tiny", dated / "projects/one", as_of="2023-07-01")
    assert result is not None
    assert (result.lock.version("learn"), result.lock.header.as_of) == ("1.2", "2023-07-01")


def test_a_project_of_an_earlier_day_stands_on_the_stack_as_it_is(dated: Path) -> None:
    assert numpy_of(dated) == ("1.2", None)
    result = locks.lock_project(dated, "tiny", dated / "projects/one", as_of="2023-02-01")
    assert result is not None
    assert list(map(str, result.lock.pins)) == ["learn==1.0"]


def test_a_day_before_everything_leaves_the_old_locks(dated: Path) -> None:
    numpy_of(dated)
    before = (dated / "envs/tiny/requirements.lock").read_bytes()
    with pytest.raises(ReproKitError):
        locks.lock_stack(dated, "tiny", as_of="2022-01-01")
    assert (dated / "envs/tiny/requirements.lock").read_bytes() == before


def test_a_day_on_which_torch_was_not_there_is_refused_with_the_one_that_fits(
    workspace: Path,
) -> None:
    file = workspace / "envs/tiny/stack.yaml"
    file.write_text(file.read_text().replace("9.9.9", "2.4.0"))
    with pytest.raises(ConfigError) as caught:
        locks.lock_stack(workspace, "tiny", as_of="2023-12-31")
    assert caught.value.code == "newer-than-cutoff"
    assert "torch 2.1.2 (cu121)" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "parsed", "cutoff"),
    [
        ("2023-05-01", "2023-05-01", "2023-05-02T00:00:00Z"),
        ("2023-12-31", "2023-12-31", "2024-01-01T00:00:00Z"),
        ("2023-05-01T02:00:00+02:00", "2023-05-01T00:00:00Z", "2023-05-01T00:00:00Z"),
    ],
)
def test_days_and_moments_have_one_form(text: str, parsed: str, cutoff: str) -> None:
    assert asof.parse_as_of(text) == parsed
    assert asof.cutoff(parsed) == cutoff


@pytest.mark.parametrize("text", ["", "soon", "2023-02-30", "2023-05-01T00:00:00", "20230501"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asof.parse_as_of(text)
    assert caught.value.code == "bad-date"
