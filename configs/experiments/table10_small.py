"""The paper's Table 10 at the scale of minutes a run: the small searches' .5 in the place of 5."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import thresholds

title = 'Table 10 (small): threshold tau'
rows = thresholds('../imtnas_cifar_pcdarts_small.py', (.01, .1, .5, 2.5, 10.))
