import pytest

from helpers.search_folder import write_search


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """The work dir of a search that was stopped and resumed."""
    return write_search(tmp_path_factory.mktemp('search'))
