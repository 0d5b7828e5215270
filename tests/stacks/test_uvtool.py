from pathlib import Path

import pytest

from reprokit.errors import IntegrityError, MachineError, ReproKitError
from reprokit.stacks.pipconfig import PackageSettings, read_settings
from reprokit.stacks.uvtool import explain, torch_backend
from tests.stacks.wheelhouse import index, make_wheel


def test_pytorchs_index_is_not_asked_where_the_users_settings_have_the_build(
    wheelhouse: Path,
) -> None:
    make_wheel(wheelhouse, "torch", "9.9.9+cu126")
    settings = PackageSettings(find_links=(str(wheelhouse),), no_index=True)
    assert torch_backend("9.9.9+cu126", settings, cwd=wheelhouse) is None


def test_pytorchs_index_is_asked_where_the_users_settings_lack_the_build(
    wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(wheelhouse, "torch", "9.9.9")
    monkeypatch.delenv("PIP_NO_INDEX")
    with index(wheelhouse) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/simple")
        settings = read_settings()
        assert torch_backend("9.9.9+cu126", settings, cwd=wheelhouse) == "cu126"
        assert torch_backend("9.9.9", settings, cwd=wheelhouse) is None


def test_pytorchs_index_is_never_asked_where_the_user_forbids_every_index(wheelhouse: Path) -> None:
    assert torch_backend("9.9.9+cpu", read_settings(), cwd=wheelhouse) is None


FULL = """\
Resolved 1 package in 39ms
error: Failed to download `sympy==1.14.0`
  cause: Failed to extract archive: sympy-1.14.0-py3-none-any.whl
  cause: failed to write to file `/x/lra_satask.py`: No space left on device (os error 28)
"""
UNTRUSTED = """\
error: Failed to fetch: https://me:hush@x.example/simple/six/
  cause: error sending request for url (https://me:hush@x.example/simple/six/)
  cause: client error (Connect)
  cause: invalid peer certificate: UnknownIssuer
"""
READ_ONLY = "error: failed to create directory `/x`: Read-only file system (os error 30)"


# What uv 0.13.8 really printed: a full disk and a foreign certificate are hard to come by here.
@pytest.mark.parametrize(
    ("code", "said", "kind", "name", "word"),
    [
        (2, FULL, MachineError, "disk-full", "no space"),
        (2, UNTRUSTED, MachineError, "index-unreachable", "UnknownIssuer"),
        (2, READ_ONLY, MachineError, "no-permission", "Read-only"),
        (-9, "Resolved 1 package", MachineError, "uv-killed", "signal 9"),
        (2, "something new", MachineError, "uv-failed", "something new"),
        (1, "error: Hash mismatch for `a==1`", IntegrityError, "hash-mismatch", "`a==1`"),
    ],
)
def test_the_words_of_uv_become_errors(
    code: int, said: str, kind: type[ReproKitError], name: str, word: str
) -> None:
    error = explain(code, said, PackageSettings())
    assert (type(error), error.code) == (kind, name)
    assert word in error.message
    assert "hush" not in str(error.document())
