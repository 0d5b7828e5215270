from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from reprokit.config import load_config
from reprokit.errors import ConfigError, IntegrityError, MachineError, NotFoundError, ReproKitError
from reprokit.plan import stack_name
from reprokit.stacks import locks
from tests.stacks.wheelhouse import index, make_wheel

REPOSITORY = Path(__file__).parents[2]


def lock_all(root: Path, **options: object) -> None:
    locks.lock_stack(root, "tiny", **options)  # type: ignore[arg-type]
    locks.lock_project(root, "tiny", root / "projects" / "one", **options)  # type: ignore[arg-type]


def load(root: Path) -> locks.LockedRequirements:
    return locks.load_locked(root, "tiny", root / "projects" / "one")


def refused(root: Path) -> str:
    with pytest.raises(ReproKitError) as caught:
        load(root)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "`reprokit lock`"
    return caught.value.code


def files_of(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_stack_and_a_project_on_top_of_it_are_locked(workspace: Path, resolver: str) -> None:
    stack, dev = locks.lock_stack(workspace, "tiny", resolver=resolver)
    project = locks.lock_project(workspace, "tiny", workspace / "projects/one", resolver=resolver)
    assert list(map(str, stack.lock.pins)) == ["numpy==1.0", "torch==9.9.9+cpu"]
    assert list(map(str, dev.lock.pins)) == ["colours==0.1", "debugger==3.0"]
    assert project is not None
    assert list(map(str, project.lock.pins)) == ["job-lib==1.5", "learn==2.0"]
    loaded = load(workspace)
    assert (loaded.stack, loaded.project) == (stack.lock, project.lock)
    assert locks.check_dev_lock(workspace, "tiny") == dev.lock
    assert loaded.digests == {"stack": stack.lock.digest, "project": project.lock.digest}
    assert stack.lock.header.resolver.startswith(resolver)


def test_both_resolvers_lock_the_same(workspace: Path) -> None:
    lock_all(workspace, resolver="uv")
    with_uv = load(workspace)
    for lock in workspace.rglob("*.lock"):
        lock.unlink()
    lock_all(workspace, resolver="pip-tools")
    assert load(workspace).digests == with_uv.digests


def test_locking_again_writes_the_same_bytes_and_newer_versions_wait_for_an_upgrade(
    workspace: Path, wheelhouse: Path
) -> None:
    lock_all(workspace)
    before = files_of(workspace)
    make_wheel(wheelhouse, "numpy", "1.1")
    result, _ = locks.lock_stack(workspace, "tiny")
    assert not result.written
    assert files_of(workspace) == before
    result, _ = locks.lock_stack(workspace, "tiny", upgrade=True)
    assert list(result.changes()) == [("numpy", "1.0", "1.1")]


def test_a_project_without_requirements_has_no_lock(workspace: Path) -> None:
    (workspace / "projects/one/requirements.in").write_text("# nothing\n")
    locks.lock_stack(workspace, "tiny")
    assert locks.lock_project(workspace, "tiny", workspace / "projects/one") is None
    assert load(workspace).project is None


def test_a_lock_that_is_not_there_stops_a_run(workspace: Path) -> None:
    assert refused(workspace) == "no-lock"
    locks.lock_stack(workspace, "tiny")
    assert refused(workspace) == "no-lock"


def test_a_change_of_the_stack_makes_its_lock_stale(workspace: Path) -> None:
    lock_all(workspace)
    file = workspace / "envs/tiny/stack.yaml"
    text = file.read_text()
    file.write_text("# a comment changes nothing\n" + text)
    load(workspace)
    file.write_text(text.replace("[numpy]", "[numpy<1]"))
    assert refused(workspace) == "stale-lock"


def test_a_change_of_the_requirements_makes_the_projects_lock_stale(workspace: Path) -> None:
    lock_all(workspace)
    (workspace / "projects/one/requirements.in").write_text("learn\ncolours\n")
    assert refused(workspace) == "stale-lock"
    locks.lock_project(workspace, "tiny", workspace / "projects/one")
    assert "colours" in {pin.name for pin in load(workspace).pins}
    (workspace / "projects/one/requirements.in").unlink()
    assert refused(workspace) == "stale-lock"


def test_a_new_lock_of_the_stack_makes_the_projects_lock_stale(
    workspace: Path, wheelhouse: Path
) -> None:
    lock_all(workspace)
    make_wheel(wheelhouse, "numpy", "1.1")
    locks.lock_stack(workspace, "tiny", upgrade=True)
    assert refused(workspace) == "stale-lock"


def test_an_edited_lock_that_lacks_a_hash_is_refused(workspace: Path) -> None:
    lock_all(workspace)
    path = workspace / "projects/one/requirements.tiny.lock"
    path.write_text(path.read_text().split("learn==")[0] + "learn==2.0\n")
    with pytest.raises(IntegrityError, match="`learn` has no hash"):
        load(workspace)


def test_a_package_of_the_stack_in_the_projects_lock_is_refused(workspace: Path) -> None:
    lock_all(workspace)
    path = workspace / "projects/one/requirements.tiny.lock"
    ours = [line for line in path.read_text().splitlines() if not line.startswith("# pins: ")]
    path.write_text("\n".join([*ours, "numpy==1.0 --hash=sha256:" + "1" * 64]) + "\n")
    with pytest.raises(IntegrityError, match="`numpy`"):
        load(workspace)


def test_an_unknown_stack_is_not_found(workspace: Path) -> None:
    with pytest.raises(NotFoundError, match="`small`"):
        locks.load_locked(workspace, "small", workspace / "projects/one")


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_requirements_that_contradict_one_another_leave_the_old_lock(
    workspace: Path, resolver: str
) -> None:
    lock_all(workspace)
    (workspace / "projects/one/requirements.in").write_text("learn\njob-lib<1\n")
    before = files_of(workspace)
    with pytest.raises(ReproKitError):
        locks.lock_project(workspace, "tiny", workspace / "projects/one", resolver=resolver)
    assert files_of(workspace) == before


def test_a_resolver_that_is_not_there_is_told(workspace: Path) -> None:
    with pytest.raises(ConfigError, match="`conda`"):
        locks.lock_stack(workspace, "tiny", resolver="conda")


def test_pip_tools_refuses_a_stack_for_another_python(workspace: Path) -> None:
    file = workspace / "envs/tiny/stack.yaml"
    file.write_text(file.read_text().replace("3.11", "3.9", 1))
    with pytest.raises(MachineError) as caught:
        locks.lock_stack(workspace, "tiny", resolver="pip-tools")
    assert caught.value.code == "resolver-platform"
    assert locks.lock_stack(workspace, "tiny", resolver="uv")[0].lock.header.python == "3.9"


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_nothing_of_the_machine_and_its_settings_is_in_a_lock(
    workspace: Path, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch, resolver: str
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    (wheelhouse / "numpy-1.0-py3-none-any.whl").rename(workspace / "numpy-1.0-py3-none-any.whl")
    with index(workspace) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://planted-user:planted-word@{host}/simple")
        lock_all(workspace, resolver=resolver)
    (workspace / "numpy-1.0-py3-none-any.whl").unlink()
    written = b"".join(files_of(workspace).values())
    assert b"numpy==1.0" in written
    for secret in (
        host,
        "planted-user",
        "planted-word",
        str(wheelhouse),
        str(workspace),
        "127.0.0.1",
    ):
        assert secret.encode() not in written


def fails_to_lock(root: Path) -> ReproKitError:
    before = files_of(root)
    with pytest.raises(ReproKitError) as caught:
        locks.lock_stack(root, "tiny", upgrade=True)
    assert files_of(root) == before
    assert caught.value.exit_code == 4
    return caught.value


def test_an_index_that_is_down_is_told_with_the_setting_that_chose_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    with index(workspace) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://planted-user:planted-word@{host}/simple")
    error = fails_to_lock(workspace)
    assert error.code == "index-unreachable"
    assert "refused" in error.message
    assert "PIP_INDEX_URL" in str(error.where)
    assert "planted" not in str(error.document())


def test_a_tls_error_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    with index(workspace) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"https://{host}/simple")
        assert fails_to_lock(workspace).code == "index-unreachable"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_index_that_says_no_is_told(
    workspace: Path, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def no(request: BaseHTTPRequestHandler) -> bool:
        request.send_error(status)
        return True

    monkeypatch.delenv("PIP_NO_INDEX")
    (wheelhouse / "numpy-1.0-py3-none-any.whl").unlink()
    with index(workspace, first=no) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/simple")
        error = fails_to_lock(workspace)
    assert error.code in ("index-unreachable", "not-on-index")
    assert "PIP_INDEX_URL" in str(error.where)


def test_the_locks_of_this_repository_are_fresh() -> None:
    for stack in sorted(path.parent.name for path in REPOSITORY.glob("envs/*/stack.yaml")):
        locks.check_dev_lock(REPOSITORY, stack)
    for config in REPOSITORY.glob("projects/*/config.yaml"):
        locks.load_locked(REPOSITORY, stack_name(load_config(config)), config.parent)


@pytest.mark.index
@pytest.mark.slow
def test_both_resolvers_give_the_same_pins_for_the_digits_project(tmp_path: Path) -> None:
    found = {}
    for resolver in ("uv", "pip-tools"):
        root = tmp_path / resolver
        for name in ("envs/cpu/stack.yaml", "projects/digits/requirements.in"):
            (root / name).parent.mkdir(parents=True)
            (root / name).write_bytes((REPOSITORY / name).read_bytes())
        stack = locks.lock_stack(root, "cpu", resolver=resolver)[0].lock
        project = locks.lock_project(root, "cpu", root / "projects/digits", resolver=resolver)
        assert project is not None
        found[resolver] = (stack.pins, project.lock.pins)
    assert found["uv"] == found["pip-tools"]
