"""The paper's Table 15: additional networks on ImageNet and COCO.

Its IMTNAS has 394 M multiply-adds and other accuracies than the 381 M of Table 2, so that they are read as two runs:
this one has seed 1, that of Table 2 seed 0. With seeds = [0] they are one.
"""
_base_ = ['_base_/cls_det_paper.py']
from imtnas_mm.experiments.paper_rows import independent

seeds = [1]
title = 'Table 15: additional networks on COCO and ImageNet'
rows = [
    independent('MobileNetV2', 'mobilenet_v2'),
    independent('FairNAS-A', 'fairnas_a_se'),
    independent('FairNAS-B', 'fairnas_b_se'),
    dict(name='IMTNAS (ours)', search='../imtnas_cls_det.py'),
]
