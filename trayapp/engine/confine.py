"""Takes from this process for good what looking at photos does not need: an engine that a photo
has taken over can then read files, and do no harm with them.

On Linux only: seccomp ends sockets and the start of programs, Landlock all writing to the disk.
Both hold for threads started later, cannot be taken back, and need no rights of any kind.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress
from typing import Any, Literal

Held = Literal["seccomp", "landlock"]

_NO_NEW_PRIVILEGES = 38  # prctl(2), which both systems ask for
_DEVNULL = "/dev/null"  # written to by faulthandler

# linux/audit.h, the number of seccomp itself, and asm/unistd.h for what is refused:
# 1. socket, socketpair, connect, bind, listen, io_uring_setup (opens sockets past the filter);
# 2. execve, execveat, ptrace, process_vm_writev, kill, pidfd_send_signal, unshare, setns, bpf,
#    mount, umount2;
# 3. what Landlock lets pass: chmod, chown, utime and setxattr in all their forms.
_ARCHITECTURES = {
    "x86_64": (
        *(0xC000003E, 317),
        (
            *(41, 53, 42, 49, 50, 425),
            *(59, 322, 101, 311, 62, 424, 272, 308, 321, 165, 166),
            *(90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280),
            *(188, 189, 190, 463, 197, 198, 199, 466),
        ),
    ),
    "aarch64": (
        *(0xC00000B7, 277),
        (
            *(198, 199, 203, 200, 201, 425),
            *(221, 281, 117, 271, 129, 424, 97, 268, 280, 40, 39),
            *(52, 53, 452, 55, 54, 88),
            *(5, 6, 7, 463, 14, 15, 16, 466),
        ),
    ),
}
_OTHER_ABI = 0x40000000  # x32 numbers its calls from here
_LOAD, _IS, _IS_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # struct seccomp_data
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # linux/seccomp.h; 1 is EPERM

# linux/landlock.h: every right but to read, by the version that brought it.
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_ONLY, _BENEATH = 1, 1
_RIGHTS = {1: 0b1_1111_1111_0011, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_TO_NULL = 1 << 1 | 1 << 14 | 1 << 15
_NET_RIGHTS, _SCOPES = (4, 0b11), (6, 0b11)  # TCP; abstract sockets and signals to others


def confine() -> frozenset[Held]:
    """Returns what holds from now on; call it while there is one thread, before anything heavy."""
    if sys.platform != "linux":
        return frozenset()
    libc = ctypes.CDLL(None, use_errno=True)
    held: set[Held] = set()
    with suppress(OSError, AttributeError):
        _check(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        with suppress(OSError):
            _forbid_writing(libc)
            held.add("landlock")
        with suppress(OSError):
            _forbid_calls(libc)
            held.add("seccomp")
    return frozenset(held)


def landlock_version() -> int:
    """0 where the kernel has none, or was started without it."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_ONLY)))


def _forbid_writing(libc: Any) -> None:
    """https://docs.kernel.org/userspace-api/landlock.html"""
    version = _check(libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_ONLY))
    files = sum(rights for since, rights in _RIGHTS.items() if since <= version)
    net, scopes = (rights if since <= version else 0 for since, rights in (_NET_RIGHTS, _SCOPES))
    handled = struct.pack("=QQQ", files, net, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _check(libc.syscall(_CREATE, handled, ctypes.c_size_t(size), 0))
    try:
        null = os.open(_DEVNULL, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
        try:
            rule = struct.pack("=Qi", files & _TO_NULL, null)
            _check(libc.syscall(_ADD_RULE, rules, _BENEATH, rule, 0))
        finally:
            os.close(null)
        _check(libc.syscall(_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _forbid_calls(libc: Any) -> None:
    """https://docs.kernel.org/userspace-api/seccomp_filter.html"""
    architecture, seccomp, numbers = _ARCHITECTURES.get(os.uname().machine, (0, 0, ()))
    if not numbers:
        raise OSError("numbers of system calls are not known here")
    count = len(numbers)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IS, 0, count + 3, architecture),  # from here on: how far to the refusal
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IS_AT_LEAST, count + 1, 0, _OTHER_ABI),
        *((_IS, count - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(code))
    mode_filter = 1
    _check(libc.syscall(seccomp, mode_filter, 0, filter_))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
