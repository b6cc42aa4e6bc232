"""The paper's Table 11: CIFAR-100, with cells of a search over CIFAR-100, CIFAR-10 and ImageNet (Appendix B).

Its rows that were not taken from other papers, and DARTS-1st and PC-DARTS. DARTS- and DARTS+ aren't here. MTL-SWS
searches the 100 epochs of Table 20's MTLSWS-PCDARTS; the search of IMTNAS is Table 14's first.
"""
_base_ = ['_base_/three_tasks_paper.py']
from imtnas_mm.experiments.paper_rows import cifar_of_three_tasks

title = 'Table 11: CIFAR-100, PC-DARTS on three tasks'
ours = 'IMTNAS-PCDARTS (ours)'
columns = [column for column in _base_.columns if column.evaluation == 'c100'] + _base_.sizes
rows = cifar_of_three_tasks()
