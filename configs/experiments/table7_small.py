"""The paper's Table 7, the order of the tasks, at a scale of minutes per run. Order 1 is table6_small.py's "Ours"."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import orders

title = 'Table 7 (small): order of the tasks'
ours = 'Order 1'
rows = orders('../imtnas_cifar_pcdarts_small.py')
