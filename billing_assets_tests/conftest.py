"""What many tests share: the sample month, closed once through the real command, and how tests are spread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.process import ROOT, billing

SAMPLE_NOW = "2023-12-02T00:00:00Z"

COSTLY = ("closed_sample", "january", "closed_vectors", "s3_options")
"""Fixtures that are made once for all tests that read them."""

# What is drawn is the same in every run: a test that fails fails for everybody, and a green main stays green.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (`-n 2 --dist loadgroup`), what shares an expensive fixture goes to one of them."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_shared(item)))


def _shared(item: pytest.Item) -> str:
    """The books that a test reads, else its module."""
    fixtures = getattr(item, "fixturenames", ())
    if (costly := next((name for name in COSTLY if name in fixtures), None)) is not None:
        return costly
    if "books_of" in fixtures and isinstance(item, pytest.Function):
        params = item.callspec.params
        return " ".join(params["closes"] if "closes" in params else params["one"].closes)
    return item.nodeid.partition("::")[0]


@dataclass(frozen=True)
class ClosedSample:
    """The sample data after `billing close --month 2023-11`: its lake, and what the command printed."""

    root: Path
    lake: Lake
    stdout: str
    exit_code: int


@pytest.fixture(scope="session")
def closed_sample(tmp_path_factory: pytest.TempPathFactory) -> ClosedSample:
    """Read it, do not write to it."""
    root = tmp_path_factory.mktemp("sample") / "lake"
    closed = billing(ROOT, "close", "--month", "2023-11", "--now", SAMPLE_NOW, "--lake", str(root))
    assert closed.returncode in (0, 1), closed.stderr
    return ClosedSample(root, Lake(root), closed.stdout, closed.returncode)
