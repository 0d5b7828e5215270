"""A container as the engine's API takes it -> the `docker run` line that makes the same one, for a person to paste."""

import csv
import io
from collections.abc import Collection, Mapping
from typing import Any

# Key of the engine's API -> option of its command line, for values that are plain text or numbers.
_TEXT = {"User": "--user", "WorkingDir": "--workdir", "StopTimeout": "--stop-timeout"}
_HOST_TEXT = {
    "NetworkMode": "--network",
    "PidsLimit": "--pids-limit",
    "ShmSize": "--shm-size",
    "Memory": "--memory",
    "MemorySwap": "--memory-swap",
}


def command_line(config: Mapping[str, Any], *, secrets: Collection[str] = ()) -> list[str]:
    """The argv of `docker` that creates and runs a container.

    Args:
        config: the container, as `POST /containers/create` takes it.
        secrets: variables that are given by name only: docker takes their values from where the line is run.
    """
    host = config["HostConfig"]
    words = ["docker", "run", "--rm"]
    for source, names in ((config, _TEXT), (host, _HOST_TEXT)):
        words += [f"{names[key]}={source[key]}" for key in names if source.get(key) is not None]
    words += [*_terminal(config), *_hardening(host)]
    if cores := host.get("NanoCpus"):
        words.append(f"--cpus={cores / 1e9:g}")
    for inside, places in (host.get("PortBindings") or {}).items():
        port = inside.partition("/")[0]
        words += [f"--publish={place['HostIp']}:{place['HostPort']}:{port}" for place in places]
    words += [word for request in host.get("DeviceRequests") or () for word in _devices(request)]
    words += [f"--label={name}={value}" for name, value in config["Labels"].items()]
    words += [f"--tmpfs={path}:{how}" for path, how in (host.get("Tmpfs") or {}).items()]
    words += [f"--mount={_mount(mount)}" for mount in host["Mounts"]]
    for variable in config["Env"]:
        name = variable.partition("=")[0]
        words.append(f"--env={name if name in secrets else variable}")
    # Nothing of the image's own command is left, as in the container itself.
    return [*words, "--entrypoint=", config["Image"], *config["Cmd"]]


def _terminal(config: Mapping[str, Any]) -> list[str]:
    return [
        *(["--interactive"] if config.get("OpenStdin") else []),
        *(["--tty"] if config.get("Tty") else []),
    ]


def _hardening(host: Mapping[str, Any]) -> list[str]:
    return [
        *(["--init"] if host.get("Init") else []),
        *(["--read-only"] if host.get("ReadonlyRootfs") else []),
        *(f"--cap-drop={name}" for name in host.get("CapDrop") or ()),
        *(f"--security-opt={rule}" for rule in host.get("SecurityOpt") or ()),
    ]


def _devices(request: Mapping[str, Any]) -> list[str]:
    if request.get("Driver") == "cdi":
        return [f"--device={name}" for name in request["DeviceIDs"]]
    return [f"--gpus={request['Count']}"]


def _mount(mount: Mapping[str, Any]) -> str:
    """One mount as `--mount` reads it: a line of CSV."""
    fields = [f"type={mount['Type']}"]
    if mount["Type"] == "tmpfs":
        fields += [f"target={mount['Target']}", f"tmpfs-mode={mount['TmpfsOptions']['Mode']:o}"]
    else:
        fields += [f"source={mount['Source']}", f"target={mount['Target']}"]
        fields += ["readonly"] if mount.get("ReadOnly") else []
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
