"""The paper's Table 12: CIFAR-10, with cells of a search over CIFAR-100, CIFAR-10 and ImageNet (Appendix B).

Its rows that were not taken from other papers, and DARTS-1st and PC-DARTS. DARTS- and DARTS+ aren't here. MTL-SWS
searches the 100 epochs of Table 20's MTLSWS-PCDARTS; the search of IMTNAS is Table 14's first.
"""
_base_ = ['_base_/three_tasks_paper.py']
from imtnas_mm.experiments.paper_rows import (
    OWN_EPOCHS,
    SWS_EPOCHS,
    cell_evaluations,
    cell_search,
    darts_1st,
    single_tasks,
    three_tasks,
)

title = 'Table 12: CIFAR-10, PC-DARTS on three tasks'
ours = 'IMTNAS-PCDARTS (ours)'
columns = [column for column in _base_.columns if column.evaluation == 'c10'] + _base_.sizes
rows = [
    darts_1st('../imtnas_cifar_darts.py', OWN_EPOCHS['Darts2nd'], evaluations=cell_evaluations('Darts2nd')),
    single_tasks('Pcdarts', cell_search('Pcdarts'), name='PC-DARTS', c10=('c10', 'imagenet')),
    *three_tasks('../imtnas_three_tasks.py', SWS_EPOCHS['Pcdarts']),
]
