"""What kind of file this is, and which names its pickle holds, without running any of it."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

from trayapp.engine import EngineError

Name = tuple[str, str]
"""Module and name of something that a pickle takes from Python."""

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_FASTAI_1 = (
    "fastai.basic_data",
    "fastai.basic_train",
    "fastai.data_block",
    "fastai.train",
    "fastai.vision.image",
    "fastai.vision.transform",
)
LARGEST = 256 << 20
"""Bytes of the pickle itself; the weights lie beside it."""
_LEGACY_HEADERS = 3
"""Pickles before the object itself in files of torch < 1.6: magic number, version, system."""


def check_pickle(file: Path, *, name: Path | None = None) -> set[Name]:
    """The names that the pickle of `file` takes from Python; runs nothing of it.

    `name` stands for the file in messages.
    Raises:
        EngineError: it is none, is cut short, or is an export of fastai 1.
    """
    shown = name or file
    try:
        with file.open("rb") as stream:
            names = set(_names(shown, stream))
    except OSError as error:
        raise EngineError(f"{shown} cannot be read: {error.strerror or error}") from None
    if any(module.startswith(_FASTAI_1) for module, _ in names):
        raise EngineError(
            f"{shown} is an export of fastai 1, which fastai 2 cannot load: train it again"
        )
    return names


def _names(file: Path, stream: io.BufferedReader) -> Iterator[Name]:
    head = stream.read(256)
    stream.seek(0)
    if head.startswith(b"PK"):
        yield from _names_of(file, io.BytesIO(_zipped(file, stream)))
    elif head.startswith(b"\x80"):
        for _ in range(1 + _LEGACY_HEADERS):
            yield from _names_of(file, stream)
            if not stream.peek(1):
                break
    else:
        raise _no_pickle(file, head)


def _zipped(file: Path, stream: io.BufferedReader) -> bytes:
    """The pickle inside a file of torch.save."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.namelist()
            if any(name.endswith("/constants.pkl") for name in members):
                raise EngineError(
                    f"{file} is a TorchScript network without its transforms and labels: export "
                    "the learner with learn.export() instead"
                )
            found = [name for name in members if name.endswith("data.pkl")]
            if not found:
                raise EngineError(
                    f"{file} is a zip archive and no learner: unpack it and name the export.pkl "
                    "in it, if it holds one"
                )
            if archive.getinfo(found[0]).file_size > LARGEST:
                raise EngineError(f"{file} is too large to be looked through before it is run")
            return archive.read(found[0])
    except (zipfile.BadZipFile, EOFError):
        raise _cut_short(file) from None


def _names_of(file: Path, stream: io.BufferedReader | io.BytesIO) -> Iterator[Name]:
    """One pickle's names: what GLOBAL says, and the two strings that STACK_GLOBAL takes."""
    texts: list[str] = []
    memo: dict[object, str] = {}
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield module, name
            elif opcode.name == "STACK_GLOBAL" and len(texts) >= 2:
                yield texts[-2], texts[-1]
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            elif opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and texts:
                memo[argument] = texts[-1]
            elif opcode.name in {"GET", "BINGET", "LONG_BINGET"}:
                texts.append(memo.get(argument, ""))
            elif isinstance(argument, str):
                texts.append(argument)
    except Exception:  # pickletools raises nearly anything on what is no pickle
        raise _cut_short(file) from None


def _cut_short(file: Path) -> EngineError:
    return EngineError(f"{file} is cut short or damaged: copy or download it again")


def _no_pickle(file: Path, head: bytes) -> EngineError:
    start = head.lstrip().lower()
    if not head:
        return EngineError(f"{file} is empty: copy or download it again")
    if head.startswith(b"version https://git-lfs"):
        return EngineError(f"{file} is a git-lfs pointer, not the learner: run `git lfs pull`")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        what = "a web page; download the file itself"
    elif head.startswith(_PICTURES):
        what = "a picture; name the file that learn.export() wrote"
    else:
        what = "not a pickle; name the file that learn.export() wrote"
    return EngineError(f"{file} is {what}")
