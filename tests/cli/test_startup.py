"""What a command imports is what people wait for: heavy libraries stay out until they are used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Place

HEAVY = {"docker", "jinja2", "numpy", "pydantic", "requests", "rich", "torch"}
# On the path of a plain run, measured: typer 40 ms, inspect (through dataclasses) 6 ms, ...
COSTLY = HEAVY | {
    *("asyncio", "concurrent", "dataclasses", "email", "http", "importlib.metadata", "inspect"),
    *("logging", "packaging", "socket", "sqlite3", "ssl", "tempfile", "typer", "uuid"),
}

# Runs the command as its console script does and tells what it had imported when it left.
SCRIPT = """
import os, sys
told = sys.argv.pop(1)

def tell():
    with open(told, "w") as stream:
        stream.write("\\n".join(sys.modules))

leave = os._exit
def leaving(code):
    tell()
    leave(code)

os._exit = leaving
from reprokit.__main__ main
try:
    main()
finally:
    tell()
""".replace("__main__ main", "__main__ import main")


def imported(tmp_path: Path, *words: str | Path, cwd: Path | None = None) -> set[str]:
    """The modules that `reprokit WORDS` has imported when it ends, which must be well."""
    told = tmp_path / "modules"
    argv = [sys.executable, "-c", SCRIPT, str(told), *map(str, words)]
    done = subprocess.run(argv, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(told.read_text().split("\n"))


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["lock", "--help"]]
)
def test_asking_for_help_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    assert not imported(tmp_path, *words) & HEAVY


def test_the_version_needs_next_to_nothing(tmp_path: Path) -> None:
    modules = imported(tmp_path, "--version")
    assert {name for name in modules if name.startswith("reprokit.")} <= {"reprokit.__main__"}
    assert not modules & COSTLY


def test_a_run_in_a_ready_environment_imports_nothing_costly(place: Place, tmp_path: Path) -> None:
    config = place.project("noop", "pass")
    place.run(config)
    assert not imported(tmp_path, "run", config, "--engine", "venv", cwd=place.root) & COSTLY


def test_nor_does_one_that_typer_reads(place: Place, tmp_path: Path) -> None:
    config = place.project("noop", "pass")
    place.run(config)
    words = ["run", config, "--engine=venv", "--json"]
    assert not imported(tmp_path, *words, cwd=place.root) & HEAVY


def test_the_supervisor_imports_nothing_costly(place: Place) -> None:
    """It runs beside every training, on the training's own processors."""
    script = """
import json, os, pathlib
mine = os.getppid()
lines = pathlib.Path(f"/proc/{mine}/maps").read_text().split()
pathlib.Path("outputs/maps.json").write_text(json.dumps(sorted({x for x in lines if ".so" in x})))
"""
    record = place.run(place.project("maps", script))
    libraries = json.loads((record["folder"] / "outputs" / "maps.json").read_text())
    assert not [
        path for path in libraries if "_ctypes" in path or "_ssl." in path or "_sqlite" in path
    ]
