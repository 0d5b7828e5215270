"""NVIDIA's management library, asked directly: the driver's version, the GPUs that are visible."""

from __future__ import annotations

import os

LIBRARY = "libnvidia-ml.so.1"
# Loading `ctypes` costs 4 ms, so a machine without any of these is not even asked.
SIGNS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version")
FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
NAME_BYTES = 96

_ERRORS = {
    3: "not supported",
    4: "no permission",
    9: "the NVIDIA driver is not loaded",
    12: "a library of the driver is missing",
    13: "this driver does not know the function",
    18: "the library and the loaded driver differ in version",
}


class Found:
    """What the library said: versions and GPUs, or the `reason` why there are none to tell of."""

    __slots__ = ("cuda", "driver", "gpus", "reason")

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason
        self.driver: str | None = None
        self.cuda: str | None = None
        self.gpus: list[dict[str, object]] = []


_found: Found | None = None


def read() -> Found:
    """Ask once a process; two layers need the answer and starting the library takes a while."""
    global _found  # noqa: PLW0603 - one answer a process
    if _found is None:
        _found = _ask()
    return _found


def _ask() -> Found:
    if not any(os.path.exists(sign) for sign in (*SIGNS, *_candidates())):
        return Found("no NVIDIA driver here: no device nodes and no %s" % LIBRARY)
    import ctypes

    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        return Found("%s cannot be loaded: %s" % (LIBRARY, error))
    return ask(library)


def ask(library: object) -> Found:
    """What a loaded library says about the driver and the GPUs."""
    nvml = Nvml(library)
    failed = nvml.call("nvmlInit_v2")
    if failed:
        return Found(failed)
    try:
        return _survey(nvml)
    finally:
        nvml.call("nvmlShutdown")


class Nvml:
    """The few calls that are needed, each of which answers with a value or None."""

    def __init__(self, library: object) -> None:
        import ctypes

        self.library = library
        self.c = ctypes

    def call(self, name: str, *words: object) -> str | None:
        """Call a function; None when it worked, else why not."""
        function = getattr(self.library, name, None)
        code = 13 if function is None else int(function(*words))
        if not code:
            return None
        return "%s: %s" % (name, _ERRORS.get(code, "NVML error %d" % code))

    def text(self, name: str, *words: object) -> str | None:
        """The text that a function writes into a buffer."""
        buffer = self.c.create_string_buffer(NAME_BYTES)
        if self.call(name, *words, buffer, self.c.c_uint(NAME_BYTES)):
            return None
        return buffer.value.decode("utf-8", "replace")

    def integers(self, name: str, *words: object, count: int = 1) -> list[int] | None:
        """The `count` integers that a function writes."""
        cells = [self.c.c_int() for _ in range(count)]
        failed = self.call(name, *words, *[self.c.byref(cell) for cell in cells])
        return None if failed else [cell.value for cell in cells]

    def handle(self, index: int) -> object | None:
        """The handle of one GPU."""
        cell = self.c.c_void_p()
        failed = self.call(
            "nvmlDeviceGetHandleByIndex_v2", self.c.c_uint(index), self.c.byref(cell)
        )
        return None if failed else cell

    def memory(self, handle: object) -> int | None:
        """All memory of a GPU in bytes."""
        cells = (self.c.c_ulonglong * 3)()
        failed = self.call("nvmlDeviceGetMemoryInfo", handle, self.c.byref(cells))
        return None if failed else int(cells[0])


def _survey(nvml: Nvml) -> Found:
    found = Found()
    found.driver = nvml.text("nvmlSystemGetDriverVersion")
    cuda = nvml.integers("nvmlSystemGetCudaDriverVersion_v2")
    found.cuda = "%d.%d" % (cuda[0] // 1000, cuda[0] % 1000 // 10) if cuda else None
    count = nvml.integers("nvmlDeviceGetCount_v2")
    found.gpus = [_gpu(nvml, index) for index in range(count[0] if count else 0)]
    if not found.gpus:
        found.reason = "the driver shows no GPU to this process"
    return found


def _gpu(nvml: Nvml, index: int) -> dict[str, object]:
    handle = nvml.handle(index)
    if handle is None:
        return {"index": index, "unknown": "the driver gives no access to it"}
    capability = nvml.integers("nvmlDeviceGetCudaComputeCapability", handle, count=2)
    return {
        "index": index,
        "name": nvml.text("nvmlDeviceGetName", handle),
        "uuid": nvml.text("nvmlDeviceGetUUID", handle),
        "memory_bytes": nvml.memory(handle),
        "compute_capability": "%d.%d" % tuple(capability) if capability else None,
    }


def _candidates() -> list[str]:
    folders = filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    return [os.path.join(folder, LIBRARY) for folder in (*folders, *FOLDERS)]
