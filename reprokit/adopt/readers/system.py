"""apt.txt, a Dockerfile, runtime.txt and .python-version -> what they say about the system below."""

import re
import shlex
from collections.abc import Iterator

from reprokit.adopt.model import Claim, Need, Note, Reading, Where
from reprokit.adopt.readers import requirements
from reprokit.strictyaml import shown

APT_KIND = "apt.txt"
DOCKER_KIND = "Dockerfile"
PYTHON_KIND = "Python version"
MAX_INSTRUCTION = 20_000

_SYSTEM = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
_PYTHON = re.compile(r"(?:python-|cpython-)?(3\.\d{1,2})(?:\.\d+)?")
_CUDA_IMAGE = re.compile(r"(?:docker\.io/)?nvidia/cuda:(\d+)\.(\d)")
_TORCH_IMAGE = re.compile(r"(?:docker\.io/)?pytorch/pytorch:(\d+\.\d+(?:\.\d+)?)-cuda(\d+)\.(\d)")
_PYTHON_IMAGE = re.compile(r"(?:docker\.io/)?(?:library/)?python:(3\.\d{1,2})")
_PIP_FILES = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-t")
_PIP_ITSELF = ("pip", "setuptools", "wheel")
_SEPARATORS = {"&&", ";", "||", "|", "&"}


def read_apt(file: str, text: str) -> Reading:
    """The packages of an apt.txt, one or more a line."""
    claims, notes = list[Claim](), list[Note]()
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            where = Where(file, number)
            if _SYSTEM.fullmatch(word):
                claims.append(Claim(word, where))
            else:
                notes.append(Note("skipped", f"`{shown(word)}` is no package of a system", where))
    return Reading(file, APT_KIND, system=tuple(claims), notes=tuple(notes))


def read_python_version(file: str, text: str) -> Reading:
    """The Python of a runtime.txt (`python-3.8.12`) or a .python-version (`3.8`)."""
    for number, line in enumerate(text.splitlines(), 1):
        word, where = line.partition("#")[0].strip(), Where(file, number)
        if matched := _PYTHON.fullmatch(word):
            return Reading(file, PYTHON_KIND, pythons=(Claim(f"=={matched[1]}.*", where),))
        if word:
            note = Note("unknown", f"`{shown(word)}` names no version of Python", where)
            return Reading(file, PYTHON_KIND, notes=(note,))
    return Reading(file, PYTHON_KIND)


def read_dockerfile(file: str, text: str) -> Reading:
    """What a Dockerfile says by its base image and its `apt-get install` and `pip install`."""
    reading = Reading(file, DOCKER_KIND)
    arguments: dict[str, str] = {}
    for where, instruction, rest in _instructions(file, text):
        if instruction == "ARG":
            name, _, value = rest.partition("=")
            arguments[name.strip()] = value.strip().strip("\"'")
        elif instruction == "FROM":
            reading = _joined(reading, _base(_filled(rest, arguments), where))
        elif instruction == "RUN":
            reading = _joined(reading, _run(rest, where))
    return reading


def _instructions(file: str, text: str) -> Iterator[tuple[Where, str, str]]:
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        start = start if parts else number
        parts.append(line.rstrip().removesuffix("\\"))
        if line.rstrip().endswith("\\"):
            continue
        instruction, _, rest = " ".join(parts).strip().partition(" ")
        parts = []
        if instruction and len(rest) <= MAX_INSTRUCTION:
            yield Where(file, start), instruction.upper(), rest.strip()


def _filled(text: str, arguments: dict[str, str]) -> str:
    return re.sub(
        r"\$\{?(\w+)(?::-([^}$]*))?\}?",
        lambda found: arguments.get(found[1]) or found[2] or found[0],
        text,
    )


def _base(text: str, where: Where) -> Reading:
    words = [word for word in text.split() if not word.startswith("--")]
    image = words[0] if words else ""
    if torch := _TORCH_IMAGE.match(image):
        need = Need("torch", f"=={torch[1]}", where)
        claim = Claim(f"cu{torch[2]}{torch[3]}", where)
        return Reading(where.file, DOCKER_KIND, needs=(need,), builds=(claim,))
    if cuda := _CUDA_IMAGE.match(image):
        claim = Claim(f"cu{cuda[1]}{cuda[2]}", where)
        return Reading(where.file, DOCKER_KIND, image_cuda=(claim,))
    if python := _PYTHON_IMAGE.match(image):
        return Reading(where.file, DOCKER_KIND, pythons=(Claim(f"=={python[1]}.*", where),))
    if "nvcr.io/" in image:
        note = Note("unknown", f"what is inside `{shown(image)}` is not in the tables", where)
        return Reading(where.file, DOCKER_KIND, notes=(note,))
    return Reading(where.file, DOCKER_KIND)


def _run(text: str, where: Where) -> Reading:
    reading = Reading(where.file, DOCKER_KIND)
    for words in _commands(text):
        head = [word for word in words if not word.startswith("-")]
        if head[:2] in (["apt-get", "install"], ["apt", "install"]):
            claims = [Claim(word, where) for word in head[2:] if _SYSTEM.fullmatch(word)]
            reading = _joined(reading, Reading(where.file, DOCKER_KIND, system=tuple(claims)))
        elif "pip" in {word.rstrip("3") for word in words[:3] if word} and "install" in words[:4]:
            reading = _joined(reading, _pip(words[words.index("install") + 1 :], where))
        elif head[:1] in (["conda"], ["mamba"]):
            note = Note("unknown", "what conda installs here is not read", where)
            reading = _joined(reading, Reading(where.file, DOCKER_KIND, notes=(note,)))
    return reading


def _commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell line, as words; nothing is expanded."""
    words = list[str]()
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        pieces = list(lexer)
    except ValueError:
        return
    for piece in (*pieces, ";"):
        if piece in _SEPARATORS:
            if words:
                yield words
            words = []
        else:
            words.append(piece)


def _pip(words: list[str], where: Where) -> Reading:
    """What the words after `pip install` ask for."""
    given, options = list[str](), iter(words)
    for word in options:
        if word in _PIP_FILES:
            next(options, None)
        elif word in requirements.INDEXES:
            given.append(f"{word} {next(options, '')}")
        elif (word.startswith("--") and "=" in word) or (
            word[0] not in "-./$" and word not in _PIP_ITSELF
        ):
            given.append(word)
    return requirements.read_lines(where.file, DOCKER_KIND, [(where, line) for line in given])


def _joined(one: Reading, other: Reading) -> Reading:
    return Reading(
        one.file,
        one.kind,
        needs=one.needs + other.needs,
        pythons=one.pythons + other.pythons,
        builds=one.builds + other.builds,
        image_cuda=one.image_cuda + other.image_cuda,
        system=one.system + other.system,
        notes=one.notes + other.notes,
    )
