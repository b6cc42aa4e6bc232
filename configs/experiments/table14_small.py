"""The paper's Table 14 at the scale of minutes a run."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import orders_of_three

title = 'Table 14 (small): order of three tasks'
evaluations = dict(
    imagenet=dict(
        config='../retrain/small_cells_imagenet.py',
        options={{_base_.common_options}},
        slices={'train_dataloader.dataset': dict(num=2400), 'test_dataloader.dataset': dict(num=1000)},
        shape=(64, 64)))
columns = [
    dict(name='imagenet error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    *_base_.columns,
]
rows = orders_of_three('../imtnas_three_tasks_small.py')
