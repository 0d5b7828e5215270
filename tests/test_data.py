"""Manifests of datasets."""

import json
import os
from pathlib import Path

import pytest

from reprokit import files
from reprokit.data import DatasetManifest, manifest
from reprokit.errors import ConfigError, MachineError, NotFoundError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "b/two.csv").write_bytes(b"2\n")
    (folder / "a.csv").write_bytes(b"1\n")
    return folder


def _read(path: Path, tmp_path: Path) -> DatasetManifest:
    return manifest("digits", path, cache=tmp_path / "cache")


def test_a_folder_is_its_sorted_files_with_size_and_digest(data: Path, tmp_path: Path) -> None:
    found = _read(data, tmp_path)
    assert [(e.path, e.kind, e.size) for e in found.entries] == [
        ("a.csv", "file", 2),
        ("b/two.csv", "file", 2),
    ]
    assert found.entries[0].digest == files.sha256_bytes(b"1\n")
    assert (found.size, found.path, found.outside) == (4, data, ())


def test_one_file_is_a_dataset_too(data: Path, tmp_path: Path) -> None:
    assert [entry.path for entry in _read(data / "a.csv", tmp_path).entries] == ["a.csv"]


def test_the_digest_depends_on_names_and_bytes_and_not_on_the_place(
    data: Path, tmp_path: Path
) -> None:
    first = _read(data, tmp_path)
    moved = data.rename(tmp_path / "elsewhere")
    assert _read(moved, tmp_path).digest == first.digest
    (moved / "a.csv").rename(moved / "c.csv")
    renamed = _read(moved, tmp_path).digest
    (moved / "c.csv").write_bytes(b"9\n")
    assert len({first.digest, renamed, _read(moved, tmp_path).digest}) == 3


def test_links_inside_are_links_and_those_that_lead_out_are_named(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (data / "in").symlink_to("a.csv")
    (data / "out").symlink_to("../secret")
    (data / "up").symlink_to(tmp_path)
    found = _read(data, tmp_path)
    kinds = {entry.path: entry.kind for entry in found.entries}
    assert kinds == {
        "a.csv": "file",
        "b/two.csv": "file",
        "in": "link",
        "out": "link",
        "up": "link",
    }
    assert found.outside == ("out", "up")


def test_a_dataset_behind_a_link_is_the_dataset(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    assert _read(tmp_path / "link", tmp_path) == _read(data, tmp_path)


def test_unchanged_data_is_not_read_again_and_changed_data_is(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprokit.data._FRESH_NS", 0)
    first = _read(data, tmp_path)
    read: list[str] = []
    real = files.sha256_file
    monkeypatch.setattr(files, "sha256_file", lambda path: read.append(path.name) or real(path))
    assert _read(data, tmp_path) == first
    assert read == []
    facts = (data / "a.csv").stat()
    (data / "a.csv").write_bytes(b"7\n")
    os.utime(data / "a.csv", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert _read(data, tmp_path).digest != first.digest
    assert read == ["a.csv"]


def test_a_file_that_is_still_young_is_read_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _read(data, tmp_path)
    read: list[str] = []
    real = files.sha256_file
    monkeypatch.setattr(files, "sha256_file", lambda path: read.append(path.name) or real(path))
    _read(data, tmp_path)
    assert read == ["a.csv", "two.csv"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 1}', '{"files": {"a.csv": []}}'])
def test_a_damaged_cache_is_no_cache(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("reprokit.data._FRESH_NS", 0)
    first = _read(data, tmp_path)
    (cache,) = (tmp_path / "cache").iterdir()
    cache.write_text(text)
    assert _read(data, tmp_path) == first


def test_a_cache_that_cannot_be_written_does_not_stop_anything(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    assert _read(data, tmp_path).size == 4


def test_missing_data_names_the_dataset_and_the_path(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        _read(tmp_path / "nowhere", tmp_path)
    assert "`digits`" in caught.value.message
    assert caught.value.where == str(tmp_path / "nowhere")
    assert "data.digits.path" in str(caught.value.hint)


def test_a_link_that_leads_in_a_circle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(MachineError, match="digits"):
        _read(tmp_path / "loop", tmp_path)


def test_a_fifo_in_the_data_is_refused_and_not_waited_for(data: Path, tmp_path: Path) -> None:
    os.mkfifo(data / "fifo")
    with pytest.raises(ConfigError) as caught:
        _read(data, tmp_path)
    assert caught.value.where == str(data / "fifo")


def test_data_that_changes_while_it_is_read_is_an_error(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest_and_write(path: Path) -> str:
        path.write_bytes(b"changed in between\n")
        return "sha256:0"

    monkeypatch.setattr(files, "sha256_file", digest_and_write)
    with pytest.raises(MachineError, match="changed while it was read"):
        _read(data, tmp_path)


def test_names_that_are_no_text_are_kept(data: Path, tmp_path: Path) -> None:
    odd = os.path.join(os.fsencode(data), b"caf\xe9")
    Path(os.fsdecode(odd)).write_bytes(b"x")
    text = json.dumps(_read(data, tmp_path).to_json(), ensure_ascii=False).encode("utf-8")
    rows = {row["path"]: row.get("path_hex") for row in json.loads(text)["entries"]}
    assert rows == {"a.csv": None, "b/two.csv": None, "caf\\xe9": b"caf\xe9".hex()}
