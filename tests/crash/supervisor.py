"""Lets a test decide about every system call with which a piece of work changes files.

The work runs in a forked process under a seccomp filter whose calls the kernel hands to this
process first (seccomp_unotify(2)): each can be let through, answered with an error, or be the
last thing that the process ever tried. Linux 5.9 or later.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from tests.helpers import SLOWNESS, skip

if sys.platform != "win32":
    import fcntl

# All that change a file, a name or the journal. Not every system has each of them.
CALLS = (
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir"),
    *("mkdirat", "rmdir", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "openat"),
    *("utimensat", "chmod", "fchmod", "fchmodat", "setxattr", "lsetxattr", "fsetxattr"),
    *("removexattr", "lremovexattr", "sendfile", "copy_file_range", "fallocate"),
)
PATIENCE_SECONDS = 60.0
KILL = -1  # no error number

# seccomp.h of libseccomp and of Linux: a request is 80 bytes, an answer 24.
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One call about to happen: its name and its number, from 1, among all such calls."""

    name: str
    number: int


@dataclass(slots=True)
class Run:
    """What became of a piece of work: the calls that it made, how it ended, what it said."""

    calls: list[str] = field(default_factory=list)
    killed: bool = False
    said: str = ""


Judge = Callable[[Call], int]
"""0: let the call through; KILL: end the process before it; else the error it fails with."""


def supervise(work: Callable[[], object], judge: Judge = lambda _: 0) -> Run:
    """Do `work` in a process of its own, asking `judge` before each call that changes a file.

    Fails the test when the work raises.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _work(theirs, work)
        theirs.close()
        run = Run()
        try:
            _, (listener, *_), _, _ = socket.recv_fds(ours, 1, 1)
            _answer(listener, child, judge, run)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            _, status = os.waitpid(child, 0)
        while chunk := ours.recv(65536):
            run.said += chunk.decode()
    if not run.killed and status != 0:
        pytest.fail(f"the work ended with {status}: {run.said}")
    return run


def kill_at(number: int) -> Judge:
    """End the process right before its call of that number."""
    return lambda call: KILL if call.number == number else 0


def _work(said: socket.socket, work: Callable[[], object]) -> None:
    """In the child, which never returns."""
    status = 1
    try:
        listener = _load_filter()
        socket.send_fds(said, [b"x"], [listener])
        os.close(listener)
        said.sendall(str(work() or "").encode())
        status = 0
    except BaseException:
        said.sendall(traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(status)


def _answer(listener: int, child: int, judge: Judge, run: Run) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    try:
        while True:
            ready = poll.poll(PATIENCE_SECONDS * SLOWNESS * 1000)
            if not ready:
                pytest.fail(f"no end after {run.calls[-5:]}")
            if not ready[0][1] & select.POLLIN:
                return  # the process has ended
            request = bytearray(80)
            fcntl.ioctl(listener, _RECEIVE, request)
            id_, _, _, number, _, _, *arguments = struct.unpack("QIIiIQ6Q", request)
            name = _numbers()[number]
            answer = 0
            if _changes_a_file(name, arguments):
                run.calls.append(name)
                answer = judge(Call(name, len(run.calls)))
            if answer == KILL:
                os.kill(child, signal.SIGKILL)
                run.killed = True
                return
            reply = (id_, 0, -answer, 0 if answer else _GO_ON)
            fcntl.ioctl(listener, _SEND, struct.pack("QqiI", *reply))
    finally:
        os.close(listener)


def _changes_a_file(name: str, arguments: list[int]) -> bool:
    if name == "openat":
        return bool(arguments[2] & os.O_CREAT)
    return not (name == "write" and arguments[0] <= 2)  # what is said changes nothing


def require_supervision() -> None:
    """Skip this test (fail where `CI` is set) unless the kernel and libseccomp can do this."""
    if sys.platform != "linux":
        pytest.skip("only Linux hands a process's calls to another one")
    try:
        supervise(lambda: None)
    except (OSError, ValueError) as error:
        skip(f"needs libseccomp 2.5 and seccomp's user notification: {error}")


@cache
def _library() -> Any:
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
    ]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_notify_fd.argtypes = [ctypes.c_void_p]
    return library


@cache
def _numbers() -> dict[int, str]:
    resolve = _library().seccomp_syscall_resolve_name
    return {number: name for name in CALLS if (number := resolve(name.encode())) >= 0}


def _load_filter() -> int:
    """From now on this process's calls wait for an answer at the descriptor that is returned."""
    library = _library()
    context = library.seccomp_init(_ALLOW)
    for number in _numbers():
        _check(library.seccomp_rule_add_array(context, _ASK, number, 0, None))
    _check(library.seccomp_load(context))
    return int(library.seccomp_notify_fd(context))


def _check(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
