"""E.5: the number M of rounds, tuned on 5,000 images held out of the training set of each task.

They are a seeded slice that the search and the retraining both leave out; the
search halves the other 45,000. 2,500 from each half of 25,000, as the paper
draws them, are the same draw. The test sets take no part: the retrained
network is tested on the slice.
"""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import held_out_slices, rounds

title = 'Tuning the number of rounds: errors on the images held out'
figure = dict(x='number of rounds', left=['CIFAR-100 held-out error (%)'], right=['CIFAR-10 held-out error (%)'])
seeds = [0]
held_out = dict(num=5000, seed=0)
others = dict(num=5000, seed=0, rest=True)
search_slices = held_out_slices(held_out, others)
evaluation = dict(
    options={f'{part}_dataloader.dataset.split': 'train' for part in ('val', 'test')},
    slices={
        'train_dataloader.dataset': others,
        'val_dataloader.dataset': held_out,
        'test_dataloader.dataset': held_out},
    shape=(32, 32))
evaluations = dict(
    c100=dict(config='../retrain/cells_cifar100.py', **evaluation),
    c10=dict(config='../retrain/cells_cifar10.py', **evaluation))
columns = [
    dict(name='CIFAR-100 held-out error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 held-out error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]
rows = rounds('../imtnas_cifar_darts.py', (2, 3, 4), **{
    f'test_dataloader.{task}.dataset.split': 'train' for task in ('c10', 'c100')})
