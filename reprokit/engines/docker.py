"""Engine `docker`: the training in a hardened container, through the docker Python SDK (podman's socket also).

The engine holds the run: the container carries the run's labels, outlives the command, and is removed
once its end is in the record.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from reprokit.config import Resources
from reprokit.engines import mounts
from reprokit.engines.base import Ended, Handle, Launch, inside_variables, order
from reprokit.engines.mounts import DATA, KIT, RUN_DIR, WORKSPACE
from reprokit.errors import MachineError, ReproKitError
from reprokit.files import is_locked
from reprokit.layout import RunPaths

LABEL = "org.reprokit.run"
PYTHON = "/opt/venv/bin/python"
PATH = "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# DataLoader workers hand over batches in /dev/shm; the engine's own 64 MB break them.
DEFAULT_SHM = 1 << 30
PIDS = 4096
# `exec`: compiled kernels and extensions are loaded from /tmp, and docker mounts tmpfs noexec by default.
TMPFS = "rw,exec,nosuid,nodev,mode=1777"


class DockerEngine:
    """Runs trainings in containers of a Docker engine."""

    name = "docker"
    unenforced: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._client: Any = None
        self._waiters: dict[str, threading.Thread] = {}

    @property
    def client(self) -> Any:
        """The SDK's client, made when it is first needed: importing the SDK takes 0.1 s."""
        if self._client is None:
            with told():
                import docker

                self._client = docker.from_env(timeout=60)
        return self._client

    def check(self, resources: Resources) -> None:
        """Stop a run that asks for more GPUs than the engine knows; whether it can hand one on shows at the start.

        Raises:
            MachineError: it does, or the engine does not answer.
        """
        if resources.gpus:
            with told():
                devices(self.client, resources.gpus)

    def prepare(self, launch: Launch, hidden: RunPaths) -> None:
        """Import the SDK beside the capture, which mostly waits for git; the container needs the whole launch."""
        threading.Thread(target=_import_sdk).start()

    def abandon(self, paths: RunPaths) -> None:
        """Nothing is to be undone."""

    def launch(self, launch: Launch, keep: Callable[[Handle], None]) -> None:
        """Create and start the container; a container that cannot start is removed again.

        Raises:
            MachineError: no engine, no GPU for a run that asks for one, or the container did not start.
        """
        order(launch, run_dir=RUN_DIR, cwd=f"{WORKSPACE}/{launch.plan.cwd}", lock=None, remove=[])
        # A name that only this run can mean, in the record before there is a container: none is ever left over.
        name = f"reprokit-{launch.plan.run_id}-{os.urandom(4).hex()}"
        with told():
            api = self.client.api
            config = container_config(self.client, launch)
            keep({"container": name})
            api.create_container_from_config(config, name=name)
            try:
                api.start(name)
            except BaseException:
                api.remove_container(name, force=True)
                raise

    def command(self, launch: Launch) -> list[str]:
        """The `docker run` line for the training itself in such a container, without a supervisor or a run folder."""
        from reprokit.engines.docker_line import command_line

        config = container_config(self.client, launch)
        config["Cmd"] = list(launch.plan.argv)
        config["HostConfig"]["Mounts"] = mounts.by_hand(launch)
        return command_line(config, secrets=launch.secrets)

    def ended(self, handle: Handle, paths: RunPaths, *, wait_s: float) -> Ended | None:
        """None while the container runs; a container that is gone has ended and nobody saw how."""
        container = handle.get("container")
        if container is None:
            return None if is_locked(paths.lock) else Ended(code=None)
        if wait_s and self._still_waiting(container, wait_s):
            return None
        import docker.errors

        with told():
            try:
                state = self.client.api.inspect_container(container)["State"]
            except docker.errors.NotFound:
                state = {"Status": "gone"}
        if state["Status"] in ("created", "gone"):
            # Not made or not started: its command still lives and will do it, or died and never can.
            return None if is_locked(paths.lock) else Ended(code=None)
        if state["Status"] in ("running", "paused", "restarting"):
            return None
        return Ended(code=int(state["ExitCode"]), out_of_memory=bool(state.get("OOMKilled")))

    def _still_waiting(self, container: str, wait_s: float) -> bool:
        """Sleep in the engine's own wait, in a thread; false says only that it is worth asking."""
        waiter = self._waiters.get(container)
        if waiter is None:
            waiter = threading.Thread(target=self._wait, args=(container,), daemon=True)
            self._waiters[container] = waiter
            waiter.start()
        waiter.join(wait_s)
        if not waiter.is_alive():
            del self._waiters[container]
        return waiter.is_alive()

    def _wait(self, container: str) -> None:
        import docker.errors
        import requests

        try:
            self.client.api.wait(container, timeout=3600)
        except (docker.errors.DockerException, requests.exceptions.RequestException):
            # Engine restarted or the hour is over: `ended` asks again and tells of a real fault.
            return

    def stop(self, handle: Handle, paths: RunPaths, *, now: bool) -> None:
        """Ask the supervisor in the container for the ladder, or kill the container."""
        if "container" in handle:
            number = "SIGKILL" if now else "SIGTERM"
            self._unless_gone(self.client.api.kill, handle["container"], signal=number)

    def release(self, handle: Handle) -> None:
        """Remove the container; one that is gone is fine."""
        if "container" in handle:
            self._unless_gone(self.client.api.remove_container, handle["container"], force=True)

    def _unless_gone(self, call: Callable[..., None], *args: Any, **keywords: Any) -> None:
        """Make a call about a container; that it is gone (404) or has ended already (409) is fine."""
        import docker.errors

        with told():
            try:
                call(*args, **keywords)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):
                    raise


