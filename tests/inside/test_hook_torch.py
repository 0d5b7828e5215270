"""Seeds and switches from outside, with the real torch and NumPy, for scripts of anyone."""

import json
from pathlib import Path

import pytest

from tests.inside.trainings import Ended, Training

DRAW = """
import json, random, sys
import torch, numpy
print(json.dumps([torch.rand(3).tolist(), numpy.random.rand(3).tolist(), random.random()]))
print("torch._inductor.config" in sys.modules)
"""

# `torch.compile` imports this; the user then turns the switch off for a while.
COMPILING = """
import torch
import torch._inductor.config as config
print(config.deterministic)
torch.use_deterministic_algorithms(False)
torch.backends.cudnn.benchmark = True
torch.manual_seed(5)
"""

LOADERS = """
import json, sys
import numpy, torch
from torch.utils.data import DataLoader, Dataset

class Noise(Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return torch.rand(1), torch.tensor(numpy.random.rand())

if __name__ == "__main__":
    drawn = {}
    for context in sys.argv[1:]:
        loader = DataLoader(Noise(), num_workers=2, multiprocessing_context=context)
        drawn[context] = [[part.item() for part in batch] for batch in loader]
    print(json.dumps(drawn))
"""


@pytest.fixture(scope="module")
def drawn(kit: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """The same script under several seeds and modes; each run imports torch, so they are shared."""
    place = Training(kit, tmp_path_factory.mktemp("drawn"), variables={"OMP_NUM_THREADS": "3,1"})
    script = place.script(DRAW)
    runs = {"first": place.run(script), "module": place.run("-m", "train")}
    place.seed, place.determinism = 7, "seeded"
    runs["other"] = place.run(script)
    place.determinism = "off"
    runs["off"] = place.run(script)
    assert [run.code for run in runs.values()] == [0, 0, 0, 0], [run.err for run in runs.values()]
    return runs


def numbers(run: Ended) -> object:
    return json.loads(run.out.splitlines()[0])


def test_a_script_that_never_seeds_draws_the_same_numbers_twice(drawn: dict[str, Ended]) -> None:
    assert numbers(drawn["first"]) == numbers(drawn["module"])


def test_another_seed_draws_other_numbers(drawn: dict[str, Ended]) -> None:
    first, other = json.loads(drawn["first"].out.splitlines()[0]), numbers(drawn["other"])
    assert all(a != b for a, b in zip(first, other, strict=True))  # type: ignore[call-overload]


def test_mode_off_leaves_the_libraries_alone(drawn: dict[str, Ended]) -> None:
    (seen,) = drawn["off"].observed
    assert seen["seeded"] == {}
    assert seen["applied"] == {}
    assert seen["in_force"]["torch"]["deterministic_algorithms"] == "off"
    assert seen["in_force"]["torch"]["initial_seed"] not in (7, 42)


def test_what_is_in_force_at_the_end_is_recorded(drawn: dict[str, Ended]) -> None:
    (seen,) = drawn["first"].observed
    assert seen["errors"] == []
    assert seen["seeded"] == {"random": 42, "torch": 42, "numpy": 42}
    assert seen["program"].endswith("train.py")
    assert seen["in_force"]["python"]["hash_seed"] == "0"
    torch = seen["in_force"]["torch"]
    assert torch["initial_seed"] == 42
    assert torch["deterministic_algorithms"] == "error"
    assert torch["cudnn.deterministic"] is True
    assert torch["cudnn.benchmark"] is False
    assert torch["cuda"]["initialized"] is False


def test_the_thread_count_of_the_environment_holds_beyond_the_cores(
    drawn: dict[str, Ended],
) -> None:
    assert drawn["first"].observed[0]["in_force"]["torch"]["num_threads"] == 3


def test_mode_seeded_warns_where_mode_strict_refuses(drawn: dict[str, Ended]) -> None:
    assert drawn["other"].observed[0]["in_force"]["torch"]["deterministic_algorithms"] == "warn"


def test_the_switch_does_not_import_a_compiler_that_nobody_uses(drawn: dict[str, Ended]) -> None:
    assert drawn["first"].out.splitlines()[1] == "False"


def test_a_compiler_that_is_imported_gets_the_switch_and_the_user_has_the_last_word(
    training: Training,
) -> None:
    ended = training.run(training.script(COMPILING))
    assert (ended.code, ended.out) == (0, "True\n"), ended.err
    (seen,) = ended.observed
    assert seen["applied"]["inductor.deterministic"] is True
    torch = seen["in_force"]["torch"]
    assert torch["deterministic_algorithms"] == "off"
    assert torch["cudnn.benchmark"] is True
    assert torch["initial_seed"] == 5


def test_loader_workers_differ_from_each_other_and_repeat_from_run_to_run(
    training: Training,
) -> None:
    script = training.script(LOADERS)
    first, again = training.run(script, "fork", "spawn"), training.run(script, "fork", "spawn")
    assert first.code == 0, first.err
    drawn = json.loads(first.out)
    for batches in drawn.values():
        assert batches[0][0] != batches[1][0]
        assert batches[0][1] != batches[1][1]
    assert drawn == json.loads(again.out)


def test_forked_loader_workers_leave_no_file(training: Training) -> None:
    ended = training.run(training.script(LOADERS), "fork")
    assert ended.code == 0, ended.err
    assert len(ended.observed) == 1


def test_every_rank_of_torchrun_is_seeded_and_recorded(training: Training) -> None:
    # The ranks share one pipe, so each of them writes its line at once.
    script = training.script("import os, random\nos.write(1, b'%a\\n' % random.random())\n")
    ended = training.run(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script
    )
    assert ended.code == 0, ended.err
    ranks = {seen["ranks"]["RANK"] for seen in ended.observed if seen["ranks"]}
    assert ranks == {"0", "1"}
    lines = ended.out.splitlines()
    assert len(lines) == 2
    assert len(set(lines)) == 1
