"""The `fastai` extra is there; without it no other test of this folder is even looked at."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.helpers import skip

pytestmark = pytest.mark.learning


def test_the_extra_is_installed() -> None:
    if missing := [name for name in ("fastai", "timm", "onnx") if find_spec(name) is None]:
        skip(f"all tests of learning need `pip install '.[fastai]'` ({', '.join(missing)} missing)")
