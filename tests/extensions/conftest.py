"""Warnings of builds in this process as plain text: NO_COLOR reaches those in another one."""

from sphinx.util.console import nocolor

nocolor()
