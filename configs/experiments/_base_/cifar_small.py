"""Shared by all small CIFAR experiments, so that they share runs: PC-DARTS, 40 search iterations, short retraining."""
seeds = [0, 1, 2]
search_options = {
    'train_cfg.max_epochs': 2,
    'train_cfg.epoch_length': 20,
    'train_cfg.val_interval': 2,
    'train_cfg.order': ('c100', 'c10'),
}
common_options = {  # of any retraining
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'train_cfg.max_epochs': 2,
    'train_cfg.val_begin': 3,  # not at all: the test follows
}
retrain_options = {'train_dataloader.dataset.indices': 2400, **common_options}
evaluations = dict(
    c100=dict(config='../retrain/small_cells_tiny100.py', options=retrain_options, shape=(32, 32)),
    c10=dict(config='../retrain/small_cells_cifar10.py', options=retrain_options, shape=(32, 32)))
columns = [
    dict(name='tiny100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]
