"""A tiny stack whose packages are made on the spot, so that a real build takes seconds."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.environments.image import ImageEnvironment, ImageOrder, Target, build_image, ensure
from reprokit.stacks.locks import LockedRequirements
from reprokit.stacks.model import Stack, load_stack
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.requirements import Header, Lock, parse_pins
from tests.stacks.wheelhouse import locked_line, make_wheel

# Known by its path, as some tests take PATH away.
DOCKER = shutil.which("docker") or "docker"
REPOSITORY = Path(__file__).resolve().parents[2]


def docker(*words: str) -> str:
    """What a docker command that succeeds prints."""
    done = subprocess.run([DOCKER, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def remove(*references: str) -> None:
    """Remove images, those too that never came to be."""
    for reference in references:
        argv = [DOCKER, "image", "rm", "-f", reference]
        subprocess.run(argv, capture_output=True, check=False)


def lock(*wheels: Path) -> Lock:
    """A lock of these very files."""
    pins = parse_pins("".join(locked_line(wheel) for wheel in wheels), where="test")
    return Lock(Header("tiny", "3.11", "linux/amd64", "uv", "sha256:00"), pins)


@dataclass
class Tiny:
    """The stack `tiny` with the project `one`: torch and numpy below, learn and colours on top, all stand-ins."""

    folder: Path
    stack: Stack
    locks: LockedRequirements
    tools: Lock
    settings: PackageSettings
    made: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def order(
        self, number: int = 1, target: Target = "environment", **changes: object
    ) -> ImageOrder:
        """An order with an id of its own for each test and number."""
        import hashlib

        identity = hashlib.sha256(f"{self.folder} {number}".encode()).hexdigest()[:16]
        settings = {"stack": self.stack, "project": "one", "locks": self.locks, **changes}
        return ImageOrder(f"tiny-{identity}", target=target, **settings)  # type: ignore[arg-type]

    def ensure(self, order: ImageOrder, **options: object) -> ImageEnvironment:
        self.made.append(order.reference)
        return ensure(order, **{"home": self.home, "settings": self.settings, **options})  # type: ignore[arg-type]

    def build(self, order: ImageOrder, **options: object) -> ImageEnvironment:
        self.made.append(order.reference)
        return build_image(order, **{"home": self.home, "settings": self.settings, **options})  # type: ignore[arg-type]

    def run(self, image: ImageEnvironment, *argv: str) -> str:
        return docker("run", "--rm", "--network", "none", image.reference, *argv)

    def distributions(self, image: ImageEnvironment) -> dict[str, str]:
        """What is installed in an image."""
        return installed(image.reference)


def installed(image: str) -> dict[str, str]:
    """Every distribution in an image, as its own interpreter sees them."""
    told = "import importlib.metadata as m, json; print(json.dumps("
    told += "{d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    words = ["run", "--rm", "--network", "none", image, "python", "-c", told]
    found: dict[str, str] = json.loads(docker(*words))
    return found


def make(folder: Path) -> Tiny:
    """The stack with its packages below `folder`."""
    wheels = folder / "wheels"
    torch = make_wheel(wheels, "torch", "9.9.9+cpu", needs=("numpy",))
    numpy = make_wheel(wheels, "numpy", "1.0")
    learn = make_wheel(wheels, "learn", "2.0", needs=("numpy", "colours"))
    colours = make_wheel(wheels, "colours", "0.1")
    debugger = make_wheel(wheels, "debugger", "3.0", needs=("colours",))
    newer = make_wheel(wheels, "colours", "0.2")
    return Tiny(
        folder,
        Stack("tiny", "3.11", "9.9.9", "cpu", load_stack(REPOSITORY, "cpu").image),
        LockedRequirements(lock(torch, numpy), lock(learn, colours)),
        lock(debugger, newer),
        PackageSettings(no_index=True, find_links=(str(wheels),)),
    )
