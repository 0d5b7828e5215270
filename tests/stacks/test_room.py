"""What is known on a machine of the room that a lock takes."""

from pathlib import Path

from reprokit.stacks.requirements import Pin
from reprokit.stacks.room import Room, room_for


def installed(home: Path, name: str, version: str, *sizes: int | str) -> None:
    folder = home / "envs" / "some" / "1" / "lib" / "python3.11" / "site-packages"
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    rows = [f'"{name}/a,{number}.py",sha256=x,{size}\n' for number, size in enumerate(sizes)]
    (info / "RECORD").write_text("".join(rows) + f"{info.name}/RECORD,,\n")


def test_sizes_are_those_of_the_same_wheels_in_earlier_environments(tmp_path: Path) -> None:
    installed(tmp_path, "torch", "2.5.1", 1000, 24)
    installed(tmp_path, "Typing_Extensions", "4.0", 6)
    installed(tmp_path, "numpy", "1.26.4", 7)
    pins = (Pin("torch", "2.5.1"), Pin("typing-extensions", "4.0"), Pin("numpy", "2.0"))
    assert room_for(pins, tmp_path) == Room(1030, 2, 1)


def test_a_record_that_says_nothing_is_no_size(tmp_path: Path) -> None:
    installed(tmp_path, "torch", "2.5.1", "", "many")
    assert room_for((Pin("torch", "2.5.1"),), tmp_path) == Room(0, 0, 1)
    assert room_for((Pin("torch", "2.5.1"),), tmp_path / "nowhere") == Room(0, 0, 1)
