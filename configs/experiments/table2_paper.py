"""The paper's Table 2: object detection on COCO and classification on ImageNet.

MnasNet-A1 stands for A2 (docs/independent_networks.md). The weights of MTL-SWS (4.3.1) are those of all joint methods.
What BMTAS and MTL-NAS find is one network of both tasks: they are retrained together, from scratch.
"""
_base_ = ['_base_/cls_det_paper.py']
from imtnas_mm.experiments.paper_rows import independent, multitask, sharing_searches

title = 'Table 2: detection on COCO and classification on ImageNet'
joint = {'model.train_weights': dict(cls=1., det=.5), 'model.val_weights': dict(cls=1., det=.5)}
together = dict(joint=dict(
    config='../retrain/joint_mbconv_cls_det.py', shape=dict(cls=(224, 224), det=(800, 1344)),
    tasks=dict(cls='imagenet', det='coco')))
rows = [
    independent('SingPathNAS', 'single_path_nas'),
    independent('MobileNetV3', 'mobilenet_v3'),
    independent('MnasNet-A1', 'mnasnet_a1'),
    independent('MixNet-M', 'mixnet_m'),
    independent('FairNAS-C', 'fairnas_c_se'),
    *multitask('../imtnas_cls_det.py', 10., joint=joint, between=sharing_searches('../{}_cls_det.py', together)),
]
