"""A Debian with nothing in it but what every Debian has, to install the package in."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.helpers import require_programs, skip, tiny_disk

ANN = os.geteuid() or 1000  # an ordinary person there
HOME = "home/ann"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
QUICKLY = (
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/beartray/*",
    '--aptopt=Acquire::Retries "3"',
)


class Clean:
    """The system in the folder `root`; `as_root` is what makes a command root's."""

    def __init__(self, root: Path, as_root: list[str]) -> None:
        self.root, self._as_root = root, as_root
        self.home = root / HOME

    def command(self, *words: str, user: int = 0) -> list[str]:
        """The command that runs `words` in there. Its view of /proc ends with it."""
        enter = 'mount -t proc proc "$0/proc" && exec chroot --userspec="$1" "$0" "${@:2}"'
        home = HOME if user else "root"
        environ = ["env", "--ignore-environment", f"HOME=/{home}", f"PATH={PATH}", "LANG=C.UTF-8"]
        space = [*self._as_root, "unshare", "--mount", "bash", "-c", enter]
        return [*space, str(self.root), f"{user}:{user}", *environ, *words]

    def run(self, *words: str, user: int = 0, status: int | None = 0) -> str:
        """What a command prints in there. `status` None takes any exit status."""
        command = self.command(*words, user=user)
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert status is None or done.returncode == status, (words, done.stdout, done.stderr)
        return done.stdout

    def put(self, source: Path, name: str) -> None:
        """Copy a file into the person's home."""
        given = ["-D", "--mode=644", f"--owner={ANN}", f"--group={ANN}"]
        command = [*self._as_root, "install", *given, str(source), str(self.home / name)]
        subprocess.run(command, check=True)

    def tree(self) -> set[str]:
        """Every file but the person's, and the records of what is installed."""
        command = [*self._as_root, "find", str(self.root), "-not", "-type", "d", "-printf", "%P\n"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        records = [f"var/lib/dpkg/{name}" for name in ("status", "lock", "triggers/", "available")]
        moving = (HOME, "proc/", "tmp/", "var/log/", "var/cache/ldconfig", *records)
        return {name for name in found.splitlines() if not name.startswith(moving)}


@contextmanager
def clean_system(folder: Path) -> Iterator[Clean]:
    """One below `folder`, made from the packages of this machine's own release."""
    require_programs("mmdebstrap", "unshare", "chroot", "bash")
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if subprocess.run([*as_root, "unshare", "--mount", "true"], capture_output=True).returncode:
        skip("needs root, or sudo that does not ask, to make a clean system")
    root = folder / "root"
    make = ["mmdebstrap", "--variant=essential", "--quiet", *QUICKLY, *release(), str(root)]
    # In memory: a system has thousands of small files.
    with tiny_disk(folder, "1g") if not as_root else nullcontext(folder):
        try:
            done = subprocess.run([*as_root, *make, source()], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            line = f"ann:x:{ANN}:{ANN}::/{HOME}:/bin/sh"
            prepare = f"echo {line} >> etc/passwd; mkdir -p {HOME}; chown {ANN}:{ANN} {HOME}"
            subprocess.run([*as_root, "sh", "-ec", prepare], cwd=root, check=True)
            yield Clean(root, as_root)
        finally:
            subprocess.run([*as_root, "rm", "--recursive", "--force", str(root)], check=True)


def release() -> list[str]:
    """This machine's, such as bookworm."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME=")]


def source() -> str:
    """Where this machine has its system from, as a line for apt."""
    folder = Path("/etc/apt/sources.list.d")
    for file in (
        folder / "debian.sources",
        folder / "ubuntu.sources",
        folder.parent / "sources.list",
    ):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            if found := re.search(r"^(?:URIs:|deb(?: +\[.*?\])?) +(\S+)", text, re.MULTILINE):
                return f"deb {found[1]} {release()[0]} main"
    raise AssertionError("apt's sources are not where Debian and Ubuntu have them")
