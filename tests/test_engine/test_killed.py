"""A training killed at a random moment and resumed ends as one that was not. tests/stress/killed.py does it often."""
import pytest

from helpers import killed_run as killed
from helpers.tiny_run import no_pictures  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module', params=[(1, 'StoredWeights'), (2, 'HyperNetwork'), (1, 'retraining'), (2, 'joint')],
                ids=lambda param: f'{param[0]}-{param[1]}')
def whole(request, data, tmp_path_factory):
    """Number of processes and config of a training that ran without a stop, its work dir and the seconds it took."""
    world_size, kind = request.param
    folder = tmp_path_factory.mktemp('whole')
    config = killed.write_config(folder / 'tiny.py', data, kind)
    return world_size, config, folder / 'work', killed.run(config, folder / 'work', world_size)


@pytest.mark.parametrize('seed', range(2))
def test_killed_at_a_random_moment_and_resumed(whole, tmp_path, seed):
    world_size, config, work, seconds = whole
    killed.kill_at_random(killed.start(config, tmp_path, world_size), seconds, seed)
    killed.run(config, tmp_path, world_size)
    killed.assert_ended_as(tmp_path, work)
