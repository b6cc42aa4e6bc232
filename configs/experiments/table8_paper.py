"""The paper's Table 8: the number C of augmentations a set, on DARTS; 0 is no transfer."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import augmentations

title = 'Table 8: number C of augmentations'
rows = augmentations('../imtnas_cifar_darts.py', (3, 10, 20, 30, 40))
