"""Finds the packages of a wheel, so that none is forgotten; everything else stands in pyproject.toml.

The built-in tracers lie beside the package, where they are easy to find, and are shipped inside it.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["scalpels_exporter", "scalpels_exporter.*"]), "scalpels_exporter.tracers"])
