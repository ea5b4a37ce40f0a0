"""A learner is run only after a person agreed to that very file, and what was agreed is kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trayapp.engine import EngineError
from trayapp.engine.package import ModelPackage
from trayapp.engine.trust import Trust, check_consent, code_of

SHA, OTHER = "a" * 64, "b" * 64


def test_nothing_is_trusted_at_first(tmp_path: Path) -> None:
    trust = Trust(tmp_path / "data" / "trusted.json")
    assert not trust.knows(SHA)
    assert list(tmp_path.iterdir()) == [], "asking leaves nothing behind"


def test_consent_is_for_one_file_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "data" / "trusted.json"
    Trust(file).remember(SHA, "pets")
    Trust(file).remember(SHA, "pets")
    assert Trust(file).knows(SHA)
    assert not Trust(file).knows(OTHER)
    Trust(file).remember(OTHER, "Bären")
    assert Trust(file).knows(SHA)
    assert Trust(file).knows(OTHER)
    assert "Bären" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"{", b'["%s"]' % SHA.encode(), b"\xff", b'{"x": 1}'])
def test_a_damaged_record_is_no_consent_and_is_told_of(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "trusted.json"
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert not Trust(file).knows(SHA)
    assert str(file) in caplog.text
    assert file.read_bytes() == content, "looking changes nothing"
    Trust(file).remember(SHA, "pets")
    assert Trust(file).knows(SHA)


def test_a_record_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(EngineError, match="your consent would be forgotten") as caught:
        Trust(tmp_path / "data" / "trusted.json").remember(SHA, "pets")
    assert "\n" not in str(caught.value)


def test_only_a_sha256_is_remembered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a SHA-256"):
        Trust(tmp_path / "trusted.json").remember("learner.pkl", "pets")


# A package with a learner.


@pytest.fixture
def package(
    card: dict[str, Any], write_package: Callable[..., Path]
) -> Callable[..., ModelPackage]:
    def write(**files: bytes) -> ModelPackage:
        """A package of model.onnx and `files`, their dots written as underlines."""
        named = {name.replace("_", "."): content for name, content in files.items()}
        card["files"] |= {name: hashlib.sha256(text).hexdigest() for name, text in named.items()}
        folder = write_package(card)
        for name, content in named.items():
            (folder / name).write_bytes(content)
        return ModelPackage.load(folder)

    return write


def refusal(package: ModelPackage, trust_file: Path | None) -> str:
    with pytest.raises(EngineError) as caught:
        check_consent(package, trust_file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_consent_the_line_says_what_it_means_and_what_to_do(
    package: Callable[..., ModelPackage], tmp_path: Path
) -> None:
    toys = package(learner_pkl=b"a pickle")
    line = refusal(toys, tmp_path / "trusted.json")
    assert line.startswith(f"{toys.folder}/learner.pkl was never agreed to: it is a Python pickle")
    assert f"`beartray model use {toys.folder} --engine fastai --trust`" in line
    assert 'set engine = "onnx" under [model]' in line
    assert refusal(toys, None) == line


def test_an_installed_package_goes_by_its_name(
    package: Callable[..., ModelPackage], tmp_path: Path
) -> None:
    folder = package(learner_pkl=b"a pickle").folder
    (tmp_path / "models").mkdir()
    toys = ModelPackage.load(folder.rename(tmp_path / "models" / "my toys"))
    assert "`beartray model use 'my toys' --engine" in refusal(toys, None)


def test_consent_is_to_all_that_is_run(
    package: Callable[..., ModelPackage], tmp_path: Path
) -> None:
    toys, file = package(learner_pkl=b"a pickle", define_py=b"def f(): ..."), tmp_path / "trusted"
    learner, define = code_of(toys)
    assert [path.name for path in code_of(toys).values()] == ["learner.pkl", "define.py"]
    Trust(file).remember(learner, "toys")
    assert "was never agreed to" in refusal(toys, file)
    Trust(file).remember(define, "toys")
    check_consent(toys, file)


def test_another_file_in_its_place_is_not_what_was_agreed_to(
    package: Callable[..., ModelPackage], tmp_path: Path
) -> None:
    toys, file = package(learner_pkl=b"a pickle"), tmp_path / "trusted.json"
    Trust(file).remember(next(iter(code_of(toys))), "toys")
    check_consent(toys, file)
    (toys.folder / "learner.pkl").write_bytes(b"another pickle")
    assert "is damaged or not the file" in refusal(toys, file)
    assert "was never agreed to" in refusal(package(learner_pkl=b"another pickle"), file)


def test_a_package_without_a_learner_runs_nothing(package: Callable[..., ModelPackage]) -> None:
    assert code_of(package()) == {}
