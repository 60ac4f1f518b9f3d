"""The project's own Sphinx extensions, one idea a file."""
