"""The Docker engine's word about itself -> `EngineFacts`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprokit.environments import engine_api
from reprokit.environments.engine_api import Trouble
from reprokit.errors import MachineError

# An engine that is well answers within 0.1 s; `doctor` is not the place to wait for one that is not.
PATIENCE_S = 5.0
KEPT_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "cpus", "PidsLimit": "processes"}


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    Attributes:
        version: e.g. `28.5.2`.
        api: newest version of its API, e.g. `1.51`.
        platform: e.g. `linux/amd64`.
        storage: name of its image store.
        root: where it keeps images, on its own machine; null where it does not say.
        runtimes: names of the runtimes that it can start containers with.
        devices: CDI devices that it found; null for one too old to say (before API 1.50).
        cdi_folders: where it looks for CDI specifications; empty where CDI is off.
        unlimited: what it cannot limit, of memory, cpus and processes.
        rootless: whether it runs without root's rights.
    """

    version: str
    api: str
    platform: str = "linux/amd64"
    storage: str = ""
    root: Path | None = None
    runtimes: tuple[str, ...] = ()
    devices: tuple[str, ...] | None = None
    cdi_folders: tuple[Path, ...] = ()
    unlimited: tuple[str, ...] = ()
    rootless: bool = False


@dataclass(frozen=True)
class EngineFacts:
    """The engine, or why there is none.

    Attributes:
        endpoint: the address that is asked.
        intended: whether Docker is meant to work here: its program is installed, or DOCKER_HOST is set.
        trouble: why it cannot be used.
        engine: what it says; null where there is trouble.
        elsewhere: other addresses on this machine where an engine may listen: a chosen context's, a
            rootless engine's.
    """

    endpoint: str
    intended: bool = True
    trouble: Trouble | None = None
    engine: Engine | None = None
    elsewhere: tuple[str, ...] = field(default=())

    @property
    def local(self) -> bool:
        """Whether it runs on this machine, so that its folders and devices are the ones of here."""
        return self.endpoint.startswith("unix://")


def observe() -> EngineFacts:
    """Ask the engine; 10 to 30 ms where one runs."""
    from shutil import which

    endpoint = engine_api.endpoint()
    intended = which("docker") is not None or bool(os.environ.get("DOCKER_HOST"))
    trouble = engine_api.engine_trouble()
    if trouble is None:
        try:
            version = engine_api.ask("/version", timeout=PATIENCE_S)
            info = engine_api.ask("/info", timeout=PATIENCE_S)
        except MachineError as error:
            trouble = Trouble(error.message, error.hint or "look at the engine's own log")
        else:
            return EngineFacts(endpoint, intended, None, parse(version, info))
    return EngineFacts(endpoint, intended, trouble, None, _elsewhere(os.environ))


def parse(version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    """The engine that answers `/version` and `/info` so."""
    devices = info.get("DiscoveredDevices")
    api = str(version.get("ApiVersion", ""))
    tells = tuple(int(part) for part in api.split(".") if part.isdigit()) >= (1, 50)
    return Engine(
        version=str(version.get("Version", "unknown")),
        api=api,
        platform=f"{version.get('Os')}/{version.get('Arch')}",
        storage=str(info.get("Driver") or ""),
        root=Path(info["DockerRootDir"]) if info.get("DockerRootDir") else None,
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        devices=tuple(device["ID"] for device in devices or () if device.get("Source") == "cdi")
        if devices is not None or tells
        else None,
        cdi_folders=tuple(Path(folder) for folder in info.get("CDISpecDirs") or ()),
        unlimited=tuple(name for key, name in KEPT_LIMITS.items() if info.get(key) is False),
        rootless=any("name=rootless" in option for option in info.get("SecurityOptions") or ()),
    )


def _elsewhere(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Where else an engine may be: the docker program follows contexts, ReproKit follows DOCKER_HOST."""
    if variables.get("DOCKER_HOST"):
        return ()
    chosen = variables.get("DOCKER_CONTEXT") or _chosen_context(variables)
    found = [f"$(docker context inspect {chosen} -f '{{{{.Endpoints.docker.Host}}}}')"]
    sockets = (
        [Path(variables["XDG_RUNTIME_DIR"], "docker.sock")]
        if "XDG_RUNTIME_DIR" in variables
        else []
    )
    there = [f"unix://{path}" for path in sockets if path.is_socket()]
    return (*(found if chosen not in ("", "default") else []), *there)


def _chosen_context(variables: Mapping[str, str]) -> str:
    import json

    try:
        folder = Path(variables.get("DOCKER_CONFIG") or Path.home() / ".docker")
        config = json.loads((folder / "config.json").read_bytes())
        return str(config.get("currentContext") or "")
    except (OSError, ValueError, AttributeError, RuntimeError):
        return ""
