"""What the code itself says about a run: the seed, the folders that it writes to, whether it wants a GPU."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from reprokit.adopt.code import Module
from reprokit.adopt.model import Claim, Note, Where
from reprokit.adopt.options import Options
from reprokit.adopt.syntax import call_name, keyword, literal
from reprokit.config import MAX_SEED

# ReproKit's own store, and what a training finds there already.
OUR_STORE = "runs"
# The calls that set a seed, the one that decides most first.
_SEEDERS = (
    "torch.manual_seed",
    "seed_everything",
    "set_seed",
    "torch.cuda.manual_seed_all",
    "np.random.seed",
    "numpy.random.seed",
    "random.seed",
)
_SEED_NAMES = ("seed", "random_seed", "manual_seed", "manualseed", "rng_seed")
# What is called -> which of its arguments is the path that is written, and whether it is a folder.
_WRITERS = {
    "os.makedirs": (0, True),
    "os.mkdir": (0, True),
    "torch.save": (1, False),
    "np.save": (0, False),
    "np.savez": (0, False),
    "numpy.save": (0, False),
    "SummaryWriter": (0, True),
    "savefig": (0, False),
    "to_csv": (0, False),
    "to_json": (0, False),
    "to_parquet": (0, False),
    "save_pretrained": (0, True),
}
# Methods of a path that write what it names.
_OF_PATHS = {"mkdir": True, "write_text": False, "write_bytes": False}
_FOLDER_OPTION = re.compile(
    r"(out|output|outputs|save|log|logs|ckpt|checkpoint|checkpoints|result|results|model|exp)_?(dir|path|folder|root)|outdir|outf|output"
)
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,80}")
_READ_ONLY = frozenset(("data", "dataset", "datasets", "cache", "tmp", "src", "configs", "config"))


@dataclass(frozen=True)
class Habits:
    """What the code does beside computing.

    Attributes:
        seed: the seed that it sets, and where.
        folders: folders that it writes to, each with the first place that says so.
        cuda: the first place that asks for a GPU.
        notes: what is worth telling.
    """

    seed: Claim | None
    folders: tuple[Claim, ...]
    cuda: Where | None
    notes: tuple[Note, ...] = ()


def read_habits(modules: tuple[Module, ...], options: Options) -> Habits:
    """What literals in the code say; what is computed is not followed."""
    folders: dict[str, Claim] = {}
    notes: dict[str, Note] = {}
    for claim in (*_option_folders(options), *(claim for one in modules for claim in _writes(one))):
        answer = _folder(claim)
        if isinstance(answer, Note):
            notes.setdefault(answer.text, answer)
        elif answer is not None:
            folders.setdefault(answer.value, answer)
    downloads = (note for module in modules for note in _downloads(module))
    return Habits(
        seed=_seed(modules, options),
        folders=tuple(sorted(folders.values(), key=lambda claim: claim.value)),
        cuda=next((where for module in modules for where in _cuda(module)), None),
        notes=(*notes.values(), *list(downloads)[:1]),
    )


def _seed(modules: tuple[Module, ...], options: Options) -> Claim | None:
    for option in options.options:
        if option.name.lower() in _SEED_NAMES and isinstance(option.value, int):
            return Claim(str(option.value), option.where)
    ranked = [found for module in modules for found in _seeds(module)]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _seeds(module: Module) -> Iterator[tuple[int, Claim]]:
    """Seeds with their rank: calls first, then `SEED = 42`."""
    for node in ast.walk(module.tree):
        rank, value = len(_SEEDERS), None
        if isinstance(node, ast.Call) and node.args and (name := _seeder(call_name(node))):
            rank, value = _SEEDERS.index(name), literal(node.args[0])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named = node.targets[0].id.lower() in _SEED_NAMES
            value = literal(node.value) if named else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED:
            yield rank, Claim(str(value), module.where(node))


def _seeder(name: str) -> str | None:
    last = name.rpartition(".")[2]
    if name in _SEEDERS:
        return name
    return last if last in ("seed_everything", "set_seed") else None


def _option_folders(options: Options) -> Iterator[Claim]:
    for option in options.options:
        if isinstance(option.value, str) and _FOLDER_OPTION.fullmatch(option.name.lower()):
            yield Claim(option.value.rstrip("/") + "/", option.where)


def _writes(module: Module) -> Iterator[Claim]:
    """The paths that a module writes to, as far as they are spelt out; a folder ends in `/`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and (path := _written(node)):
            yield Claim(path, module.where(node))


def _written(node: ast.Call) -> str | None:
    """The path that a call writes to; None where it writes nothing, or computes the path."""
    name = call_name(node)
    method = name.rpartition(".")[2]
    if name == "open":
        mode = literal(node.args[1] if len(node.args) > 1 else keyword(node, "mode"))
        return (
            _path(_argument(node, 0)) if isinstance(mode, str) and set(mode) & set("wax") else None
        )
    if method in _OF_PATHS and isinstance(node.func, ast.Attribute) and not name.startswith("os."):
        path, folder = _path(node.func.value), _OF_PATHS[method]
    else:
        place, folder = _WRITERS.get(name) or _WRITERS.get(method, (-1, False))
        path = _path(_argument(node, place))
    return _below(path) if folder else path


def _argument(node: ast.Call, place: int) -> ast.expr | None:
    return node.args[place] if 0 <= place < len(node.args) else keyword(node, "log_dir")


def _path(node: ast.AST | None, depth: int = 16) -> str | None:
    """The beginning of a path that is spelt out: a text, an f-string, a join, `Path(...) / ...`."""
    if isinstance(node, ast.Constant) or depth == 0:
        value = node.value if isinstance(node, ast.Constant) else None
        return value if isinstance(value, str) else None
    if isinstance(node, ast.JoinedStr):
        first = node.values[0] if node.values else None
        text = _path(first, depth - 1)
        return text if text and ("/" in text or len(node.values) == 1) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _below(_path(node.left, depth - 1))
    name = call_name(node).rpartition(".")[2] if isinstance(node, ast.Call) and node.args else ""
    if name not in ("Path", "PurePath", "join") or not isinstance(node, ast.Call):
        return None
    inner = _path(node.args[0], depth - 1)
    return _below(inner) if len(node.args) > 1 else inner


def _below(folder: str | None) -> str | None:
    return f"{folder.rstrip('/')}/" if folder else None


def _folder(claim: Claim) -> Claim | Note | None:
    """The folder of a written path, a note about one that cannot be kept, or None."""
    path = claim.value.removeprefix("./")
    first, slash, _ = path.partition("/")
    if path.startswith(("/", "~", "..")) or not _FOLDER.fullmatch(first):
        return None
    if not slash:
        text = (
            f"`{first}` is written beside the code: only what lies in a folder of `outputs` is kept"
        )
        return Note("unknown", text, claim.where)
    if first == OUR_STORE:
        text = (
            "it writes to `runs`, the name of ReproKit's own store: not kept, choose another name"
        )
        return Note("skipped", text, claim.where)
    return None if first in _READ_ONLY else Claim(first, claim.where)


def _cuda(module: Module) -> Iterator[Where]:
    for node in ast.walk(module.tree):
        text = node.value if isinstance(node, ast.Constant) else None
        named = isinstance(node, ast.Attribute) and node.attr == "cuda"
        if named or (isinstance(text, str) and re.fullmatch(r"cuda(:\d+)?", text)):
            yield module.where(node)


def _downloads(module: Module) -> Iterator[Note]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and literal(keyword(node, "download")) is True:
            text = "it downloads data, and a run has no network: fetch it once and name it under `data:`"
            yield Note("unknown", text, module.where(node))
