"""SearchRunner: what it refuses, and that a resumed search ends as one that never stopped."""
import pytest
from mmengine.hooks import Hook

from helpers import tiny_run as tiny
from helpers.search_state import differences, state
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.genotype import load_genotype
from imtnas_mm.registry import HOOKS

NEVER = dict(val_begin=99)  # these tests are about training


@HOOKS.register_module(force=True)
class StopBefore(Hook):
    """A power cut before an iteration (from 0)."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, **kwargs):
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def config_of(data, path, **fields):
    """Two epochs of two iterations, a checkpoint after each iteration and after each epoch."""
    return tiny.write_config(
        path, 'imtnas_demo.py', **tiny.search_fields(data, rounds=1, max_epochs=2, warmup_epochs=1, **NEVER),
        custom_hooks=[dict(type='CheckpointHook', interval=1, by_epoch=False, max_keep_ckpts=-1, save_last=False),
                      *fields.pop('hooks', [])], **fields)


@pytest.fixture(scope='module')
def whole(data, tmp_path_factory):
    """Config and work dir of a search that ran without a stop."""
    folder = tmp_path_factory.mktemp('whole')
    config = config_of(data, folder / 'tiny.py')
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work'


def test_differences_are_found(whole):
    first, second = (state(whole[1] / 'epoch_2.pth') for _ in range(2))
    assert differences(first, second) == []
    next(iter(second['state_dict'].values())).view(-1)[0] += 1e-7
    second['optimizer']['architecture']['param_groups'][0]['lr'] *= 2
    assert len(differences(first, second)) == 2


@pytest.mark.parametrize('start, left, options', [
    ('iter_1', [2, 3, 4], ['randomness.seed=5']),  # the seed is the checkpoint's, whatever the config has
    ('iter_2', [3, 4], ['train_dataloader.cls.num_workers=1', 'train_dataloader.cls.persistent_workers=True']),
    ('epoch_1', [3, 4], []),
])
def test_resumed_by_path_ends_as_the_whole_search(whole, tmp_path, start, left, options):
    config, work = whole
    tiny.run('train', config, '--work-dir', tmp_path / 'work', '--resume', work / f'{start}.pth', options=options)
    assert [line['iter'] for line in tiny.scalars(tmp_path / 'work') if 'epoch_time' not in line] == left
    for name in ('iter_4', 'epoch_2'):
        assert differences(state(work / f'{name}.pth'), state(tmp_path / 'work' / f'{name}.pth')) == []


def test_interrupted_and_resumed_by_itself_ends_as_the_whole_search(whole, data, tmp_path, capsys):
    config, work = whole
    stopping = config_of(data, tmp_path / 'tiny.py', hooks=[dict(type='StopBefore', iteration=3)])
    with pytest.raises(SystemExit, match='^130$'):  # there is nothing to resume at first
        tiny.run('train', stopping, '--work-dir', tmp_path / 'work', '--resume')
    assert f'The last checkpoint is {tmp_path / "work" / "iter_3.pth"}; --resume' in capsys.readouterr().err
    assert (tmp_path / 'work' / 'last_checkpoint').read_text().endswith('iter_3.pth')
    assert load_genotype(tmp_path / 'work' / 'architecture.json').source['iteration'] == 3
    tiny.run('train', config, '--work-dir', tmp_path / 'work', '--resume')
    assert differences(state(work / 'epoch_2.pth'), state(tmp_path / 'work' / 'epoch_2.pth')) == []


def test_resume_refuses_epochs_of_another_length(whole, tmp_path):
    with pytest.raises(CheckpointError, match=r'epoch_1.pth: epochs had 2 iterations .* and have 1 here.*'
                                              'train_cfg.epoch_length=2'):
        tiny.run('train', whole[0], '--work-dir', tmp_path, '--resume', whole[1] / 'epoch_1.pth',
                 options=['train_cfg.epoch_length=1'])


@pytest.mark.parametrize('options, message', [
    (['model.search_space.width_mult=.2', 'model.tasks.cls.model.head.in_channels=None',
      'model.tasks.det.model.neck.in_channels=None'],
     r"has 'encoder_weights.*' of shape \(\d+, \d+\), which is .* here"),
    (['train_cfg.rounds=2'], "lacks 'heads.cls.1"),
])
def test_checkpoint_of_another_config(whole, tmp_path, options, message):
    path = whole[1] / 'epoch_1.pth'
    with pytest.raises(CheckpointError, match=rf'epoch_1.pth: not a checkpoint of this search: .*{message}') as error:
        tiny.run('train', whole[0], '--work-dir', tmp_path, '--resume', path, options=options)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize('option, message', [
    ('model.rounds=2', 'model.rounds=2: set train_cfg.rounds instead'),
    ('model.order=(cls,)', 'model.order=.*: set train_cfg.order instead'),
    ('model_wrapper_cfg.type=MMDistributedDataParallel', 'model_wrapper_cfg=.*a search is not wrapped'),
    ('sync_bn=torch', "sync_bn='torch': a search has no synchronised batch normalisation; use norm_cfg=.*GN"),
    ('compile=True', 'compile=True: it acts on the forward pass .* which a search does not call; leave it out'),
    ('find_unused_parameters=True', 'find_unused_parameters=True: it acts on'),
    ('train_cfg.max_epochs=2.5', 'train_cfg.max_epochs=2.5 must be a whole number from 1'),
    ('randomness.diff_rank_seed=True', 'randomness.diff_rank_seed=True: all processes share one seed'),
    ('auto_scale_lr.enable=True', 'auto_scale_lr.enable=True: .*optim_wrapper.encoder'),
    ('param_scheduler.heads=[]', r"param_scheduler has \['heads'\]; a search takes .*'head'"),
])
def test_refused_options(whole, tmp_path, option, message):
    options = ['auto_scale_lr.base_batch_size=8'] if option.startswith('auto') else []
    with pytest.raises(ValueError, match=message):
        tiny.run('train', whole[0], '--work-dir', tmp_path, options=[option, *options])


def test_averaged_weights_are_refused(data, tmp_path):
    config = config_of(data, tmp_path / 'tiny.py', hooks=[dict(type='EMAHook')])
    with pytest.raises(ValueError, match='custom_hooks: EMAHook would average A with the weights'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work')


@pytest.mark.parametrize('key', ['rounds', 'order'])
def test_rounds_and_order_are_needed(data, tmp_path, key):
    fields = tiny.search_fields(data)
    fields['train_cfg'] = tiny.replaced(type='InterleavedSearchLoop', max_epochs=1, **{
        name: value for name, value in dict(rounds=1, order=('cls', 'det')).items() if name != key})
    with pytest.raises(ValueError, match=f'train_cfg.{key} is missing; .*InterleavedSearchLoop'):
        tiny.run('train', tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields), '--work-dir', tmp_path)


def test_one_schedule_for_all_is_refused(data, tmp_path):
    fields = tiny.search_fields(data)
    fields['param_scheduler'] = [dict(type='ConstantLR')]
    with pytest.raises(ValueError, match='param_scheduler: a search has one list of schedulers per optimiser'):
        tiny.run('train', tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields), '--work-dir', tmp_path)
