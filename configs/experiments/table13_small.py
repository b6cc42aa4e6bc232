"""The paper's Table 13 at a scale of minutes per run. PC-DARTS on CIFAR-10 is retrained on the small ImageNet, too."""
_base_ = ['_base_/three_tasks_small.py']
from imtnas_mm.experiments.paper_rows import cell_search, imagenet_searches, single_tasks, three_tasks

title = 'Table 13 (small): the small ImageNet, PC-DARTS on three tasks'
ours = 'IMTNAS-PCDARTS (ours)'
columns = [*_base_.imagenet_columns, dict(name='search time (s)', metric='search_time')]
rows = [
    single_tasks('Pcdarts', cell_search('Pcdarts', '_small'), name='PC-DARTS (CIFAR-10)', c10=('c10', 'imagenet')),
    *three_tasks('../imtnas_three_tasks_small.py'),
    *imagenet_searches('../imtnas_imagenet_pcdarts_small.py', dict(imagenet=_base_.imagenet)),
]
