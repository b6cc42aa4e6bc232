"""The paper's Table 5: a hypernetwork (HN) or stored weights (NHN), against each space's own method.

Epochs are those of table3_paper.py. The errors stand in the paper's Table 3.
"""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import OWN_EPOCHS, cell_evaluations, cell_search, encoder_weights

title = 'Table 5: encoder weights from a hypernetwork (HN) and stored (NHN)'
columns = [
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
    dict(name='memory (MiB)', metric='search_memory', scale=2**-20),
    *_base_.columns,
]
rows = [row for space in ('Darts2nd', 'Pdarts', 'Pcdarts', 'Prdarts')
        for row in encoder_weights(space, cell_search(space), OWN_EPOCHS.get(space),
                                   evaluations=cell_evaluations(space))]
