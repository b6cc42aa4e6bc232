"""A search that the code of commit c487929 was stopped in goes on, and ends as it ended there."""
import torch

from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401

DATA = tiny.ROOT / 'tests' / 'data'


def write_config(path, data):
    """The search of the checkpoint: two classifications of two rounds on cells, two epochs of two iterations."""
    fields = tiny.search_fields(data, order=('cls', 'cls2'), rounds=2, max_epochs=2, epoch_length=2, val_begin=99)
    classifier = dict(tiny.CLASSIFIER, neck=dict(type='GlobalAveragePooling'),
                      head=dict(type='LinearClsHead', num_classes=3, in_channels=64, topk=(1, )))
    fields['model'].update(
        hypergradient='exact',
        transfer=dict(statistic='scaled', threshold=.5, **fields['model']['transfer']),  # as in its config
        encoder_weights=tiny.replaced(type='HyperNetwork', hidden=(3, 6), sub_vector=200),
        search_space=tiny.replaced(type='DARTSSupernet', channels=4, layers=3, stem_stride=2),
        tasks=tiny.replaced(**{name: dict(type='ClassificationTask', model=classifier) for name in ('cls', 'cls2')}))
    fields['default_hooks']['checkpoint'] = dict(interval=1, by_epoch=False, max_keep_ckpts=-1)
    return tiny.write_config(path, 'imtnas_demo.py', **fields)


def test_it_is_resumed(data, tmp_path):
    config = write_config(tmp_path / 'search.py', data)
    tiny.run('train', config, '--work-dir', tmp_path, '--resume', DATA / 'search_c487929.pth')
    state = tiny.checkpoint(tmp_path / 'iter_4.pth')['state_dict']
    # the kernels round in other places since; Adam's step of A is 5e-4, those of weights about 1e-2
    begin = tiny.checkpoint(DATA / 'search_c487929.pth')['state_dict']
    end = torch.load(DATA / 'search_c487929_end.pth', weights_only=True)
    for name, expected in end.items():
        moved = (expected - begin[name].float()).abs().max().item()
        torch.testing.assert_close(state[name], expected, rtol=1e-4, atol=max(moved, 1e-6) / 100, msg=name)
    assert any(name.startswith('architecture.alphas.') for name in end)
