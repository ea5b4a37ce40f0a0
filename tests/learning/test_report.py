"""The report shows what went wrong, so that a person can mend it; it needs nothing beside it."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.engine.conftest import BEARS
from tests.learning.photos import COLOURS, GREY, textured
from trayapp.engine.package import ModelPackage
from trayapp.learning import modelcard, outcome, plots, report
from trayapp.learning.calibrate import cross_fitted, fit
from trayapp.learning.dataset import Dataset, LeftOut, Picture
from trayapp.learning.findings import Asked, Findings, Outcome
from trayapp.learning.recipe import Recipe

pytestmark = pytest.mark.learning

VOCAB = ("blue", "none", "red")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """A model that is nearly always right, on photos one of which has a wrong label."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    pictures, outputs = [], []
    for number in range(300):
        name = ("blue", None, "red")[number % 3]
        path = folder / f"<b>{number:03}.jpg"
        textured(path, COLOURS[name] if name else GREY, number)
        label = "red" if number == 0 else name  # it is blue
        pictures.append(Picture(path, path.name, label, "web" if name else "walls/old"))
        row = random.normal(0, 1, 3)
        row[number % 3] += 9
        outputs.append(row)
    outputs[4] = np.array([9.0, 0.0, 0.0])  # a wall that is taken for blue
    asked = Asked(tuple(pictures), np.array(outputs), np.arange(300) % 5, VOCAB)
    found = fit(asked.outputs, asked.truth, asked.labels, asked.none, "softmax", target=0.95)
    kinds = asked.kinds
    metrics = cross_fitted(
        asked.outputs, asked.truth, kinds, asked.folds, asked.labels, asked.none, "softmax"
    )
    return Findings(
        name="colours & <more>",
        dataset=Dataset(folder, ("blue", "red"), tuple(pictures), (LeftOut("x.jpg", "is empty"),)),
        asked=asked,
        fit=found,
        metrics=metrics,
        recipe=Recipe(),
        folds="5",
        seed=0,
        weights="ImageNet (a package)",
        licence="Apache-2.0",
        histories=(((1, 1.0, 1.2, 0.5), (2, 0.5, 0.6, 0.9)), ((1, 1.0, None, None),)),
    )


class Page(HTMLParser):
    """Elements that are left open, what is loaded from elsewhere, and the words."""

    VOID = frozenset({"meta", "img", "br", "path", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.elsewhere: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if tag == "img" and key == "src":
                self.images.append(value or "")
            elif key in {"src", "href", "data"} and not (value or "").startswith("#"):
                self.elsewhere.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_wrong_labels_and_mistakes_are_found(findings: Findings) -> None:
    mistakes = [findings.asked.pictures[i].name for i in findings.mistakes()]
    assert sorted(mistakes) == ["<b>000.jpg", "<b>004.jpg"]
    suspects = findings.suspects()
    assert {(item.picture.name, item.other) for item in suspects} == {
        ("<b>000.jpg", "blue"),
        ("<b>004.jpg", "blue"),
    }
    rows = list(csv.DictReader(io.StringIO(outcome._suspects(findings))))
    assert [row["label"] for row in rows] == ["blue", "blue"]


def test_the_page_is_whole_and_needs_nothing_beside_it(findings: Findings) -> None:
    page = Page(report.render(findings, ModelPackage.load(BEARS)))
    assert page.open == []
    assert page.elsewhere == []
    assert len(page.images) == 4
    assert all(image.startswith("data:image/jpeg;base64,") for image in page.images)
    words = " ".join(page.words.split())
    for said in (
        "colours & <more>",
        "2 photos get filed wrongly",
        "2 labels are probably wrong",
        "<b>004.jpg",
        "none (walls/old)",
        "x.jpg: is empty",
        "5 trainings",
    ):
        assert said in words


def test_plots_take_the_colours_of_the_page(findings: Findings) -> None:
    drawn = [
        plots.reliability(findings),
        plots.coverage(findings),
        plots.training(findings.histories),
    ]
    identities = list[str]()
    for text in drawn:
        root = ElementTree.fromstring(text)
        identities += {value for e in root.iter() if (value := e.get("id")) and value[0] in "mp"}
        assert "currentColor" in text
        assert plots.INK not in text
        assert "#000000" not in text
    assert drawn[0] == plots.reliability(findings), "the same every time"


def test_the_model_card_says_what_it_was_measured_on(findings: Findings) -> None:
    text = modelcard.render(findings, ModelPackage.load(BEARS))
    assert "| none | walls/old | 100 |" in text
    assert "| walls/old | 100 |" in text
    assert "in 5 trainings; the model itself learnt from all" in text
    assert "at least 95.0 %" in text
    assert "of which 33.3 % are none" in text
    assert "1 files were left out" in text


def test_predictions_list_every_photo(findings: Findings, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(outcome._predictions(findings))))
    assert len(rows) == 300
    assert rows[4] | {"blue": "", "none": "", "red": ""} == {
        "file": "<b>004.jpg",
        "label": "none",
        "kind": "walls/old",
        "source": "",
        "fold": "4",
        "filed": "blue",
        "blue": "",
        "none": "",
        "red": "",
    }
    assert sum(float(rows[4][name]) for name in VOCAB) == pytest.approx(1, abs=1e-4)


def test_the_old_model_is_compared_on_what_was_put_right(findings: Findings) -> None:
    assert findings.put_right() is None
    assert "What you had put right" not in report.render(findings, ModelPackage.load(BEARS))
    before = {3: "red", 6: "none", 10: "blue", 5: "blue"}  # blue, blue, none of these, red
    pictures = tuple(
        replace(picture, before=before.get(number, ""))
        for number, picture in enumerate(findings.asked.pictures)
    )
    found = replace(findings, asked=replace(findings.asked, pictures=pictures))
    assert found.put_right() == (Outcome(0, 3, 1), Outcome(4, 0, 0))
    page = " ".join(Page(report.render(found, ModelPackage.load(BEARS))).words.split())
    assert "the one before031" in page and "this one400" in page
