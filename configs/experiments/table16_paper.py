"""The paper's Table 16: more networks of cells on CIFAR-100 and CIFAR-10.

The paper took all rows but DARTS-1st from other papers, of methods that aren't
here. In their place stand the architectures that the authors of DARTS, P-DARTS,
PC-DARTS and PR-DARTS published, retrained by the same recipe. DARTS-1st
searches the 150 epochs of E.1's "regular DARTS".
"""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import OWN_EPOCHS, published_cells

title = 'Table 16: additional cells on CIFAR-100 and CIFAR-10'
ours = 'IMTNAS-Darts2nd (ours)'
columns = [
    *_base_.columns,
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
]
rows = published_cells('../imtnas_cifar_darts.py', OWN_EPOCHS['Darts2nd'])
