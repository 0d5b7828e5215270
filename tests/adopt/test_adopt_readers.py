import json

import pytest

from reprokit.adopt.model import Need, Reading, Target
from reprokit.adopt.readers import (
    conda,
    lines,
    pipfile,
    pyproject,
    requirements,
    setuppy,
    system,
    uvlock,
)


def asked(reading: Reading) -> list[str]:
    return [need.line for need in reading.needs]


def read(text: str, **others: str) -> Reading:
    return requirements.read("requirements.txt", text, others.get)


def test_requirements_are_read_with_hashes_continuations_and_comments() -> None:
    text = "numpy==1.23.5 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11  # why\nPillow >= 9, < 10 # images\n"
    reading = read(text)
    assert asked(reading) == ["numpy==1.23.5", "pillow<10,>=9"]
    assert [str(need.where) for need in reading.needs] == [
        "requirements.txt:1",
        "requirements.txt:4",
    ]


def test_included_files_are_followed_and_constraints_kept_apart() -> None:
    reading = read(
        "-r base.txt\n-c limits.txt\n-r requirements.txt\n-r gone.txt\n",
        **{"base.txt": "tqdm\n", "limits.txt": "tqdm==4.1\n"},
    )
    assert asked(reading) == ["tqdm"]
    assert [need.line for need in reading.constraints] == ["tqdm==4.1"]
    assert [(note.kind, str(note.where)) for note in reading.notes] == [
        ("unknown", "requirements.txt:4")
    ]


@pytest.mark.parametrize(
    "option",
    [
        "--extra-index-url https://download.pytorch.org/whl/cu118",
        "--index-url=https://download.pytorch.org/whl/cu118",
        "-f https://download.pytorch.org/whl/cu118/torch_stable.html",
        "-i https://mirror.example.org/pytorch/whl/cu118/",
    ],
)
def test_an_index_of_pytorch_says_which_build_is_meant(option: str) -> None:
    assert [claim.value for claim in read(f"{option}\ntorch\n").builds] == ["cu118"]


def test_the_address_of_a_wheel_of_pytorch_is_an_exact_version() -> None:
    wheel = "https://download.pytorch.org/whl/cu113/torch-1.12.1%2Bcu113-cp38-cp38-linux_x86_64.whl"
    for line in (wheel, f"torch @ {wheel}"):
        (need,) = read(line).needs
        assert need.exact == "1.12.1+cu113"
        assert lines.build_of_version(need) is not None
        assert lines.without_build(need).line == "torch==1.12.1"


@pytest.mark.parametrize(
    "line", ["git+https://example.org/x.git", "./local", "x @ file:///tmp/x.whl", "-e ."]
)
def test_what_no_lock_can_hold_is_told_and_not_taken(line: str) -> None:
    reading = read(line)
    assert reading.needs == ()
    assert [note.kind for note in reading.notes] == ["skipped"]


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("numpy=1.23", "numpy==1.23.*"),
        ("numpy=1.23.5", "numpy==1.23.5"),
        ("numpy==1.23.5", "numpy==1.23.5"),
        ("numpy>=1.2,<2", "numpy<2,>=1.2"),
        ("numpy 1.23.*", "numpy==1.23.*"),
        ("numpy=1.23.5=py38h1234567_0", "numpy==1.23.5"),
        ("conda-forge::opencv", "opencv-python"),
        ("pytorch=1.12.1", "torch==1.12.1"),
        ("tqdm", "tqdm"),
    ],
)
def test_a_package_of_conda_becomes_one_of_the_index(spec: str, line: str) -> None:
    assert asked(conda.read("environment.yml", f"dependencies:\n  - {spec}\n")) == [line]


@pytest.mark.parametrize(
    "spec",
    [
        "libpng",
        "openssl=1.1.1",
        "zlib=1.2.11=h7f8727e_4",
        "_libgcc_mutex=0.1=main",
        "pip",
        "mkl=2021.4",
    ],
)
def test_a_library_of_conda_is_no_requirement(spec: str) -> None:
    assert asked(conda.read("environment.yml", f"dependencies:\n  - {spec}\n")) == []


@pytest.mark.parametrize(
    ("spec", "build"),
    [
        ("cudatoolkit=11.3", "cu113"),
        ("cudatoolkit=10.2.89=hfd86e86_1", "cu102"),
        ("pytorch-cuda=12.1", "cu121"),
        ("cpuonly", "cpu"),
        ("pytorch=1.12.1=py3.8_cuda11.3_cudnn8.3.2_0", "cu113"),
    ],
)
def test_conda_says_which_cuda_is_meant(spec: str, build: str) -> None:
    reading = conda.read("environment.yml", f"dependencies:\n  - {spec}\n")
    assert [claim.value for claim in reading.builds] == [build]


