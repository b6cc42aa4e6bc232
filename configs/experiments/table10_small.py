"""The paper's Table 10 at a scale of minutes per run."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import thresholds

title = 'Table 10 (small): threshold tau'
rows = thresholds('../imtnas_cifar_pcdarts_small.py', (.1, 1., 5., 25., 100.))
