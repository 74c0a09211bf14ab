"""One close of every vector and example, once per worker."""

from __future__ import annotations

from itertools import chain

import pytest

from billing_assets_tests.pipeline import examples, vectors
from billing_assets_tests.pipeline.closing import Closed, close_books
from billing_assets_tests.pipeline.company import NOW, company


@pytest.fixture(scope="session")
def closed_vectors(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    """Read it, do not write to it."""
    catalog, events = company(chain(vectors.cases(), examples.cases()))
    batches = [(NOW, {"events.jsonl": events})]
    return close_books(tmp_path_factory.mktemp("vectors"), catalog, batches, NOW)
