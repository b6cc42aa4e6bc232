"""The paper's Table 11 at the scale of minutes a run. DARTS-1st and PC-DARTS are rows of Tables 16 and 3."""
_base_ = ['_base_/three_tasks_small.py']
from imtnas_mm.experiments.paper_rows import cell_search, darts_1st, single_tasks, three_tasks

title = 'Table 11 (small): tiny100, PC-DARTS on three tasks'
ours = 'IMTNAS-PCDARTS (ours)'
columns = [column for column in _base_.columns if column.evaluation == 'c100'] + _base_.sizes
alone = {task: _base_.evaluations[task] for task in ('c100', 'c10')}
rows = [
    darts_1st('../imtnas_cifar_darts_small.py', evaluations=alone),
    single_tasks('Pcdarts', cell_search('Pcdarts', '_small'), name='PC-DARTS', evaluations=alone),
    *three_tasks('../imtnas_three_tasks_small.py'),
]
