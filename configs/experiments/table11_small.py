"""The paper's Table 11 at a scale of minutes per run. DARTS-1st and PC-DARTS are rows of Tables 16 and 3."""
_base_ = ['_base_/three_tasks_small.py']
from imtnas_mm.experiments.paper_rows import cifar_of_three_tasks

title = 'Table 11 (small): tiny100, PC-DARTS on three tasks'
ours = 'IMTNAS-PCDARTS (ours)'
columns = [column for column in _base_.columns if column.evaluation == 'c100'] + _base_.sizes
rows = cifar_of_three_tasks(alone={task: _base_.evaluations[task] for task in ('c100', 'c10')})
