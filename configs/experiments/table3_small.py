"""The paper's Table 3 at a scale of minutes per run, without the transfer to ImageNet."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import cell_search, multitask, sharing_searches, single_tasks

title = 'Table 3 (small): methods on the four cell spaces'
columns = [
    *_base_.columns,
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
]
together = dict(joint=dict(
    config='../retrain/small_joint_cells_cifar.py',
    options={
        **{f'{part}_dataloader.{task}.num_workers': 0 for part in ('train', 'val', 'test') for task in ('c10', 'c100')},
        **{f'train_dataloader.{task}.persistent_workers': False for task in ('c10', 'c100')},
        **{f'train_dataloader.{task}.dataset.indices': 2400 for task in ('c10', 'c100')},
        'train_cfg.max_epochs': 2,
        'train_cfg.val_begin': 3,  # not at all: the test follows
    },
    shape=(32, 32),
    tasks=dict(c100='c100', c10='c10')))
separate = {  # the same iterations, with one epoch per segment
    'train_cfg.max_epochs': 4, 'train_cfg.epoch_length': 10, 'train_cfg.val_interval': 4}


def methods(space):
    search = cell_search(space, '_small')
    ours = f'IMTNAS-{space} (ours)'
    return [single_tasks(space, search, ours=ours),
            *multitask(search, 100., suffix=f'-{space}', separate=separate, ours=ours)]


rows = [
    *sharing_searches('../{}_cifar_darts_small.py', together),
    *methods('Darts2nd'),
    *methods('Pdarts'),
    *methods('Pcdarts'),
    *methods('Prdarts'),
]
