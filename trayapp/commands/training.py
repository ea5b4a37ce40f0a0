"""train: a model of one's own from a folder of class folders."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trayapp.commands import terminal
from trayapp.commands.bars import new_bar
from trayapp.commands.photos import Json
from trayapp.edition import TRAIN, get_fastai, missing
from trayapp.engine import EngineError

if TYPE_CHECKING:
    from trayapp.learning.progress import Advance
    from trayapp.learning.train import Options


def train(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder with a folder of photos for each class.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the model package and the report.")],
    none: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="The folder of none of these, whatever it is called."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="CSV", help="file, label, kind, source of each photo.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(metavar="CSV", help="file, label, why; no label drops the photo.")
    ] = None,
    arch: Annotated[
        str, typer.Option(help="The network, by its name in timm or torchvision.")
    ] = "tf_efficientnet_lite0",
    size: Annotated[
        int, typer.Option(min=32, max=1024, help="Of the network's input, in pixels.")
    ] = 256,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=1000, help="How often each photo is seen.")
    ] = None,
    folds: Annotated[
        str,
        typer.Option(metavar="K|source", help="Hold back every photo once, or every source."),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of all that is random.")] = 0,
    target: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="The share of what is filed that is right.")
    ] = 0.98,
    none_share: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=0.99,
            help="The share of what will come in that is none of these; as in DIR if left out.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the model; the output folder's if left out.")] = "",
    json: Json = False,
) -> int:
    """Teach a model to tell your photos apart; needs the `fastai` extra."""
    if lacking := missing(TRAIN):
        raise EngineError(f"training needs {', '.join(lacking)}: {get_fastai()}")
    # Seconds, and hundreds of megabytes, which no other command should take.
    from trayapp.learning import train
    from trayapp.learning.recipe import recipe_for

    place = terminal.absolute(out)
    options = train.Options(
        folder=terminal.absolute(directory),
        out=place,
        name=name or place.name,
        none=none,
        labels=labels,
        corrections=corrections,
        folds=folds,
        seed=seed,
        target=target,
        none_share=none_share,
        recipe=recipe_for(arch, size, epochs),
    )
    return _train(options, json)


def _train(options: Options, json: bool) -> int:
    from trayapp.learning import train

    progress = _Lines(quiet=json)
    if sys.stderr is not None and sys.stderr.isatty():
        progress = _OnTerminal(quiet=json)
    try:
        package, findings = train.run(options, progress)
    except KeyboardInterrupt:
        raise terminal.StoppedError("stopped; the same command goes on from here") from None
    metrics = [
        {"data": m.data, "photos": m.photos, "filed": m.filed, "right": m.right}
        for m in package.card.metrics
    ]
    if json:
        terminal.say_json(
            {
                "path": str(package.folder),
                "name": package.name,
                "labels": list(package.labels),
                "pictures": len(findings.dataset.pictures),
                "left_out": len(findings.dataset.left_out),
                "thresholds": dict(package.card.thresholds),
                "metrics": metrics,
                "notes": list(findings.fit.notes),
            }
        )
        return 0
    for note in findings.fit.notes:
        terminal.say(note)
    for row in package.card.metrics:
        terminal.say(f"{row.data}: {row.photos} photos, {row.filed} filed, {row.right} rightly")
    terminal.say(f"{package.folder}: done; open report.html, or `beartray model use` it")
    return 0


class _Lines:
    """Plain lines: each part when it is over."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, line: str) -> None:
        """On stdout, which with --json is for the result only."""
        (terminal.warn if self._quiet else terminal.say)(line)

    @contextmanager
    def bar(self, description: str, total: int) -> Iterator[Advance]:
        self.say(f"{description}: {total:,} pictures")
        yield int


class _OnTerminal(_Lines):
    """A bar with rate and time left for each part, as `sort` has one."""

    @contextmanager
    def bar(self, description: str, total: int) -> Iterator[Advance]:
        with new_bar() as bars:
            task = bars.add_task(description, total=total)
            yield lambda count: bars.advance(task, count)
