"""A `Stack` -> the text of its Dockerfiles: the same bytes for the same stack, always."""

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reprokit import files
from reprokit.stacks.model import Stack
from reprokit.values import dataclass

if TYPE_CHECKING:
    import jinja2

Kind = Literal["dev", "prod"]

KINDS: tuple[Kind, ...] = ("dev", "prod")
TEMPLATES = Path(__file__).parent / "templates"
# The time that every file written by a layer gets, and the image itself: any fixed one would do.
SOURCE_DATE_EPOCH = 1_700_000_000
# For those who build by hand; ReproKit's own builds use the uv that came with it.
UV_VERSION = "0.13.8"


@dataclass(frozen=True)
class GeneratedFile:
    """A generated file: where it belongs, and whether what was there is not what it should hold."""

    path: Path
    changed: bool


def prod_dockerfile(stack: Stack) -> str:
    """The Dockerfile with the stages `environment` (what a run uses) and `prod` (with the code)."""
    return _render("prod.Dockerfile.j2", stack, "prod")


def dev_dockerfile(stack: Stack) -> str:
    """The Dockerfile of the same environment with the tools of a person who debugs."""
    return _render("dev.Dockerfile.j2", stack, "dev")


def dockerignore(stack: Stack, kind: Kind) -> str:
    """What the engine gets to see of the workspace when the Dockerfile is built by hand."""
    return _render("dockerignore.j2", stack, kind)


def dockerfile(stack: Stack, kind: Kind) -> str:
    """The Dockerfile of `kind`."""
    return prod_dockerfile(stack) if kind == "prod" else dev_dockerfile(stack)


def classic_dockerfile(stack: Stack, kind: Kind) -> str:
    """The Dockerfile of `kind` for Docker's classic builder, which has no mounts and no secrets."""
    return _render("classic.Dockerfile.j2", stack, kind)


def recipe_files(stack: Stack) -> dict[str, str]:
    """What the layers run, name -> text, for a builder that cannot hold it in the Dockerfile itself."""
    names = {"layer": "_layer.sh.j2", "compile.py": "_compile.py.j2"}
    return {name: _render(template, stack, "prod") for name, template in names.items()}


def dockerfile_path(workspace_root: Path, stack_name: str, kind: Kind) -> Path:
    """Where the Dockerfile of a stack belongs."""
    return workspace_root / "dockerfiles" / stack_name / f"{kind}.Dockerfile"


def write_dockerfiles(
    workspace_root: Path, stack: Stack, *, check: bool = False
) -> tuple[GeneratedFile, ...]:
    """Write `dockerfiles/STACK/{dev,prod}.Dockerfile` and the ignore files that belong to them.

    Args:
        workspace_root: the workspace.
        stack: what they are made from.
        check: write nothing, only say which differ.

    Raises:
        MachineError: the file system refused; the files of before are intact.
    """
    written = []
    for kind in KINDS:
        path = dockerfile_path(workspace_root, stack.name, kind)
        written.append(_put(path, dockerfile(stack, kind), check=check))
        ignored = path.with_name(path.name + ".dockerignore")
        written.append(_put(ignored, dockerignore(stack, kind), check=check))
    return tuple(written)


def recipe_digest() -> str:
    """Digest of what decides an image beside its stack and locks: a part of an image's `env_id`.

    On the hot path of `reprokit run`: the templates are read, not rendered.
    """
    digest = hashlib.sha256(f"{SOURCE_DATE_EPOCH} {UV_VERSION}".encode())
    for path in sorted(TEMPLATES.glob("*.j2")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return "sha256:" + digest.hexdigest()


def _put(path: Path, text: str, *, check: bool) -> GeneratedFile:
    data = text.encode()
    changed = not path.is_file() or path.read_bytes() != data
    if changed and not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, data)
    return GeneratedFile(path, changed)


def _render(template: str, stack: Stack, kind: Kind) -> str:
    text = (
        _templates()
        .get_template(template)
        .render(stack=stack, kind=kind, epoch=SOURCE_DATE_EPOCH, uv_version=UV_VERSION)
    )
    return text.rstrip("\n") + "\n"


@cache
def _templates() -> "jinja2.Environment":
    """The templates; compiling them takes 10 ms, and a workspace has many Dockerfiles."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a Dockerfile, not a page; parse_stack allows no quotes or spaces
    )
