"""The paper's Table 14 at a scale of minutes per run."""
_base_ = ['_base_/three_tasks_small.py']
from imtnas_mm.experiments.paper_rows import orders_of_three

title = 'Table 14 (small): order of three tasks'
columns = [*_base_.imagenet_columns[:1], *_base_.columns, *_base_.sizes]
rows = orders_of_three('../imtnas_three_tasks_small.py')
