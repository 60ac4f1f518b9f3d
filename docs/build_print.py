"""Build the book as one file, and check it: ``python docs/build_print.py pdf`` or ``epub``.

PDF needs XeLaTeX and latexmk; CONTRIBUTING.md lists the packages. The build fails on any warning of
Sphinx's, on a reference without a target, on a number that is not the one on the web, on a
character that the fonts lack, and on a line or formula that does not fit. Checking the EPUB is for
EPUBCheck: ``nox -s epub`` runs it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from _extensions.print_pages import NAME
from build_versions import SPHINX, commit_time

DOCS = Path(__file__).resolve().parent
BUILD = DOCS.parent / "build"
TEX = f"{NAME}.tex"

OVERFULL = 10.0  # points that a line may stick out
SMALLEST = 0.7  # to which a wide formula may be scaled
REFERENCE = re.compile(r"(?:Reference|Hyper reference|Citation) `([^']+)' on page \S+ undefined")
STICKS_OUT = re.compile(r"^(Overfull \\hbox \((\d+\.\d+)pt too wide\).*)$", re.MULTILINE)
LACKING = re.compile(r"Missing character: There is no (\S+)")
SCALED = re.compile(r"Formula on page (\S+) scaled from (\d+\.\d+)pt to (\d+\.\d+)pt")
LABEL = re.compile(r"\\newlabel\{([^}]+)\}\{\{([^}]*)\}")


def environment() -> dict[str, str]:
    """Make the time of the last commit that of the build, unless one is given."""
    return {
        "PYTHONWARNINGS": "",
        **commit_time(DOCS, "HEAD"),
        **os.environ,
        "PYTHONHASHSEED": "0",
        "max_print_line": "10000",  # TeX would break the lines of its log
        "LATEXOPTS": "",  # which the file that Sphinx writes for latexmk reads
    }


def run_sphinx(builder: str) -> Path:
    """Build into an empty folder; a warning is an error."""
    out = BUILD / builder
    shutil.rmtree(out, ignore_errors=True)
    options = ["-W", "-n", "-q", "-j", "auto", "-d", str(BUILD / "print-doctrees")]
    command = [*SPHINX, "-b", builder, *options, str(DOCS), str(out)]
    subprocess.run(command, env=environment(), check=True)
    return out


def build_epub() -> Path:
    """Build the EPUB."""
    return run_sphinx("epub") / f"{NAME}.epub"


def build_pdf() -> Path:
    """Build the PDF, and check the log and the numbers."""
    out = run_sphinx("latex")
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-silent"]
    done = subprocess.run([*command, TEX], cwd=out, env=environment(), check=False)
    log = (out / f"{NAME}.log").read_text("utf-8", errors="replace")
    if done.returncode:
        error = log.find("\n!")
        sys.exit(log[error : error + 1500] if error >= 0 else "latexmk failed")
    expected = json.loads((out / "numbers.json").read_text("utf-8"))
    wrong = problems(log) + differences(expected, (out / f"{NAME}.aux").read_text("utf-8"))
    for line in wrong:
        print(line)
    widths = [float(width) for _, width in STICKS_OUT.findall(log)]
    factors = [float(to) / float(wide) for _, wide, to in SCALED.findall(log)]
    print(
        f"{len(expected)} numbers compared with the web's; "
        f"widest line {max(widths, default=0):.1f} pt out; "
        f"{len(factors)} wide formulas scaled, to {min(factors, default=1):.2f} at least"
    )
    if wrong:
        sys.exit(f"{len(wrong)} problems in {out / NAME}.log")
    return out / f"{NAME}.pdf"


def problems(log: str) -> list[str]:
    """List what a reader of the PDF would stumble over, from the log of the last run."""
    found = [f"nothing is called {label}" for label in REFERENCE.findall(log)]
    found += [line for line, width in STICKS_OUT.findall(log) if float(width) > OVERFULL]
    found += [f"no font has {character}" for character in sorted(set(LACKING.findall(log)))]
    found += [
        f"a formula on page {page} is scaled to {float(to) / float(wide):.2f}: break its line"
        for page, wide, to in SCALED.findall(log)
        if float(to) / float(wide) < SMALLEST
    ]
    return found


def differences(expected: dict[str, str], aux: str) -> list[str]:
    """Compare the numbers that LaTeX gave the labels with those of the web."""
    printed = dict(LABEL.findall(aux))
    return [
        f"{label} is {number} on the web and {printed.get(label, 'missing')} on paper"
        for label, number in expected.items()
        if printed.get(label) != number
    ]


def main() -> None:
    """Build what is asked for, and say where it is."""
    build = {"pdf": build_pdf, "epub": build_epub}[sys.argv[1]]
    try:
        file = build()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{sys.argv[1]} was not built: {error}")
    print(f"{file.stat().st_size / 1e6:.1f} MB in {file}")


if __name__ == "__main__":
    main()
