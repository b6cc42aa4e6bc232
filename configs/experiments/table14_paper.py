"""The paper's Table 14: the order of three tasks, on PC-DARTS; with the parameters and the time of Tables 11 to 13.

Its first row is IMTNAS of Tables 11 to 13, which also have MTL-SWS and PC-DARTS.
"""
_base_ = ['_base_/three_tasks_paper.py']
from imtnas_mm.experiments.paper_rows import orders_of_three

title = 'Table 14: order of three tasks'
columns = [*_base_.imagenet_columns[:1], *_base_.columns, *_base_.sizes]
rows = orders_of_three('../imtnas_three_tasks.py')
