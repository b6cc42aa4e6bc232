"""The paper's Table 5 at a scale of minutes per run. The single tasks and HN are rows of table3_small.py."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import cell_search, encoder_weights

title = 'Table 5 (small): encoder weights from a hypernetwork (HN) and stored (NHN)'
columns = [
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
    dict(name='memory (MiB)', metric='search_memory', scale=2**-20),
    *_base_.columns,
]
rows = [row for space in ('Darts2nd', 'Pdarts', 'Pcdarts', 'Prdarts')
        for row in encoder_weights(space, cell_search(space, '_small'))]
