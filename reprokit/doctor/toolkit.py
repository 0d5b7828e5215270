"""Check `toolkit`: can containers have the GPUs?"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reprokit import process
from reprokit.doctor.engine_facts import Engine
from reprokit.doctor.model import Context, Finding
from reprokit.errors import MachineError

NAME = "toolkit"
TITLE = "GPUs in containers"

# Where engines look for CDI specifications by default.
CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
KIND = "nvidia.com/gpu"
# https://github.com/moby/moby/issues/45192: CDI is on by default since then.
CDI_BY_DEFAULT = (28, 2)
ANSWER_S = 5.0
MAX_SPEC = 1 << 20
INSTALL = (
    "install the NVIDIA Container Toolkit: "
    "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
)
GENERATE = "`sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
RESTART = "`sudo systemctl restart docker`"


@dataclass(frozen=True)
class Observed:
    """What was seen beside the engine's own word.

    Attributes:
        ctk: what the toolkit's program says its version is; null where it is not installed.
        hook: whether the toolkit's older half is installed, which serves `--gpus`.
        specs: files that describe NVIDIA GPUs by CDI.
    """

    ctk: str | None = None
    hook: bool = False
    specs: tuple[Path, ...] = ()


def run(context: Context) -> Finding:
    """Compare the GPUs that the driver shows with those that the engine can hand on."""
    engine = context.engine.engine
    if engine is None:
        return Finding("skip", "no engine answers")
    if not context.engine.local:
        return Finding("skip", "the engine is on another machine, whose GPUs cannot be seen here")
    if not context.gpus.present:
        return Finding("skip", "no GPU to hand on")
    return decide(len(context.gpus.cards), engine, observe(engine.cdi_folders or CDI_FOLDERS))


def decide(gpus: int, engine: Engine, seen: Observed) -> Finding:
    """The engine hands on GPUs by CDI where it knows such devices, else by its nvidia runtime or hook."""
    cards = [name for name in engine.devices or () if name.startswith(f"{KIND}=")]
    numbered = [name for name in cards if name.rpartition("=")[2].isdigit()]
    if numbered:
        return _by_cdi(gpus, numbered, seen)
    if "nvidia" in engine.runtimes:
        return Finding("ok", "by the engine's nvidia runtime", None, _version(seen))
    if seen.specs:
        return _unread(engine, seen.specs)
    return _not_set_up(seen)


def _by_cdi(gpus: int, devices: list[str], seen: Observed) -> Finding:
    """The engine knows some GPUs; a specification is written once and does not learn of new cards."""
    if len(devices) < gpus:
        text = (
            f"the engine knows {len(devices)} of {gpus} GPUs: the CDI specification is out of date"
        )
        return Finding("warn", text, GENERATE, tuple(devices))
    return Finding("ok", f"by CDI: {', '.join(devices)}", None, _version(seen))


def _not_set_up(seen: Observed) -> Finding:
    """The engine knows no way, unless it finds the toolkit's hook by itself when it is asked."""
    if seen.hook:
        return Finding(
            "warn",
            "the toolkit's hook is installed; whether the engine uses it shows at the first run",
            f"{GENERATE} makes it certain",
        )
    if seen.ctk is not None:
        return Finding(
            "fail", f"{seen.ctk} is installed and not set up", f"{GENERATE}, then {RESTART}"
        )
    return Finding("fail", "the NVIDIA Container Toolkit is not installed", INSTALL)


def observe(folders: Iterable[Path]) -> Observed:
    """Look for the toolkit's programs and for CDI specifications."""
    from shutil import which

    ctk = None
    if which("nvidia-ctk") is not None:
        try:
            lines = process.run(["nvidia-ctk", "--version"], timeout=ANSWER_S).text.splitlines()
            ctk = lines[0] if lines else "nvidia-ctk"
        except MachineError:
            ctk = "nvidia-ctk"
    hook = which("nvidia-container-runtime-hook") is not None
    specs = [path for folder in folders for path in sorted(folder.glob("*")) if _is_spec(path)]
    return Observed(ctk, hook, tuple(specs))


def _unread(engine: Engine, specs: tuple[Path, ...]) -> Finding:
    """There is a specification and the engine does not list its devices."""
    where = ", ".join(map(str, specs))
    if engine.devices is None:
        return Finding(
            "warn",
            f"{where} describes GPUs; this engine is too old to say whether it uses CDI",
            "install Docker 28.2 or newer, or `sudo nvidia-ctk runtime configure --runtime=docker`",
        )
    numbers = tuple(int(part) for part in engine.version.split(".")[:2] if part.isdigit())
    off = not engine.cdi_folders and numbers < CDI_BY_DEFAULT
    fix = f'write `{{"features": {{"cdi": true}}}}` into /etc/docker/daemon.json, then {RESTART}'
    return Finding(
        "fail",
        f"{where} describes GPUs and the engine does not know them",
        fix if off else f"is it valid (`nvidia-ctk cdi list`)? {GENERATE}, then {RESTART}",
    )


def _version(seen: Observed) -> tuple[str, ...]:
    return (seen.ctk,) if seen.ctk else ()


def _is_spec(path: Path) -> bool:
    if path.suffix not in (".yaml", ".yml", ".json"):
        return False
    try:
        with path.open("rb") as stream:
            return KIND.encode() in stream.read(MAX_SPEC)
    except OSError:
        return False
