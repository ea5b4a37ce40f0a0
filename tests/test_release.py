"""The release: workflow, version, changelog and scripts agree; what is said is true."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import require_programs
from tests.program import ROOT
from trayapp import __version__

PACKAGING = ROOT / "packaging"
WORKFLOWS = ROOT / ".github" / "workflows"
WORKFLOW = yaml.safe_load((WORKFLOWS / "release.yml").read_text(encoding="utf-8"))
TEST = yaml.safe_load((WORKFLOWS / "test.yml").read_text(encoding="utf-8"))
EACH_WORKFLOW = pytest.mark.parametrize("workflow", [WORKFLOW, TEST], ids=["release", "test"])


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGING))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def scripts(workflow: dict[str, Any]) -> str:
    return "\n".join(step["run"] for step in steps(workflow) if "run" in step)


# The workflow


@EACH_WORKFLOW
def test_every_action_is_pinned_to_a_commit(workflow: dict[str, Any]) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name)] == []


@EACH_WORKFLOW
def test_every_program_of_ours_that_is_called_is_there(workflow: dict[str, Any]) -> None:
    called = set(re.findall(r"\bpython3? ([\w/]+\.py)", scripts(workflow)))
    assert called
    assert {name for name in called if not (ROOT / name).is_file()} == set()


def test_only_the_job_that_publishes_may_write() -> None:
    assert WORKFLOW["permissions"] == TEST["permissions"] == {"contents": "read"}
    may = {name: job.get("permissions") for name, job in WORKFLOW["jobs"].items()}
    assert may == {name: None for name in may} | {"publish": {"contents": "write"}}


def test_nothing_is_published_that_was_not_tested_and_tried_out() -> None:
    jobs = WORKFLOW["jobs"]
    assert jobs["publish"]["needs"] == ["test", "bundle"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert "workflow_call" in TEST[True]  # YAML takes the key `on` for a truth value
    assert (jobs["test"]["needs"], jobs["bundle"]["needs"]) == ("check", "check")
    names = [step.get("name") for step in jobs["bundle"]["steps"]]
    assert names.index("The bundle and what installs it") < names.index(
        "Install each of them and ask the program in it"
    )


def test_both_editions_are_made_on_every_system() -> None:
    from installers import EDITIONS

    matrix = WORKFLOW["jobs"]["bundle"]["strategy"]["matrix"]
    assert matrix["edition"] == list(EDITIONS)
    systems = {name.split("-")[0] for name in matrix["os"]}
    assert systems == {"ubuntu", "windows", "macos"}
    assert len(matrix["exclude"]) == 1  # no torch for Macs with Intel
    tested = TEST["jobs"]["test"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in tested["os"]} == systems
    assert tested["python"] == ["3.11", "3.12", "3.13"]


def test_a_key_is_never_demanded() -> None:
    """A fork without secrets makes the same, unsigned, and says so."""
    for step in steps(WORKFLOW):
        if "secrets." in json.dumps(step):
            assert 'if [ -z "$CERTIFICATE" ]' in step["run"]
            assert "::notice::" in step["run"]
            assert "secrets." not in step["run"]  # a secret is never part of a script


def test_what_is_fetched_is_checked() -> None:
    fetched = re.findall(r"--output (\S+)", scripts(WORKFLOW))
    checked = re.findall(r"[0-9a-f]{64}  (\S+)", scripts(WORKFLOW))
    assert fetched == checked != []


def test_embedded_scripts_are_sound() -> None:
    require_programs("shellcheck")
    for step in steps(WORKFLOW) + steps(TEST):
        if "run" in step:
            script = re.sub(r"\$\{\{.*?\}\}", "x", step["run"])
            done = subprocess.run(
                ["shellcheck", "--shell=bash", "-"], input=script, capture_output=True, text=True
            )
            assert done.returncode == 0, (step.get("name"), done.stdout)
    removal = [str(PACKAGING / "linux" / "prerm")]
    done = subprocess.run(["shellcheck", *removal], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# Version and changelog


def test_there_is_one_version() -> None:
    import about

    assert about.version() == __version__


def release(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PACKAGING / "release.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def test_a_tag_of_another_version_stops_the_release() -> None:
    done = release("check", "v999.0.0")
    assert done.returncode == 1
    assert done.stderr == (
        f"release.py: the tag is v999.0.0, and pyproject.toml says {__version__}:"
        f" tag v{__version__}\n"
    )


def test_a_version_that_the_changelog_does_not_tell_of_stops_the_release() -> None:
    from release import ReleaseError, check

    tag = f"v{__version__}"
    for changelog in (
        "# Changelog\n\n## Unreleased\n\nNew.\n",
        f"## {__version__}\n\n## 0.0.1\nOld.\n",
    ):
        with pytest.raises(ReleaseError, match="says nothing under"):
            check(tag, changelog)
    assert check(tag, f"## {__version__} – 2026-11-30\n\n### Added\n- Bears.\n") == __version__


def test_the_release_says_what_the_changelog_says() -> None:
    from release import notes

    new = "## [1.1.0] – 2027\n\n### Added\n- Bears.\n\n"
    text = f"# Changelog\n\n## Unreleased\n\n{new}## 1.0.0\n- All.\n"
    assert notes(text, "1.1.0") == "### Added\n- Bears."
    assert notes(text, "1.0.0") == "- All."
    assert release("notes", "--rehearsal").stdout.strip()


def test_the_sums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "beartray.deb").write_bytes(b"1")
    (tmp_path / "Beartray.dmg").write_bytes(b"2")
    assert release("sums", tmp_path).returncode == 0
    assert release("sums", tmp_path).returncode == 0  # again: it does not sum itself up
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["Beartray.dmg", "beartray.deb"]
    if shutil.which("sha256sum"):
        check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 0
        (tmp_path / "beartray.deb").write_bytes(b"3")
        assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 1


# The trial of what was installed


GOOD = [
    {"check": name, "ok": True, "detail": "fine"}
    for name in ("settings", "space", "journal", "model", "log")
]


def test_a_machine_without_a_tray_is_no_reason_to_stop() -> None:
    from trial import check

    assert check([*GOOD, {"check": "tray", "ok": False, "detail": "there is none"}])[-1] == (
        "--  tray: there is none"
    )


@pytest.mark.parametrize("missing", [row["check"] for row in GOOD])
def test_what_is_not_good_or_not_looked_at_stops_the_release(missing: str) -> None:
    from trial import TrialError, check

    with pytest.raises(TrialError, match=missing):
        check([row for row in GOOD if row["check"] != missing])
    with pytest.raises(TrialError, match="broken"):
        bad = {"check": missing, "ok": False, "detail": "broken"}
        check([bad if row["check"] == missing else row for row in GOOD])


def test_a_download_of_an_unknown_kind_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "beartray.rpm").touch()
    done = subprocess.run(
        [sys.executable, str(PACKAGING / "trial.py"), str(tmp_path / "beartray.rpm")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "nobody knows how to install this" in done.stderr