@pytest.mark.parametrize(
    ("version", "specifier"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.*", "==1.2.*"),
        ("1.2.3", "==1.2.3"),
        (">=1,<2", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("*", ""),
    ],
)
def test_versions_of_poetry_in_the_words_of_pep_440(version: str, specifier: str) -> None:
    assert pyproject.specifier(version) == specifier


def test_poetry_extras_and_markers_are_kept() -> None:
    text = """[tool.poetry.dependencies]
x = {version = "^1", extras = ["a"], markers = "os_name == 'posix'"}
y = {git = "https://x"}
z = {version = "1", optional = true}
"""
    reading = pyproject.read("pyproject.toml", text)
    assert asked(reading) == ['x[a]<2,>=1 ; os_name == "posix"']
    assert [str(note.where) for note in reading.notes] == ["pyproject.toml:3", "pyproject.toml:4"]


def test_setup_py_is_read_where_it_spells_things_out() -> None:
    text = """NEEDS = ['torch>=1', 'numpy']
from setuptools import setup
setup(
    install_requires=NEEDS,
    python_requires='>=3.8')
"""
    reading = setuppy.read("setup.py", text)
    assert asked(reading) == ["torch>=1", "numpy"]
    assert [str(need.where) for need in reading.needs] == ["setup.py:4", "setup.py:4"]
    assert [claim.value for claim in reading.pythons] == [">=3.8"]


@pytest.mark.parametrize(
    "code",
    [
        "NEEDS = ['a']\nNEEDS.append('b')",
        "NEEDS = ['a']\nNEEDS += ['b']",
        "NEEDS = ['a']\nNEEDS = f()",
        "from x import NEEDS",
    ],
)
def test_a_list_that_setup_py_changes_is_unknown(code: str) -> None:
    reading = setuppy.read("setup.py", f"{code}\nsetup(install_requires=NEEDS)\n")
    assert asked(reading) == []
    assert [note.kind for note in reading.notes] == ["unknown"]


def test_setup_cfg() -> None:
    text = "[options]\npython_requires = >=3.9\ninstall_requires =\n    torch\n    numpy>=1 ; python_version > '3'\n"
    reading = setuppy.read_cfg("setup.cfg", text)
    assert asked(reading) == ["torch", 'numpy>=1 ; python_version > "3"']


def test_a_dockerfile_with_arguments_stages_and_installs() -> None:
    text = """ARG V=2.1.2
FROM pytorch/pytorch:${V}-cuda12.1-cudnn8-runtime AS base
RUN apt-get update && apt-get install -y \\
  # a comment
  libgl1=1.* ffmpeg; pip install --no-cache-dir tqdm==4.1 'numpy<2' -r x.txt
FROM base
RUN pip3 install --extra-index-url https://download.pytorch.org/whl/cu121 einops
"""
    reading = system.read_dockerfile("Dockerfile", text)
    assert asked(reading) == ["torch==2.1.2", "tqdm==4.1", "numpy<2", "einops"]
    assert [claim.value for claim in reading.builds] == ["cu121", "cu121"]
    assert [claim.value for claim in reading.system] == ["ffmpeg"]


@pytest.mark.parametrize(
    ("text", "python"),
    [("3.8.12\n", "==3.8.*"), ("python-3.9.1\n", "==3.9.*"), ("# x\n3.11\n", "==3.11.*")],
)
def test_the_python_of_a_version_file(text: str, python: str) -> None:
    assert [claim.value for claim in system.read_python_version("f", text).pythons] == [python]


def test_a_virtual_environments_name_is_no_version() -> None:
    assert [note.kind for note in system.read_python_version("f", "my-env\n").notes] == ["unknown"]


def test_a_pipfile_lock_names_lines() -> None:
    text = json.dumps(
        {"default": {"tqdm": {"version": "==4.1"}, "x": {"git": "https://x"}}}, indent=1
    )
    reading = pipfile.read_lock("Pipfile.lock", text)
    assert [(need.line, str(need.where)) for need in reading.needs] == [
        ("tqdm==4.1", "Pipfile.lock:3")
    ]
    assert len(reading.notes) == 1


@pytest.mark.parametrize(("python", "numpy"), [("3.10", "2.2.6"), ("3.12", "2.3.1")])
def test_a_lock_of_uv_gives_each_python_its_own_versions(python: str, numpy: str) -> None:
    fork = """[[package]]
name = "numpy"
version = "{}"
source = {{ registry = "x" }}
resolution-markers = ["python_full_version {} '3.11'"]
"""
    own = """[[package]]
name = "own"
version = "1"
source = { editable = "." }
dependencies = [{ name = "numpy" }]
"""
    text = fork.format("2.2.6", "<") + fork.format("2.3.1", ">=") + own
    graph = uvlock.read("uv.lock", text).graph
    assert graph is not None
    assert [need.line for need in graph.needs(Target(python))] == [f"numpy=={numpy}"]


def test_an_exact_need_is_one_version() -> None:
    where = read("a\n").needs[0].where
    exact = {
        text: Need("a", text, where).exact
        for text in ("==1.2", "===1.2", "==1.*", ">=1", "==1,<2", "")
    }
    assert exact == {
        "==1.2": "1.2",
        "===1.2": "1.2",
        "==1.*": None,
        ">=1": None,
        "==1,<2": None,
        "": None,
    }
