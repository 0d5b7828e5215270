"""Whether the Docker engine can hand a GPU to a container, as far as it tells before it is tried."""

import shutil

from reprokit.errors import MachineError

HOOKS = ("nvidia-container-runtime-hook", "nvidia-container-toolkit", "nvidia-container-runtime")


def hands_out_gpus() -> bool | None:
    """Whether it knows an nvidia runtime or CDI devices of that kind; None: it cannot be asked.

    An engine on this machine that has neither can still find the toolkit's hook on its PATH, which
    is taken to be ours.
    """
    from reprokit.environments.engine_api import ask, endpoint

    try:
        info = ask("/info")
    except MachineError:
        return None
    devices = [str(found.get("ID", "")) for found in info.get("DiscoveredDevices") or ()]
    if "nvidia" in (info.get("Runtimes") or {}) or any("nvidia.com/gpu" in one for one in devices):
        return True
    if not endpoint().startswith("unix://"):
        return None
    return any(shutil.which(program) for program in HOOKS)
