"""Frozen values: what `dataclasses.dataclass(frozen=True)` makes, without its price at every start.

The real decorator compiles six functions a class (0.5 ms) and its module imports `inspect` (6 ms).
A run goes through more than forty such classes: 29 of 153 ms. Here one function a class is
compiled, when the first value of it is made.

For type checkers these are the real ones. So they are for pydantic and `dataclasses.fields`, which
ask for `__dataclass_fields__`: a real dataclass answers, made at that moment.
"""

from __future__ import annotations

__all__ = ["asdict", "dataclass", "field", "replace"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import asdict, dataclass, field, replace
    from typing import Any
else:

    def dataclass(*, frozen: bool, slots: bool = False) -> Callable[[type], type]:
        """A decorator that makes a class of frozen values; `slots` makes them smaller."""
        if not frozen:
            raise TypeError("values are frozen; use `dataclasses` for what changes")
        return _with_slots if slots else _finished

    def field(**more: Any) -> _More:
        """More about a field: `default` or `default_factory`, and `repr` and `compare`."""
        return _More(more)

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy of `value` with `changes` to its fields."""
        kind = type(value)
        return kind(**{name: getattr(value, name) for name in kind.__match_args__} | changes)

    def asdict(value: Any) -> dict[str, Any]:
        """The fields of `value`; values inside of it become dictionaries too."""
        return {name: _plain(getattr(value, name)) for name in value.__match_args__}


class _More:
    """What a class body says about a field beside its type."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self.words = dict(words)


class _Fields:
    """`__dataclass_fields__`, as a real dataclass of the same shape has it."""

    def __init__(self, annotations: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        self._annotations = annotations
        self._defaults = defaults

    def __get__(self, _: object, owner: type) -> Mapping[str, Any]:
        import dataclasses

        body = {"__annotations__": self._annotations, "__module__": owner.__module__}
        for name, default in self._defaults.items():
            more = default.words if isinstance(default, _More) else {"default": default}
            body[name] = dataclasses.field(**more)
        twin: Any = dataclasses.dataclass(frozen=True)(type(owner.__name__, (), body))
        fields: Mapping[str, Any] = twin.__dataclass_fields__
        owner.__dataclass_fields__ = fields  # type: ignore[attr-defined]
        return fields


def _with_slots(kind: type) -> type:
    names = kind.__annotations__
    body = {name: value for name, value in vars(kind).items() if name not in names}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    defaults = {name: vars(kind)[name] for name in names if name in vars(kind)}
    # Copies and pickles of what cannot be set are made anew.
    body["__reduce__"] = lambda self: (type(self), tuple(getattr(self, name) for name in names))
    made = type(kind)(kind.__name__, kind.__bases__, body | {"__slots__": tuple(names)})
    return _equipped(made, defaults)


def _finished(kind: type) -> type:
    defaults = {name: vars(kind)[name] for name in kind.__annotations__ if name in vars(kind)}
    for name, default in defaults.items():
        if isinstance(default, _More):
            delattr(kind, name)
            if "default" in default.words:
                setattr(kind, name, default.words["default"])
    return _equipped(kind, defaults)


def _equipped(kind: type, defaults: Mapping[str, Any]) -> type:
    """Give a class what the real decorator does; its annotations are its fields, in order."""
    names = tuple(kind.__annotations__)
    more = {name: default.words for name, default in defaults.items() if isinstance(default, _More)}
    shown = [name for name in names if more.get(name, {}).get("repr", True)]
    compared = [name for name in names if more.get(name, {}).get("compare", True)]

    def first(self: object, *args: object, **keywords: object) -> None:
        kind.__init__ = _initialiser(names, defaults)  # type: ignore[misc]
        kind.__init__(self, *args, **keywords)  # type: ignore[misc]

    def text(self: object) -> str:
        pairs = (f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{kind.__qualname__}({', '.join(pairs)})"

    def key(value: object) -> tuple[object, ...]:
        return tuple([getattr(value, name) for name in compared])

    def same(self: object, other: object) -> bool:
        return key(self) == key(other) if type(other) is type(self) else NotImplemented

    given = {
        "__match_args__": names,
        "__dataclass_fields__": _Fields(kind.__annotations__, defaults),
        "__init__": first,
        "__repr__": text,
        "__eq__": same,
        "__hash__": lambda self: hash(key(self)),
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    for name, value in given.items():
        setattr(kind, name, value)
    return kind


def _initialiser(names: tuple[str, ...], defaults: Mapping[str, Any]) -> Callable[..., None]:
    """The `__init__` of a class: one assignment a field, as quick as the real one."""
    scope: dict[str, Any] = {"_set": object.__setattr__, "_absent": object()}
    parameters, lines = ["self"], []
    for name in names:
        default, value = defaults.get(name), name
        words = default.words if isinstance(default, _More) else {"default": default}
        if name not in defaults or not words.keys() & {"default", "default_factory"}:
            parameters.append(name)
        elif "default_factory" in words:
            scope[f"_make_{name}"] = words["default_factory"]
            parameters.append(f"{name}=_absent")
            value = f"_make_{name}() if {name} is _absent else {name}"
        else:
            scope[f"_default_{name}"] = words["default"]
            parameters.append(f"{name}=_default_{name}")
        lines.append(f"\n _set(self, {name!r}, {value})")
    exec(f"def __init__({', '.join(parameters)}):{''.join(lines)}", scope)  # noqa: S102 - our words
    made: Callable[..., None] = scope["__init__"]
    return made


def _refuse(self: object, name: str, *_: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change the field {name!r} of a {type(self).__name__}")


def _plain(value: Any) -> Any:
    if "__dataclass_fields__" in vars(type(value)):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value
