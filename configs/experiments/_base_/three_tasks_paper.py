"""Shared by Tables 11 to 14 (Appendix B, three tasks on PC-DARTS). ImageNet is for the first seed, as in the paper."""
_base_ = ['cifar_paper.py']
from imtnas_mm.experiments.paper_rows import IMAGENET, cell_evaluations

evaluations = dict(cell_evaluations('Pcdarts'), imagenet=IMAGENET)
sizes = [
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
]
imagenet_columns = [
    dict(name='ImageNet top-1 error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='ImageNet top-5 error (%)', evaluation='imagenet', metric='accuracy/top5', error=True),
    dict(name='ImageNet parameters (M)', evaluation='imagenet', metric='parameters', scale=1e-6),
]
