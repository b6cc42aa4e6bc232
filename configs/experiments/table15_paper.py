"""The paper's Table 15: additional networks on ImageNet and COCO."""
_base_ = ['_base_/cls_det_paper.py']
title = 'Table 15: additional networks on COCO and ImageNet'


def independent(name, network):
    return dict(name=name, evaluations=dict(
        imagenet=dict(config=f'../independent/{network}_imagenet.py', shape=(224, 224)),
        coco=dict(config=f'../independent/{network}_retinanet_coco.py', shape=(800, 1344), initial='imagenet')))


rows = [
    independent('MobileNetV2', 'mobilenet_v2'),
    independent('FairNAS-A', 'fairnas_a_se'),
    independent('FairNAS-B', 'fairnas_b_se'),
    dict(name='IMTNAS (ours)', search='../imtnas_cls_det.py'),
]
