"""The paper's Table 8 at a scale of minutes per run; 6 is table6_small.py's "Ours", 0 its "No transfer"."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import augmentations

title = 'Table 8 (small): number C of augmentations'
rows = augmentations('../imtnas_cifar_pcdarts_small.py', (2, 4, 6, 9, 12))
