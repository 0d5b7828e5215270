"""`envs/NAME/stack.yaml` -> a frozen `Stack`: the pinned base that projects build upon."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reprokit.errors import ConfigError, Problem
from reprokit.stacks.find import STACK_FILE, stack_folder
from reprokit.suggest import closest
from reprokit.values import dataclass, replace

if TYPE_CHECKING:
    from reprokit.strictyaml import Node

T = TypeVar("T")

DEV_TOOLS = ("debugpy", "ipdb", "jupyterlab")
# ReproKit's word for a platform (as container engines say it) -> uv's. PyTorch's wheels ask for
# glibc 2.28 since 2.6; older wheels run there as well.
UV_PLATFORMS = {
    "linux/amd64": "x86_64-manylinux_2_28",
    "linux/arm64": "aarch64-manylinux_2_28",
}
PYTORCH_INDEX = "https://download.pytorch.org/whl/"


@dataclass(frozen=True)
class BaseImage:
    """A base image: its name with a tag and, where pinned, the digest that the tag must have."""

    ref: str
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.ref}@{self.digest}" if self.digest else self.ref


@dataclass(frozen=True)
class Stack:
    """A named, pinned base.

    Attributes:
        name: the folder's name under `envs/`.
        python: minor version, e.g. `3.11`.
        torch: release without the variant, e.g. `2.13.0`.
        variant: `cpu` or `cuNNN`, as PyTorch's own index names its builds.
        image: what containers are built from.
        platform: `linux/amd64` or `linux/arm64`.
        system: packages of the image's own package manager.
        requirements: what is locked beside torch, as in a requirements file.
        dev: tools of a person who debugs; locked apart, for the dev image only.
        index: who serves torch: `pypi` (the user's own package index, as plain `torch==VERSION`) or
            `pytorch` (PyTorch's own index, as `torch==VERSION+VARIANT`); None: see `served_by`.
    """

    name: str
    python: str
    torch: str
    variant: str
    image: BaseImage
    platform: str = "linux/amd64"
    system: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    dev: tuple[str, ...] = DEV_TOOLS
    index: str | None = None

    @property
    def served_by(self) -> str:
        """`pypi` where the package index serves this very variant by default, else `pytorch`."""
        if self.index is not None:
            return self.index
        if self.variant == "cpu":
            return "pytorch"
        from reprokit.stacks.facts.lookup import default_variant

        is_default = default_variant(self.torch, self.platform) == self.variant
        return "pypi" if is_default else "pytorch"

    @property
    def torch_version(self) -> str:
        """The exact text of torch's version: PyTorch's own index says the variant in it."""
        release = self.torch if self.torch.count(".") > 1 else f"{self.torch}.0"
        return release if self.served_by == "pypi" else f"{release}+{self.variant}"

    @property
    def torch_pin(self) -> str:
        """The build of torch as a lock pins it."""
        return f"torch=={self.torch_version}"

    @property
    def torch_requirement(self) -> str:
        """The build of torch as it is asked for: by its very text.

        `torch==2.13.0` is fulfilled by `2.13.0+cpu`, and a folder of wheels may hold that one.
        """
        return f"torch==={self.torch_version}"

    @property
    def torch_index(self) -> str:
        """PyTorch's own index for this variant."""
        return PYTORCH_INDEX + self.variant


def load_stack(workspace_root: Path, name: str) -> Stack:
    """Read and validate `envs/NAME/stack.yaml`.

    Raises:
        ConfigError: it does not say something valid; every mistake is listed, with its line.
        NotFoundError: there is no such stack.
    """
    from reprokit import strictyaml

    path = stack_folder(workspace_root, name) / STACK_FILE
    return _with_locked_image(
        parse_stack(strictyaml.load(path), name, where=str(path)), path.parent
    )


def _with_locked_image(stack: Stack, folder: Path) -> Stack:
    """The stack with the digest of its `image.lock`, unless `stack.yaml` itself pins one."""
    from reprokit.stacks.image_lock import locked_digest

    if stack.image.digest is not None:
        return stack
    digest = locked_digest(folder, stack.image.ref, stack.platform)
    return replace(stack, image=replace(stack.image, digest=digest))


def parse_stack(node: "Node", name: str, *, where: str) -> Stack:
    """The stack that a mapping says. Raises ConfigError with every mistake."""
    if not isinstance(node.value, dict):
        raise ConfigError("bad-stack", "a stack is a mapping", where=where, hint=_EXAMPLE)
    reader = _Reader(node.value, where)
    stack = Stack(
        name=name,
        python=reader.text("python", _PYTHON, 'a minor version in quotes, such as "3.11"'),
        torch=reader.text("torch", _RELEASE, 'an exact release in quotes, such as "2.13.0"'),
        variant=reader.text("variant", _VARIANT, "`cpu` or a CUDA build such as `cu126`"),
        image=_image(reader.text("image", _IMAGE, "`NAME:TAG` or `NAME:TAG@sha256:HEX`")),
        platform=reader.text("platform", _PLATFORM, " or ".join(UV_PLATFORMS), "linux/amd64"),
        system=reader.texts("system", _is_system_package, "a name of a system package"),
        requirements=reader.texts("requirements", _is_requirement, _REQUIREMENT_RULE),
        dev=reader.texts("dev", _is_requirement, _REQUIREMENT_RULE, DEV_TOOLS),
        index=reader.text("index", _INDEX, "`pypi` or `pytorch`", "") or None,
    )
    reader.finish(node.keys)
    return stack


_PYTHON = re.compile(r"3\.\d{1,2}")
_RELEASE = re.compile(r"\d+\.\d+(\.\d+)?((a|b|rc|\.post|\.dev)\d+)*")
_VARIANT = re.compile(r"cpu|cu\d{2,3}")
_INDEX = re.compile("pypi|pytorch")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")
_PLATFORM = re.compile("|".join(UV_PLATFORMS))
_BARE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9+.:-]*(=[A-Za-z0-9.+:~-]+)?")
_REQUIREMENT_RULE = (
    "a requirement such as `numpy` or `numpy<2`, without an address; torch has its own key"
)
_EXAMPLE = (
    'write `python: "3.11"`, `torch: "2.13.0"`, `variant: cpu`, `image: python:3.11-slim-bookworm`'
)


class _Reader:
    """Reads a mapping's values and gathers what is wrong with them."""

    def __init__(self, values: "Mapping[str, Node]", where: str) -> None:
        self._values = values
        self._where = where
        self._known: list[str] = []
        self._problems: list[Problem] = []

    def text(
        self, key: str, rule: re.Pattern[str], meaning: str, default: str | None = None
    ) -> str:
        """The text under `key`; a number is refused, since `3.10` would be read as 3.1."""
        self._known.append(key)
        node = self._values.get(key)
        if node is None:
            if default is None:
                self._problems.append(
                    Problem(self._where, f"`{key}` is missing", f"it is {meaning}")
                )
            return default or ""
        if isinstance(node.value, str) and rule.fullmatch(node.value):
            return node.value
        self._wrong(node, key, meaning)
        return ""

    def texts(
        self, key: str, fits: Callable[[str], bool], meaning: str, default: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """The list of texts under `key`."""
        self._known.append(key)
        node = self._values.get(key)
        if node is None:
            return default
        if not isinstance(node.value, tuple):
            self._wrong(node, key, "a list, such as `[]`")
            return ()
        good = []
        for number, child in enumerate(node.value):
            if isinstance(child.value, str) and fits(child.value):
                good.append(child.value)
            else:
                self._wrong(child, f"{key}[{number}]", meaning)
        return tuple(good)

    def finish(self, keys: Mapping[str, object]) -> None:
        """Refuse keys that mean nothing. Raises ConfigError when anything at all was wrong."""
        for key in self._values:
            if key not in self._known:
                near = closest(key, self._known)
                hint = f"did you mean `{near}`?" if near else f"keys: {', '.join(self._known)}"
                self._problems.append(Problem(str(keys[key]), f"unknown key `{key}`", hint))
        if self._problems:
            raise ConfigError(
                "bad-stack",
                f"the stack is not valid: {self._problems[0].message}",
                where=self._problems[0].where,
                hint=self._problems[0].hint,
                problems=self._problems,
            )

    def _wrong(self, node: "Node", key: str, meaning: str) -> None:
        said = f"`{node.raw}`" if node.raw else "this"
        self._problems.append(Problem(str(node.mark), f"`{key}`: {said} is not {meaning}"))


def _image(text: str) -> BaseImage:
    ref, _, digest = text.partition("@")
    return BaseImage(ref, digest or None)


def _is_system_package(text: str) -> bool:
    return _SYSTEM.fullmatch(text) is not None


def _is_requirement(text: str) -> bool:
    if _BARE.fullmatch(text):
        # Most are; the parser of all others takes 25 ms to import.
        return text.lower() != "torch"
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return False
    return requirement.url is None and requirement.name.lower() != "torch"
