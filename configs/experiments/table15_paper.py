"""The paper's Table 15: additional networks on ImageNet and COCO."""
_base_ = ['_base_/cls_det_paper.py']
from imtnas_mm.experiments.paper_rows import independent

title = 'Table 15: additional networks on COCO and ImageNet'
rows = [
    independent('MobileNetV2', 'mobilenet_v2'),
    independent('FairNAS-A', 'fairnas_a_se'),
    independent('FairNAS-B', 'fairnas_b_se'),
    dict(name='IMTNAS (ours)', search='../imtnas_cls_det.py'),
]
