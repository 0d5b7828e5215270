"""The user's package settings, as an image build is given them."""

import os
import subprocess
from pathlib import Path

import pytest

from reprokit.environments.sources import Sources, distribution, split_sources, stage_packages
from reprokit.errors import MachineError
from reprokit.stacks.requirements import Pin
from tests.stacks.wheelhouse import make_wheel


def test_what_lies_on_this_machine_is_taken_out_of_the_variables() -> None:
    sources = split_sources(
        {
            "UV_DEFAULT_INDEX": "https://one.example/simple",
            "UV_INDEX": "https://two.example/simple file:///srv/simple inner=file:///srv/other",
            "UV_FIND_LINKS": "/srv/wheels,https://three.example/links,file:///srv/more%20wheels",
            "PATH": "/usr/bin",
            "UV_CACHE_DIR": "/root/.cache/uv",
        },
        (),
    )
    assert sources.variables == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_INDEX": "https://two.example/simple",
        "UV_FIND_LINKS": "https://three.example/links",
    }
    assert sources.folders == (Path("/srv/wheels"), Path("/srv/more wheels"))
    assert sources.indexes == (Path("/srv/simple"), Path("/srv/other"))
    assert sources.options == ()


def test_a_default_index_on_disk_gives_way_to_the_last_of_the_others() -> None:
    index = "https://one.example/simple https://two.example/simple"
    sources = split_sources({"UV_DEFAULT_INDEX": "file:///srv/simple", "UV_INDEX": index}, ())
    assert sources.variables == {
        "UV_INDEX": "https://one.example/simple",
        "UV_DEFAULT_INDEX": "https://two.example/simple",
    }
    assert sources.indexes == (Path("/srv/simple"),)


def test_where_every_index_is_on_disk_the_build_asks_none() -> None:
    sources = split_sources({"UV_DEFAULT_INDEX": "file:///srv/simple"}, ("--no-index",))
    assert sources.variables == {}
    assert sources.options == ("--no-index",)


def test_a_shell_reads_back_exactly_what_the_settings_say(tmp_path: Path) -> None:
    value = "https://us'er:p$(id)`id`\"ss@one.example/a b\\\n#"
    script = Sources(variables={"UV_DEFAULT_INDEX": value}, options=("--no-index",)).script()
    (tmp_path / "index").write_text(script)
    shown = 'set -eu; . "$0"; printf "%s|%s" "$UV_DEFAULT_INDEX" "$REPROKIT_UV_OPTIONS"'
    done = subprocess.run(["sh", "-c", shown, tmp_path / "index"], capture_output=True, check=True)
    assert done.stdout.decode() == f"{value}|--no-index"


def test_credentials_are_not_in_what_is_shown_of_the_sources() -> None:
    sources = split_sources({"UV_DEFAULT_INDEX": "https://ada:hunter22@one.example/simple"}, ())
    assert "hunter22" not in repr(sources)


def test_only_the_packages_that_a_lock_names_are_staged(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "job-lib", "1.5")
    make_wheel(tmp_path / "wheels", "job-lib", "1.6")
    make_wheel(tmp_path / "wheels", "other", "1.5")
    found = stage_packages(
        [Pin("job-lib", "1.5"), Pin("absent", "1")],
        Sources(variables={}, folders=(tmp_path / "wheels", tmp_path / "nowhere")),
        tmp_path / "stage",
    )
    assert found == {"job-lib"}
    assert [path.name for path in (tmp_path / "stage").iterdir()] == [wheel.name]
    assert (tmp_path / "stage" / wheel.name).samefile(wheel)


def test_an_index_on_disk_is_read_as_a_client_reads_it(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "files", "torch", "2.13.0+cpu")
    page = tmp_path / "simple" / "torch" / "index.html"
    page.parent.mkdir(parents=True)
    quoted = wheel.name.replace("+", "%2B")
    page.write_text(
        f"<a href='../../files/{quoted}#sha256=00'>{wheel.name}</a> <a href=../x/>x</a>"
    )
    sources = Sources(variables={}, indexes=(tmp_path / "simple",))
    assert stage_packages([Pin("torch", "2.13.0+cpu")], sources, tmp_path / "stage") == {"torch"}
    assert os.listdir(tmp_path / "stage") == [wheel.name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Job_Lib-1.5-py3-none-any.whl", ("job-lib", "1.5")),
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", ("torch", "2.13.0+cpu")),
        ("a-b-1.5.tar.gz", ("a-b", "1.5")),
        ("README.md", None),
        ("x.whl", None),
    ],
)
def test_a_file_name_says_its_distribution(name: str, expected: tuple[str, str] | None) -> None:
    assert distribution(name) == expected


def test_a_certificate_that_is_not_there_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        split_sources({"SSL_CERT_FILE": str(tmp_path / "ca.pem")}, ())
    assert (caught.value.code, caught.value.where) == ("no-certificate", str(tmp_path / "ca.pem"))


def test_certificates_too_large_for_a_secret_are_refused_before_the_build(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"x" * 600_000)
    with pytest.raises(MachineError) as caught:
        split_sources({"SSL_CERT_FILE": str(tmp_path / "ca.pem")}, ())
    assert caught.value.code == "certificates-too-large"
