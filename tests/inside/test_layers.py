"""Gatherers on sample machines: what the kernel, dpkg, installers and the driver write -> facts."""

import ctypes
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.inside.layers import _cgroup, _nvml, _sites, driver, framework, hardware, system
from reprokit.inside.layers import packages as packages_layer
from reprokit.inside.layers import randomness as randomness_layer


def tree(root: Path, files: dict[str, str]) -> str:
    """Files under a root, as a path for the gatherers."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8480+
stepping\t: 8
microcode\t: 0x2b000461
flags\t\t: fpu vme sse4_2 avx avx2 fma avx512f amx_bf16 hypervisor

processor\t: 1
model name\t: another
"""


def test_two_sockets_of_two_cores_with_two_threads_are_counted(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": CPUINFO, "sys/devices/system/cpu/online": "0-7\n"}
    for each in range(8):
        topology = f"sys/devices/system/cpu/cpu{each}/topology"
        files[f"{topology}/thread_siblings_list"] = f"{each % 4},{each % 4 + 4}\n"
        first = each % 4 // 2 * 2
        files[f"{topology}/core_siblings_list"] = f"{first}-{first + 1},{first + 4}-{first + 5}\n"
    cpu = hardware.cpu(tree(tmp_path, files))
    assert (cpu["sockets"], cpu["cores"]) == (2, 4)
    assert cpu["model"] == "Intel(R) Xeon(R) Platinum 8480+"
    assert cpu["flags"] == ["amx_bf16", "avx", "avx2", "avx512f", "fma", "sse4_2"]
    assert cpu["virtual"] is True


def test_an_arm_cpu_is_told_by_its_part(tmp_path: Path) -> None:
    text = "processor : 0\nFeatures : fp asimd sve bf16\nCPU implementer : 0x41\nCPU part : 0xd40\n"
    cpu = hardware.cpu(tree(tmp_path, {"proc/cpuinfo": text}))
    assert cpu["model"] == "implementer 0x41 part 0xd40"
    assert cpu["flags"] == ["asimd", "bf16", "sve"]
    assert cpu["cores"] is None, "the kernel did not say"


@given(st.sets(st.integers(0, 300)))
def test_ranges_of_cpus_come_back_as_they_were(cpus: set[int]) -> None:
    assert hardware.members(hardware.ranges(sorted(cpus))) == sorted(cpus)


def test_limits_of_cgroup_2_are_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/batch/job\n",
            "sys/fs/cgroup/memory.max": "max\n",
            "sys/fs/cgroup/batch/memory.max": "8589934592\n",
            "sys/fs/cgroup/batch/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/batch/job/memory.max": "max\n",
            "sys/fs/cgroup/batch/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/batch/job/pids.max": "512\n",
        },
    )
    assert _cgroup.limits(root) == {"cpus": 1.5, "memory_bytes": 8 << 30, "pids": 512}


def test_limits_of_cgroup_1_are_found_in_a_container_that_sees_the_host_s_path(
    tmp_path: Path,
) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=x:/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert _cgroup.limits(root) == {"cpus": 0.5, "memory_bytes": 1 << 30, "pids": None}


