"""tune_rounds_paper.py at a scale of minutes per run: 1,000 images of each training set held out."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import held_out_slices, rounds

title = 'Tuning the number of rounds (small): errors on the images held out'
figure = dict(x='number of rounds', left=['tiny100 held-out error (%)'], right=['cifar10 held-out error (%)'])
held_out = dict(num=1000, seed=0)
others = dict(num=1000, seed=0, rest=True)
search_slices = held_out_slices(held_out, others)
evaluation = dict(
    options={
        **{f'{part}_dataloader.dataset.indices': None for part in ('train', 'val', 'test')},
        **{f'{part}_dataloader.dataset.split': 'train' for part in ('val', 'test')},
        **_base_.common_options},
    slices={
        'train_dataloader.dataset': [others, dict(num=2400)],
        'val_dataloader.dataset': held_out,
        'test_dataloader.dataset': held_out},
    shape=(32, 32))
evaluations = dict(
    c100=dict(config='../retrain/small_cells_tiny100.py', **evaluation),
    c10=dict(config='../retrain/small_cells_cifar10.py', **evaluation))
columns = [
    dict(name='tiny100 held-out error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 held-out error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]
rows = rounds('../imtnas_cifar_pcdarts_small.py', (2, 3, 4), **{
    f'test_dataloader.{task}.dataset.{key}': value for task in ('c10', 'c100')
    for key, value in (('split', 'train'), ('indices', None))})
