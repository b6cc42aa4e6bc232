"""The paper's Table 14 at the scale of minutes a run."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 14 (small): order of three tasks'
evaluations = dict(
    imagenet=dict(
        config='../retrain/small_cells_imagenet.py',
        options={{_base_.common_options}},
        slices={'train_dataloader.dataset': dict(num=2400), 'test_dataloader.dataset': dict(num=1000)},
        shape=(64, 64)))
columns = [
    dict(name='imagenet error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='tiny100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]
rows = [
    dict(name=', '.join(order), search='../imtnas_three_tasks_small.py', options={'train_cfg.order': order})
    for order in (('c100', 'c10', 'imagenet'), ('c100', 'imagenet', 'c10'), ('imagenet', 'c10', 'c100'))
]