def test_no_limit_of_cgroup_1_is_no_limit(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/\n4:cpu:/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert _cgroup.limits(root) == {"cpus": None, "memory_bytes": None, "pids": None}


DPKG = """Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: libc6
Status: install ok installed
Architecture: amd64
Description: a line
 Version: not this one
Version: 2.36-9+deb12u10

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def test_installed_packages_of_dpkg_are_named_and_foreign_ones_marked(tmp_path: Path) -> None:
    found = system.dpkg(tree(tmp_path, {"var/lib/dpkg/status": DPKG}))
    assert found["packages"] == {
        "dpkg": "1.21.22",
        "libc6": "2.36-9+deb12u10",
        "libc6:i386": "2.36-9",
        "tzdata": "2025b",
    }


def test_an_image_without_dpkg_itself_lists_its_packages_too(tmp_path: Path) -> None:
    text = "Package: base\nVersion: 12\nArchitecture: amd64\n"
    found = system.dpkg(tree(tmp_path, {"var/lib/dpkg/status.d/base": text}))
    assert found["packages"] == {"base:amd64": "12"}


def test_a_system_without_dpkg_says_so(tmp_path: Path) -> None:
    found = system.dpkg(str(tmp_path))
    assert found == {"packages": {}, "packages_reason": "no dpkg database here"}


def test_the_distribution_is_read_from_the_second_place_too(tmp_path: Path) -> None:
    text = 'ID=alpine\nVERSION_ID=3.20\nPRETTY_NAME="Alpine Linux v3.20"\n'
    root = tree(tmp_path, {"usr/lib/os-release": text})
    assert system.release(root) == {
        "id": "alpine",
        "version": "3.20",
        "name": "Alpine Linux v3.20",
    }
    assert system.release(str(tmp_path / "empty")) is None


def distributions(folder: Path) -> dict[object, dict[str, object]]:
    return {each["name"]: each for each in packages_layer.distributions([str(folder)])}


def test_metadata_folders_of_every_age_are_read(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "Foo_Bar-1.0+cu121.dist-info/RECORD": "foo.py,,\n",
            "Foo_Bar-1.0+cu121.dist-info/INSTALLER": "uv\n",
            "old-2.1-py3.7.egg-info/PKG-INFO": "Name: old\nVersion: 2.1\n",
            "single-3.0.egg-info": "Name: single\nVersion: 3.0\n",
            "devel.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: devel\nVersion: 4\n\nName: no",
            "~oo-0.1.dist-info/RECORD": "what pip left behind\n",
            "foo/__init__.py": "",
        },
    )
    found = distributions(tmp_path)
    assert {name: each["version"] for name, each in found.items()} == {
        "devel": "4",
        "foo-bar": "1.0+cu121",
        "old": "2.1",
        "single": "3.0",
    }
    digest = hashlib.sha256(b"foo.py,,\n").hexdigest()
    assert found["foo-bar"]["record"] == f"sha256:{digest}"
    assert found["foo-bar"]["installer"] == "uv"
    assert found["old"]["record"] is None


def test_credentials_are_cut_from_where_a_package_came_from(tmp_path: Path) -> None:
    text = '{"url": "https://me:pw@host.invalid/a.whl?token=pw#sha256=1", "archive_info": {}}'
    tree(tmp_path, {"a-1.dist-info/direct_url.json": text})
    assert distributions(tmp_path)["a"]["direct_url"] == {
        "url": "https://host.invalid/a.whl#sha256=1",
        "archive_info": {},
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"url": 3}', "{}", "null"])
def test_an_origin_that_cannot_be_read_is_unknown(tmp_path: Path, text: str) -> None:
    tree(tmp_path, {"a-1.dist-info/direct_url.json": text})
    origin: Any = distributions(tmp_path)["a"]["direct_url"]
    assert set(origin) == {"unknown"}


def test_names_that_are_no_utf_8_can_still_be_written_as_json(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9-1.dist-info").mkdir()
    (found,) = packages_layer.distributions([str(tmp_path)])
    assert str(found["name"]).encode("utf-8") == b"caf\\xe9"


def test_torch_s_version_file_of_any_age_is_read(tmp_path: Path) -> None:
    old = "__version__ = '1.13.1+cu117'\ndebug = False\ncuda = '11.7'\nhip = None\n"
    tree(tmp_path, {"torch/version.py": old + "def f():\n    cuda = 'no'\n"})
    found = framework.torch([str(tmp_path / "empty"), str(tmp_path)])
    assert (found["version"], found["cuda"], found["hip"]) == ("1.13.1+cu117", "11.7", None)
    assert found["debug"] is False


def test_a_torch_without_a_version_file_is_installed_and_unknown(tmp_path: Path) -> None:
    tree(tmp_path, {"torch/__init__.py": ""})
    assert framework.torch([str(tmp_path)])["unknown"] == "torch has no version.py"


def test_a_conda_environment_lists_what_conda_installed(tmp_path: Path) -> None:
    tree(tmp_path, {"conda-meta/mkl-2023.1.0-h2_46344.json": "{}", "conda-meta/history": ""})
    assert packages_layer._conda(str(tmp_path)) == {"conda": ["mkl-2023.1.0-h2_46344"]}


def test_a_python_outside_any_environment_has_the_user_s_packages(tmp_path: Path) -> None:
    found = _sites.roots_of("/usr/bin/python3", "/usr")
    assert (found.virtual, found.system) == (False, True)
    user = tmp_path / ".local" / "lib" / _sites._library() / "site-packages"
    user.mkdir(parents=True)
    folders, _ = _sites.folders(found, {"HOME": str(tmp_path)})
    assert folders[0] == str(user)
    hidden, _ = _sites.folders(found, {"HOME": str(tmp_path), "PYTHONNOUSERSITE": "1"})
    assert str(user) not in hidden


def test_a_seed_that_is_no_number_is_none() -> None:
    layer = randomness_layer.observe({"REPROKIT_SEED": "x", "REPROKIT_DETERMINISM": "off"})
    assert (layer["seed"], layer["determinism"]) == (None, "off")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Rel", "560.35.03"),
        ("", None),
    ],
)
def test_the_driver_s_version_is_read_from_its_module(
    tmp_path: Path, text: str, version: str | None
) -> None:
    root = tree(tmp_path, {"version": text})
    assert driver.module_version(f"{root}/version") == version


class Library:
    """A driver library for a machine with one card, as `ctypes` would load it."""

    failing: int = 0
    running: int = 0

    def nvmlInit_v2(self) -> int:
        self.running += not self.failing
        return self.failing

    def nvmlShutdown(self) -> int:
        self.running -= 1
        return 0

    def nvmlSystemGetDriverVersion(self, buffer: Any, _size: Any) -> int:
        buffer.value = b"550.90.07"
        return 0

    def nvmlSystemGetCudaDriverVersion_v2(self, cell: Any) -> int:
        cell._obj.value = 12040
        return 0

    def nvmlDeviceGetCount_v2(self, cell: Any) -> int:
        cell._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, _index: Any, cell: Any) -> int:
        cell._obj.value = 1
        return 0

    def nvmlDeviceGetName(self, _handle: Any, buffer: Any, _size: Any) -> int:
        buffer.value = b"NVIDIA H100"
        return 0

    def nvmlDeviceGetMemoryInfo(self, _handle: Any, cells: Any) -> int:
        cells._obj[0] = 80 << 30
        return 0

    def nvmlDeviceGetCudaComputeCapability(self, _h: Any, major: Any, minor: Any) -> int:
        major._obj.value, minor._obj.value = 9, 0
        return 0

    def nvmlDeviceGetUUID(self, _handle: Any, _buffer: Any, _size: Any) -> int:
        return 3


def test_a_card_is_described_and_what_it_does_not_support_is_none() -> None:
    library = Library()
    found = _nvml.ask(library)
    assert (found.driver, found.cuda, found.reason) == ("550.90.07", "12.4", None)
    assert found.gpus == [
        {
            "index": 0,
            "name": "NVIDIA H100",
            "uuid": None,
            "memory_bytes": 80 << 30,
            "compute_capability": "9.0",
        }
    ]
    assert library.running == 0


def test_a_driver_that_is_not_loaded_is_the_reason() -> None:
    library = Library()
    library.failing = 9
    assert _nvml.ask(library).reason == "nvmlInit_v2: the NVIDIA driver is not loaded"


def test_a_library_without_the_functions_is_the_reason() -> None:
    assert "does not know" in str(_nvml.ask(ctypes.CDLL(None)).reason)


def test_this_machine_says_its_gpus_or_why_there_are_none() -> None:
    layer = hardware.gather()
    assert layer["gpus"] or layer["reason"]


def test_this_machine_s_packages_are_what_dpkg_says() -> None:
    try:
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"],
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        assert "packages_reason" in system.dpkg("/")
        return
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("installed ")]
    found: Any = system.dpkg("/")["packages"]
    assert {name.partition(":")[0] for name in found} == {name for _, name, _ in lines}
    assert set(found.values()) == {version for _, _, version in lines}
