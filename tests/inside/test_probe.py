"""The probe in real interpreters: what it says is what they have."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reprokit.inside import probe
from reprokit.inside.layers.packages import normal
from tests.inside.trainings import PROBE, interpreters, site_packages

BOTTOM_UP = ["hardware", "driver", "system", "python", "packages", "framework", "randomness"]


def snapshot(python: Path | str, **variables: str) -> dict[str, Any]:
    """The layers that the probe sees in an interpreter, started as the supervisor starts it."""
    done = subprocess.run(
        [str(python), "-I", "-S", str(PROBE)],
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], **variables},
    )
    taken: dict[str, Any] = json.loads(done.stdout)
    assert taken["schema"] == "reprokit/snapshot/1"
    assert list(taken["layers"]) == BOTTOM_UP
    assert set(taken["durations_ms"]) == set(BOTTOM_UP)
    layers: dict[str, Any] = taken["layers"]
    return layers


def named(layers: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["version"] for each in layers["packages"]["distributions"]}


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: Path(path).parts[-3])
def test_every_python_of_this_machine_can_take_the_snapshot(python: str) -> None:
    layers = snapshot(python)
    said = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert layers["python"]["version"] == said.stdout.strip()
    assert not [name for name, facts in layers.items() if "unknown" in facts]


def test_the_distributions_are_those_that_python_itself_finds() -> None:
    own = {
        normal(each.metadata["Name"]): each.version
        for each in importlib.metadata.distributions()
        if "site-packages" in str(each.locate_file(""))
    }
    layers = snapshot(sys.executable)
    assert named(layers) == own
    records = [each["record"] for each in layers["packages"]["distributions"]]
    assert all(record.startswith("sha256:") for record in records)


def test_torch_s_build_is_known_without_importing_it() -> None:
    import torch

    said = snapshot(sys.executable)["framework"]["torch"]
    assert said["installed"] is True
    assert said["version"] == torch.__version__
    assert said["git_version"] == torch.version.git_version
    assert said["cuda"] == torch.version.cuda


def test_an_empty_environment_has_no_packages_and_no_torch(venv: Callable[..., Path]) -> None:
    python = venv()
    layers = snapshot(python)
    assert named(layers) == {}
    assert layers["framework"] == {"torch": {"installed": False}}
    assert layers["python"]["executable"] == str(python)
    assert layers["python"]["prefix"] == str(python.parent.parent)
    assert layers["python"]["virtual_environment"] is True


def test_an_environment_with_system_packages_has_both(venv: Callable[..., Path]) -> None:
    python = venv("--system-site-packages")
    add(site_packages(python), "pip-99.0.dist-info")
    layers = snapshot(python)
    seen = [each for each in layers["packages"]["distributions"] if each["name"] == "pip"]
    assert (seen[0]["version"], seen[0].get("shadowed")) == ("99.0", None)
    assert all(each["shadowed"] for each in seen[1:])
    code = "import sys; print(*[p for p in sys.path if p.endswith('-packages')], sep='\\n')"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert layers["packages"]["folders"] == said.stdout.split()


@pytest.mark.index
def test_what_pip_installs_is_recorded_with_its_origin(
    venv: Callable[..., Path], tmp_path: Path
) -> None:
    python = venv()
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "iniconfig==2.1.0"], check=True, capture_output=True)
    project = tmp_path / "mine"
    project.mkdir()
    (project / "mine.py").write_text("")
    (project / "pyproject.toml").write_text('[project]\nname = "My.Tool"\nversion = "1.2"\n')
    subprocess.run([*pip, "--editable", project], check=True, capture_output=True)
    packages = snapshot(python)["packages"]["distributions"]
    by_name = {each["name"]: each for each in packages if not each.get("shadowed")}
    assert set(by_name) == {"iniconfig", "my-tool"}
    assert by_name["iniconfig"]["version"] == "2.1.0"
    assert by_name["iniconfig"]["installer"] == "pip"
    assert "direct_url" not in by_name["iniconfig"]
    assert by_name["my-tool"]["direct_url"]["url"] == project.as_uri()
    assert by_name["my-tool"]["direct_url"]["dir_info"] == {"editable": True}


def test_an_old_editable_install_is_found_through_its_pth_file(
    venv: Callable[..., Path], tmp_path: Path
) -> None:
    python = venv()
    site = site_packages(python)
    project = tmp_path / "project"
    (project / "old_tool.egg-info").mkdir(parents=True)
    (project / "old_tool.egg-info" / "PKG-INFO").write_text("Name: old_tool\nVersion: 0.3\n")
    (site / "easy-install.pth").write_text(f"# added\n{project}\n/nowhere\n")
    (site / "start.pth").write_text("import os\n")
    layers = snapshot(python)
    assert named(layers) == {"old-tool": "0.3"}
    assert layers["packages"]["folders"] == [str(site), str(project)]
    assert layers["packages"]["startup_code"] == ["start.pth"]


def test_values_of_variables_stay_out_and_their_names_are_in() -> None:
    secret = "hunter2-4b1d"
    layers = snapshot(sys.executable, WANDB_API_KEY=secret, OMP_NUM_THREADS="3", HTTP_PROXY=secret)
    assert secret not in json.dumps(layers)
    assert layers["randomness"]["variables"]["OMP_NUM_THREADS"] == "3"
    assert {"WANDB_API_KEY", "HTTP_PROXY", "PATH"} <= set(layers["randomness"]["other_variables"])


def test_a_layer_that_fails_is_unknown_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gather() -> dict[str, object]:
        raise PermissionError(13, "no", "/etc/os-release")

    broken = SimpleNamespace(NAME="system", gather=gather)
    monkeypatch.setattr(probe, "LAYERS", (probe.LAYERS[0], broken, probe.LAYERS[3]))
    layers = probe.take({})["layers"]
    assert layers["system"] == {"unknown": "PermissionError: [Errno 13] no: '/etc/os-release'"}
    assert layers["python"]["implementation"] == sys.implementation.name


def test_the_host_adds_layers_and_never_replaces_an_observed_one() -> None:
    layers = probe.take({"code": {"commit": "abc"}, "python": {"version": "1.5"}})["layers"]
    assert layers["code"] == {"commit": "abc"}
    assert layers["python"]["version"] != "1.5"
    assert list(layers) == [*BOTTOM_UP, "code"]


def test_the_probe_imports_nothing_heavy() -> None:
    code = (
        "import runpy, sys, io\n"
        "sys.stdout, real = io.StringIO(), sys.stdout\n"
        f"try: runpy.run_path({str(PROBE)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=real)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"ast", "subprocess", "platform", "sysconfig", "site", "inspect", "email"}
    assert not heavy & set(done.stdout.split())
    assert "importlib.metadata" not in done.stdout


def add(site: Path, name: str, **files: str) -> Path:
    """A distribution's metadata folder, as installers write it."""
    folder = site / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file.replace("__", ".")).write_text(text)
    return folder
