"""The NVIDIA driver's word about the GPUs of this machine -> `GpuFacts`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Problem = Literal["no-library", "no-driver", "no-permission", "mismatch", "other"]

PCI = Path("/sys/bus/pci/devices")
WSL = Path("/dev/dxg")
NVIDIA = "0x10de"
# PCI class codes: VGA controller and 3D controller (a data-centre card).
DISPLAYS = ("0x0300", "0x0302")


@dataclass(frozen=True)
class Card:
    """One GPU: its name, memory in bytes and compute capability; null where the driver does not say."""

    name: str
    memory: int | None = None
    capability: str | None = None


@dataclass(frozen=True)
class GpuFacts:
    """What driver and bus say.

    Attributes:
        problem: why NVML, the driver's management library, cannot be asked.
        said: its own words about that.
        driver: version of the driver.
        cuda: the newest CUDA version that the driver supports.
        cards: the GPUs that answer.
        lost: what was said instead, for each GPU that is there and does not answer.
        on_bus: how many NVIDIA GPUs the PCI bus has, whatever the driver thinks.
        wsl: whether this is Windows' Linux, where the driver comes from Windows.
    """

    problem: Problem | None = None
    said: str = ""
    driver: str | None = None
    cuda: str | None = None
    cards: tuple[Card, ...] = ()
    lost: tuple[str, ...] = ()
    on_bus: int = 0
    wsl: bool = False

    @property
    def present(self) -> bool:
        """Whether there is a GPU that the driver can use."""
        return bool(self.cards)


def observe() -> GpuFacts:
    """Ask NVML and the PCI bus; 30 ms where there is no GPU."""
    import pynvml

    on_bus, wsl = count_on_bus(PCI), WSL.exists()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return GpuFacts(problem_of(error), str(error), on_bus=on_bus, wsl=wsl)
    try:
        cards, lost = _cards(pynvml)
        cuda = int(pynvml.nvmlSystemGetCudaDriverVersion_v2())
        driver = str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        return GpuFacts("other", str(error), on_bus=on_bus, wsl=wsl)
    finally:
        pynvml.nvmlShutdown()
    return GpuFacts(
        driver=driver,
        cuda=f"{cuda // 1000}.{cuda % 1000 // 10}",
        cards=tuple(cards),
        lost=tuple(lost),
        on_bus=on_bus,
        wsl=wsl,
    )


def problem_of(error: Any) -> Problem:
    """What kind of problem an error of NVML is."""
    import pynvml

    problems: dict[int, Problem] = {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no-library",
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "no-driver",
        pynvml.NVML_ERROR_NO_PERMISSION: "no-permission",
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "mismatch",
    }
    return problems.get(error.value, "other")


def count_on_bus(devices: Path) -> int:
    """How many NVIDIA GPUs a folder of PCI devices has, as Linux lays it out."""
    try:
        folders = list(devices.iterdir())
    except OSError:
        return 0
    return sum(_is_gpu(folder) for folder in folders)


def _is_gpu(folder: Path) -> bool:
    try:
        vendor, kind = (folder / "vendor").read_text(), (folder / "class").read_text()
    except OSError:
        return False
    return vendor.strip() == NVIDIA and kind.startswith(DISPLAYS)


def _cards(nvml: Any) -> tuple[Iterable[Card], Iterable[str]]:
    cards, lost = [], []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name = str(nvml.nvmlDeviceGetName(handle))
        except nvml.NVMLError as error:
            lost.append(f"GPU {index}: {error}")
        else:
            cards.append(Card(name, _memory(nvml, handle), _capability(nvml, handle)))
    return cards, lost


def _memory(nvml: Any, handle: Any) -> int | None:
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError:
        return None


def _capability(nvml: Any, handle: Any) -> str | None:
    try:
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    except nvml.NVMLError:
        return None
    return f"{major}.{minor}"
