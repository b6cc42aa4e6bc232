"""The paper's Table 13: ImageNet, with cells of a search over CIFAR-100, CIFAR-10 and ImageNet (Appendix B).

Its rows that were not taken from other papers, and PC-DARTS. Beside PC-DARTS on CIFAR-10, the paper's table has it
searched on ImageNet (E.2: 224 pixels, another stem, batches of 1024). E.2 combines "our method" with that search, too,
whose stem CIFAR's tasks can't share: the last row, for ImageNet alone. The costs of Table 13 (7.0 days) and of Tables
11 and 12 (0.6) are of one search by the text, since all errors are those of Table 14's first row: it is one here.
"""
_base_ = ['_base_/three_tasks_paper.py']
from imtnas_mm.experiments.paper_rows import (
    IMAGENET,
    SWS_EPOCHS,
    cell_search,
    imagenet_searches,
    single_tasks,
    three_tasks,
)

title = 'Table 13: ImageNet, PC-DARTS on three tasks'
ours = 'IMTNAS-PCDARTS (ours)'
columns = [*_base_.imagenet_columns, dict(name='search time (days)', metric='search_time', scale=1 / 86400)]
rows = [
    single_tasks('Pcdarts', cell_search('Pcdarts'), name='PC-DARTS (CIFAR-10)', c10=('c10', 'imagenet')),
    *three_tasks('../imtnas_three_tasks.py', SWS_EPOCHS['Pcdarts']),
    *imagenet_searches('../imtnas_imagenet_pcdarts.py', dict(imagenet=IMAGENET), gpus=8),
]
