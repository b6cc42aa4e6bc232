"""The paper's Table 7: the order of the tasks, on DARTS. Order 1 is "Ours" of table6_paper.py."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import orders

title = 'Table 7: order of the tasks'
ours = 'Order 1'
rows = orders('../imtnas_cifar_darts.py')
