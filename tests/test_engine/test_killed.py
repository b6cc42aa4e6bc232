"""A training killed at a random moment and resumed ends as one that was not. tests/stress/killed.py does it often."""
import pytest

from helpers import killed_run as killed
from helpers.tiny_run import no_pictures  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('seed, world_size, kind', [
    (0, 1, 'StoredWeights'), (1, 2, 'HyperNetwork'), (2, 1, 'retraining'), (3, 2, 'joint')])
def test_killed_at_a_random_moment_and_resumed(data, tmp_path, seed, world_size, kind):
    config = killed.write_config(tmp_path / 'tiny.py', data, kind)
    whole, work = tmp_path / 'whole', tmp_path / 'work'
    seconds = killed.run(config, whole, world_size)
    killed.kill_at_random(killed.start(config, work, world_size), seconds, seed)
    killed.run(config, work, world_size)
    killed.assert_ended_as(work, whole)
