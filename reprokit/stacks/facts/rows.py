"""The rows of the tables, as frozen values. `None` is "not established"; `source` names keys of the table's file."""

from collections.abc import Mapping
from typing import NamedTuple

Words = tuple[str, ...]


class Kernels(NamedTuple):
    """What a build of PyTorch was compiled for.

    Attributes:
        sass: compute capabilities with machine code, e.g. `9.0`.
        ptx: those with PTX, which the driver of a newer GPU can compile; empty: there is none.
        confidence: `primary` (the binary or its build script), `secondary`, or another word.
    """

    sass: Words
    ptx: Words
    confidence: str
    source: Words


class Build(NamedTuple):
    """One PyTorch release in one variant (`cpu`, `cuNNN`).

    Attributes:
        platforms: those that it is published for, e.g. `linux/amd64`.
        amd64: what it was compiled for there; None for `cpu`, or where nothing establishes it.
        arm64: the same for `linux/arm64`.
    """

    torch: str
    variant: str
    source: Words
    cudnn: str | None = None
    nccl: str | None = None
    platforms: Words | None = None
    amd64: Kernels | None = None
    arm64: Kernels | None = None
    note: str | None = None

    @property
    def cuda(self) -> str | None:
        """The CUDA release that the variant stands for (`cu124` -> `12.4`); None for `cpu`."""
        return None if self.variant == "cpu" else f"{self.variant[2:-1]}.{self.variant[-1]}"

    @property
    def verified(self) -> bool:
        """Whether a source says that it was published at all."""
        return "not verified" not in (self.note or "")

    def kernels(self, platform: str) -> Kernels | None:
        """What it was compiled for on `linux/amd64` or `linux/arm64`, where that is known."""
        return self.arm64 if platform == "linux/arm64" else self.amd64


class Release(NamedTuple):
    """One PyTorch release on the package index.

    Attributes:
        pythons: platform -> minor versions with a wheel on the package index.
        wheel_tags: the platform tags of its x86-64 wheels: which glibc they ask for.
        default: platform -> the variant that the package index serves as plain `torch==VERSION`.
        torchvision: the release that belongs to it.
        torchaudio: the same.
        unsettled_pythons: on PyTorch's own index only, or told by one source and not by another.
        cuda_packages: version of the CUDA runtime that the default wheel gets from nvidia-* packages.
        torchvision_pin: what that torchvision itself asks of torch; None: nothing.
    """

    version: str
    date: str
    commit: str
    requires_python: str
    pythons: Mapping[str, Words]
    wheel_tags: Words
    default: Mapping[str, str]
    torchvision: str
    torchaudio: str
    source: Words
    unsettled_pythons: Words = ()
    cuda_packages: str | None = None
    triton: str | None = None
    torchvision_pin: str | None = None
    torchaudio_pin: str | None = None
    note: str | None = None


class Limit(NamedTuple):
    """What a PyTorch older than `torch_before` needs of another package, and why; its metadata does not say it."""

    torch_before: str
    requirement: str
    reason: str
    source: Words


class Toolkit(NamedTuple):
    """One CUDA toolkit and the driver that it came with."""

    release: str
    version: str
    branch: str
    source: Words
    driver: str | None = None
    windows_driver: str | None = None
    note: str | None = None

    @property
    def minor(self) -> str:
        """Its release without the update, e.g. `12.4`."""
        return ".".join(self.version.split(".")[:2])


class MinorVersion(NamedTuple):
    """The oldest driver that runs programs of any minor version of a CUDA major."""

    major: str
    source: Words
    driver: str | None = None
    windows_driver: str | None = None
    branches: str | None = None
    note: str | None = None


class Architecture(NamedTuple):
    """A compute capability: the CUDA releases and driver branches that know it."""

    capability: str
    name: str
    first_cuda: str
    source: Words
    last_cuda: str | None = None
    last_branch: str | None = None
    note: str | None = None


class Branch(NamedTuple):
    """A driver branch for data centres."""

    branch: str
    kind: str
    end_of_life: str
    max_cuda_major: str
    source: Words


class Dropped(NamedTuple):
    """What a CUDA release stopped supporting."""

    cuda: str
    source: Words
    capabilities: Words = ()
    systems: Words = ()


class Rule(NamedTuple):
    """A rule in words, with a name that findings can point to."""

    name: str
    text: str
    source: Words


class Conflict(NamedTuple):
    """Two sources that disagree, and what was taken."""

    what: str
    one: str
    other: str
    taken: str
    source: Words


class Gpu(NamedTuple):
    """A GPU by name. `kind`: `datacenter`, `workstation`, `consumer` or `jetson`."""

    name: str
    architecture: str
    kind: str
    confidence: str
    source: Words
    capability: str | None = None
    first_cuda: str | None = None
    last_cuda: str | None = None
    last_branch: str | None = None
    note: str | None = None


class Contents(NamedTuple):
    """What is inside an `nvidia/cuda` image, read from one of its tags.

    Attributes:
        require_cuda: the image's NVIDIA_REQUIRE_CUDA, such as `cuda>=12.4`.
        exception_branches: older driver branches that it lets through all the same.
        geforce_in_exceptions: whether it does so for GeForce cards.
    """

    read_from: str
    cuda_compat: bool
    require_cuda: str
    exception_branches: tuple[int, ...]
    geforce_in_exceptions: bool
    cudnn: str | None = None
    nccl: str | None = None


class Image(NamedTuple):
    """The `nvidia/cuda` images of one CUDA release. `tags`: Ubuntu's version -> kinds such as `devel`."""

    cuda: str
    status: str
    tags: Mapping[str, Words]
    source: Words
    contents: Contents | None = None


class System(NamedTuple):
    """A release of a distribution and its C library."""

    family: str
    codename: str
    version: str
    glibc: str
    source: Words
