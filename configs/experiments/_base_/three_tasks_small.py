"""three_tasks_paper.py at a scale of minutes per run."""
_base_ = ['cifar_small.py']
imagenet = dict(
    config='../retrain/small_cells_imagenet.py',
    options={{_base_.common_options}},
    slices={'train_dataloader.dataset': dict(num=2400), 'test_dataloader.dataset': dict(num=1000)},
    shape=(64, 64))
evaluations = dict(imagenet=imagenet)
sizes = [
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
]
imagenet_columns = [
    dict(name='imagenet error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='imagenet top-5 error (%)', evaluation='imagenet', metric='accuracy/top5', error=True),
    dict(name='imagenet parameters', evaluation='imagenet', metric='parameters'),
]
