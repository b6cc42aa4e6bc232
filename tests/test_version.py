"""One version: the package's, the distribution's and the change log's are the same."""
import re

from setuptools.config.pyprojecttoml import read_configuration

import imtnas_mm
from helpers import tiny_run as tiny


def test_the_distribution_has_the_version_of_the_package():
    project = read_configuration(tiny.ROOT / 'pyproject.toml')['project']
    assert project['dynamic'] == ['version'] and project['version'] == imtnas_mm.__version__


def test_the_change_log_begins_with_the_changes_to_come():
    """The newest release in it, once there is one, is the version of the package."""
    headings = re.findall(r'^## \[(.+?)\](.*)$', (tiny.ROOT / 'CHANGELOG.md').read_text(), re.M)
    assert headings[0] == ('Unreleased', '')
    for version, date in headings[1:]:
        assert re.fullmatch(r'\d+\.\d+\.\d+', version) and re.fullmatch(r' - \d{4}-\d\d-\d\d', date)
    assert [version for version, _ in headings[1:2]] in ([], [imtnas_mm.__version__])
