"""The paper's Table 6: kinds of knowledge transfer, on DARTS."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import transfers

title = 'Table 6: kinds of knowledge transfer'
ours = 'Ours'
rows = transfers('../imtnas_cifar_darts.py', 20)
