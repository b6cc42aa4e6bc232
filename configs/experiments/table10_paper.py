"""The paper's Table 10: the threshold tau, on DARTS."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import thresholds

title = 'Table 10: threshold tau'
rows = thresholds('../imtnas_cifar_darts.py', (.1, 1., 5., 25., 100.))
