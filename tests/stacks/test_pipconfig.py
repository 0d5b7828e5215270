import os
from pathlib import Path

import pytest

from reprokit.errors import MachineError
from reprokit.stacks.pipconfig import PackageSettings, parse_settings, read_settings
from reprokit.stacks.pipconfig import without_credentials as cut

LISTING = """\
:env:.find-links='one two'
global.cert='/ca.pem'
global.find-links='elsewhere'
global.index-url='https://me:hush@global.example/simple'
install.index-url='https://me:hush@install.example/simple'
list.format='columns'
global.extra-index-url='https://a.example/simple\\nfile:///b/simple'
"""


def test_the_later_section_wins_as_it_does_in_pip() -> None:
    settings = parse_settings(LISTING)
    assert settings.index_url == "https://me:hush@install.example/simple"
    assert settings.extra_index_urls == ("https://a.example/simple", "file:///b/simple")
    assert settings.find_links == (str(Path("one").absolute()), str(Path("two").absolute()))
    assert settings.sources["find-links"] == "PIP_FIND_LINKS"
    assert settings.sources["index-url"] == "pip's setting install.index-url"


def test_credentials_are_not_shown() -> None:
    assert "hush" not in repr(parse_settings(LISTING))
    assert cut("get https://me:hush@a.example/x failed") == "get https://a.example/x failed"


def test_pip_itself_is_asked(wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example/simple")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "77")
    settings = read_settings()
    assert settings.extra_index_urls == ("https://a.example/simple",)
    assert settings.local_find_links == (wheelhouse,)
    assert (settings.no_index, settings.timeout) == (True, "77")


def test_a_file_of_the_user_named_pip_py_is_not_run(
    wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wheelhouse / "pip.py").write_text("raise SystemExit('not pip')\n")
    monkeypatch.chdir(wheelhouse)
    assert read_settings().no_index


def test_a_broken_configuration_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text("[global\nx")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(MachineError) as caught:
        read_settings()
    assert caught.value.code == "pip-config"


def test_uv_hears_of_everything() -> None:
    settings = PackageSettings(
        index_url="https://main.example/simple",
        extra_index_urls=("https://a.example/simple", "https://b.example/simple"),
        cert="/ca.pem",
        client_cert="/me.pem",
        proxy="proxy.example:3128",
        trusted_hosts=("a.example", "b.example:8080"),
        timeout="77",
    )
    told = settings.uv_environment({})
    # The default comes last for uv, the main index first for pip.
    assert told["UV_INDEX"] == "https://main.example/simple https://a.example/simple"
    assert told["UV_DEFAULT_INDEX"] == "https://b.example/simple"
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert told["SSL_CERT_FILE"] == "/ca.pem"
    assert told["SSL_CLIENT_CERT"] == "/me.pem"
    assert told["HTTPS_PROXY"] == told["HTTP_PROXY"] == "http://proxy.example:3128"
    assert told["UV_INSECURE_HOST"] == "a.example b.example:8080"
    assert told["UV_HTTP_TIMEOUT"] == "77"


def test_without_settings_uv_hears_of_the_default_index_only() -> None:
    told = PackageSettings().uv_environment({})
    assert "UV_INDEX" not in told
    assert told["UV_DEFAULT_INDEX"].endswith("/simple")


def test_what_the_user_set_for_uv_itself_stands_and_what_bends_a_lock_does_not() -> None:
    base = {
        "UV_INDEX_URL": "https://mine.example/simple",
        "UV_CACHE_DIR": "/cache",
        "UV_OVERRIDE": "/overrides.txt",
        "UV_PRERELEASE": "allow",
        "VIRTUAL_ENV": "/venv",
        "PYTHONPATH": "/kit",
        "HOME": "/home/me",
    }
    told = PackageSettings(index_url="https://pip.example/simple").uv_environment(base)
    assert told["UV_INDEX_URL"] == "https://mine.example/simple"
    assert "UV_DEFAULT_INDEX" not in told
    assert (told["UV_CACHE_DIR"], told["HOME"]) == ("/cache", "/home/me")
    assert not {"UV_OVERRIDE", "UV_PRERELEASE", "VIRTUAL_ENV", "PYTHONPATH"} & told.keys()


def test_a_find_links_folder_that_is_not_there_is_left_out_as_pip_does(tmp_path: Path) -> None:
    there = tmp_path / "a,b"
    there.mkdir()
    settings = PackageSettings(find_links=(str(there), str(tmp_path / "gone"), there.as_uri()))
    told = settings.uv_environment({})["UV_FIND_LINKS"]
    assert told == ",".join([there.as_uri().replace(",", "%2C")] * 2)
    assert settings.local_find_links == (there, there)


def test_the_setting_that_chose_an_index_is_named() -> None:
    settings = parse_settings(LISTING)
    assert settings.chooser("Failed to fetch: https://install.example/simple/x/").endswith(
        "index-url"
    )
    assert "extra-index-url" in settings.chooser("https://a.example/simple/x/")
    assert "variant" in settings.chooser("https://download.pytorch.org/whl/cpu/torch/")
    assert "not set" in PackageSettings().chooser("https://x.example/")


def test_our_own_environment_is_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET_OF_A_KEYRING", "x")
    assert PackageSettings().uv_environment()["SOME_SECRET_OF_A_KEYRING"] == "x"
    assert "SOME_SECRET_OF_A_KEYRING" in os.environ