def _import_sdk() -> None:
    # Whoever needs it next is told if it cannot be imported.
    with suppress(Exception):
        import docker  # noqa: F401


def container_config(client: Any, launch: Launch) -> dict[str, Any]:
    """The whole container as the engine's API takes it."""
    plan = launch.plan
    resources = plan.resources
    memory = resources.memory
    host = client.api.create_host_config(
        init=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        tmpfs={"/tmp": TMPFS},  # noqa: S108 - the container's own
        pids_limit=PIDS,
        shm_size=resources.shm or DEFAULT_SHM,
        mem_limit=memory,
        memswap_limit=memory,
        nano_cpus=int(resources.cpus * 1e9) if resources.cpus else None,
        network_mode=resources.network,
        mounts=mounts.of_run(launch),
        device_requests=devices(client, resources.gpus),
        log_config=_small_log(),
    )
    # What the engine's API takes is a plain object; the SDK's helper would drop `StopTimeout`.
    return {
        "Image": launch.location,
        "Entrypoint": [],
        "Cmd": [
            PYTHON,
            "-I",
            "-S",
            f"{KIT}/reprokit/inside/supervise.py",
            f"{RUN_DIR}/launch.json",
        ],
        "Env": [f"{name}={value}" for name, value in sorted(_variables(launch).items())],
        "User": f"{os.getuid()}:{os.getgid()}",
        "WorkingDir": f"{WORKSPACE}/{plan.cwd}",
        "Labels": {LABEL: plan.run_id, "org.reprokit.project": plan.project},
        "StopTimeout": int(3 * plan.stop_grace_s),
        "HostConfig": host,
    }


def _variables(launch: Launch) -> dict[str, str]:
    variables = inside_variables(
        launch.plan,
        run_dir=RUN_DIR,
        path=PATH,
        kit=KIT,
        home="/tmp/home",  # noqa: S108 - the container's own tmpfs
        tmp="/tmp",  # noqa: S108
        data={name: f"{DATA}/{name}" for name in launch.plan.data},
    )
    # getpass.getuser() and with it torch's compile cache fail for a uid that has no name.
    variables |= {"USER": "reprokit", "LOGNAME": "reprokit", "VIRTUAL_ENV": "/opt/venv"}
    if launch.watched:
        variables["REPROKIT_PROGRESS"] = "file"
    return variables | dict(launch.secrets)


def devices(client: Any, gpus: int) -> list[Any]:
    """The request for GPUs: by CDI where the engine knows such devices, else by its nvidia runtime."""
    if not gpus:
        return []
    from docker.types import DeviceRequest

    found = [device.get("ID", "") for device in client.info().get("DiscoveredDevices") or ()]
    cards = sorted(
        name for name in found if name.startswith("nvidia.com/gpu=") and name[15:].isdigit()
    )
    if cards:
        if len(cards) < gpus:
            raise MachineError(
                "no-gpu",
                f"the run asks for {gpus} GPUs and the engine knows {len(cards)}",
                hint="ask for fewer with `-o resources.gpus=N`",
            )
        return [DeviceRequest(driver="cdi", device_ids=cards[:gpus])]
    return [DeviceRequest(count=gpus, capabilities=[["gpu"]])]


def _small_log() -> Any:
    from docker.types import LogConfig

    return LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"})


@contextmanager
def told() -> Iterator[None]:
    """Turn what the SDK raises into an error that says the cause and the fix."""
    try:
        yield
    except ReproKitError:
        raise
    except Exception as error:
        import docker.errors
        import requests

        if isinstance(error, docker.errors.APIError):
            raise _refused(str(error.explanation or error)) from error
        if isinstance(error, (docker.errors.DockerException, requests.exceptions.RequestException)):
            raise MachineError(
                "no-docker",
                "the Docker engine does not answer",
                where=str(error).splitlines()[0][:200],
                hint="start it (`sudo systemctl start docker`), join the `docker` group, or use `--engine venv`",
            ) from error
        raise


GPU_WORDS = (
    "[[gpu]]",
    "CDI device injection failed",
    "could not select device driver",
    "nvidia-container-cli",
)


def _refused(words: str) -> MachineError:
    if any(mark in words for mark in GPU_WORDS):
        return MachineError(
            "no-gpu",
            "the engine cannot give this run a GPU",
            where=words[:300],
            hint="is there an NVIDIA GPU (`nvidia-smi`)? then install the NVIDIA Container Toolkit, "
            "run `nvidia-ctk cdi generate`, and restart the engine",
        )
    if "no space left on device" in words:
        return MachineError(
            "disk-full",
            "the engine has no space left",
            where=words[:300],
            hint="`docker system prune`",
        )
    return MachineError("engine-refused", "the engine refused the container", where=words[:300])
