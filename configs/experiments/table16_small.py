"""The paper's Table 16 at a scale of minutes per run."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import published_cells

title = 'Table 16 (small): additional cells'
ours = 'IMTNAS-Darts2nd (ours)'
columns = [
    *_base_.columns,
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
]
rows = published_cells('../imtnas_cifar_darts_small.py')
