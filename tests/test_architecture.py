"""The house as docs/architecture.md draws it: who imports whom, starts programs, prints; how long a module is."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "reprokit"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
MODULES = sorted(PACKAGE.rglob("*.py"))
# Everybody's own: they say nothing about a machine.
PUBLIC_HOSTS = re.compile(
    r"(localhost|127\.0\.0\.1|(.+\.)?(pypi\.org|pythonhosted\.org|pytorch\.org|debian\.org|ubuntu\.com))"
)


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse(path.read_text("utf-8"), str(path))


def imported(path: Path) -> Iterator[str]:
    """Every module that a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(path: Path) -> str:
    """The part of the house that a module belongs to: a package, or a module of its own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def parts() -> dict[str, set[str]]:
    """Part -> the parts that it imports."""
    graph: dict[str, set[str]] = {part(path): set() for path in MODULES}
    for path in MODULES:
        ours = (name.split(".")[1] for name in imported(path) if name.startswith("reprokit."))
        graph[part(path)] |= {name for name in ours if name in graph} - {part(path)}
    return graph


def floors() -> list[list[str]]:
    """The floors that the page draws, top to bottom; `core` and `inside` have a rule of their own."""
    drawn = re.search(r"```\n(cli {1,2}>.*?)```", PAGE, re.DOTALL)
    assert drawn, "docs/architecture.md draws no floors"
    return [re.findall(r"\w+", floor) for floor in drawn[1].split("  <  ")[0].split(">")]


def test_the_page_draws_floors_that_are_there() -> None:
    names = [name for floor in floors() for name in floor]
    assert len(names) > 10
    assert set(names) <= set(parts())


def test_nothing_imports_what_stands_above_it() -> None:
    level = {name: number for number, floor in enumerate(floors()) for name in floor}
    upward = {
        f"{above} > {below}: but {below} imports {above}"
        for below, names in parts().items()
        for above in names
        if below in level and above in level and level[above] < level[below]
    }
    assert not upward


def test_no_two_parts_import_each_other() -> None:
    TopologicalSorter(parts()).prepare()


def test_what_runs_inside_an_environment_imports_nothing_of_ours_but_itself() -> None:
    assert parts()["inside"] == set()
    assert parts()["core"] <= {"inside"}


def test_the_library_never_imports_the_command_line_or_typer() -> None:
    for path in MODULES:
        if part(path) not in ("cli", "__main__"):
            names = [name.split(".")[0] for name in imported(path)]
            assert "typer" not in names, path
            assert "cli" not in parts()[part(path)], path


# Ways to start another program besides `subprocess`.
STARTS = re.compile(r"(fork|forkpty|system|popen|posix_spawnp?|spawn[lv]p?e?|exec[lv]p?e?)")


def test_only_the_process_module_and_the_inside_start_programs() -> None:
    for path in MODULES:
        if path == PACKAGE / "process.py" or part(path) == "inside":
            continue
        names = list(imported(path))
        assert not any(
            name.startswith(("subprocess", "multiprocessing", "pty")) for name in names
        ), path
        calls = {
            node.attr
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            and STARTS.fullmatch(node.attr)
        }
        assert not calls, path


def test_only_the_command_line_prints_and_only_its_bars_know_rich() -> None:
    for path in MODULES:
        name = str(path.relative_to(PACKAGE))
        if "rich" in {module.split(".")[0] for module in imported(path)}:
            assert re.fullmatch(r"cli/(watcher|render|\w*bar)\.py", name), path
        prints = [
            node
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        # `--version` is answered before anything is imported.
        assert not prints or name == "__main__.py", path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_every_file_that_the_page_mentions_is_there() -> None:
    names = set(re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|md|toml))`", PAGE))
    names |= set(re.findall(r"`((?:[\w-]+/)+)`", PAGE))
    assert len(names) > 10
    made = {"logs/", "checkpoints/", "outputs/", "debug/", "tensorboard/", "runs/", "observed/"}
    homes = (REPOSITORY, PACKAGE, REPOSITORY / "docs")
    lost = {name for name in names - made if not any((home / name).exists() for home in homes)}
    assert not lost


def machine_words() -> dict[str, str]:
    """What only this machine is called: index hosts and local folders -> where that is set."""
    from reprokit.stacks.pipconfig import read_settings

    settings = read_settings()
    indexes = [settings.index_url, *settings.extra_index_urls, *settings.find_links, settings.proxy]
    apt = [
        address
        for path in sorted(Path("/etc/apt").rglob("*"))
        if path.is_file()
        for line in path.read_text("utf-8", "replace").splitlines()
        if re.match(r"\s*(deb(-src)? |URIs: |Acquire::\S*proxy\S* )", line, re.IGNORECASE)
        for address in re.findall(r"\bhttps?://[^\s\"';]+", line)
    ]
    words = {}
    for address in filter(None, [*indexes, *apt]):
        host = urlsplit(address).hostname
        path = urlsplit(address).path if address.startswith(("file:", "/")) else ""
        if host and not PUBLIC_HOSTS.fullmatch(host):
            words[host] = "pip or apt"
        if len(Path(path).parts) > 2:
            words[path.rstrip("/")] = "pip"
    words[str(REPOSITORY)] = "this checkout"
    if sys.prefix != sys.base_prefix:
        words[sys.prefix] = "this virtual environment"
    return words


def test_no_tracked_file_names_this_machine() -> None:
    words = machine_words()
    patterns = [option for word in words for option in ("-e", word)]
    done = subprocess.run(
        ["git", "grep", "-nIF", *patterns], cwd=REPOSITORY, capture_output=True, check=False
    )
    assert done.returncode == 1, done.stdout.decode() or done.stderr.decode()
