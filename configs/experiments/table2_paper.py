"""The paper's Table 2: object detection on COCO and classification on ImageNet.

MnasNet-A1 stands for A2 (docs/independent_networks.md). The weights of MTL-SWS (4.3.1) are those of all joint methods.
What BMTAS and MTL-NAS find is one network of both tasks: they are retrained together, from scratch.
"""
_base_ = ['_base_/cls_det_paper.py']
title = 'Table 2: detection on COCO and classification on ImageNet'
search = '../imtnas_cls_det.py'
joint = {'model.train_weights': dict(cls=1., det=.5), 'model.val_weights': dict(cls=1., det=.5)}
together = dict(joint=dict(
    config='../retrain/joint_mbconv_cls_det.py', shape=dict(cls=(224, 224), det=(800, 1344)),
    tasks=dict(cls='imagenet', det='coco')))


def independent(name, network):
    return dict(name=name, evaluations=dict(
        imagenet=dict(config=f'../independent/{network}_imagenet.py', shape=(224, 224)),
        coco=dict(config=f'../independent/{network}_retinanet_coco.py', shape=(800, 1344), initial='imagenet')))


rows = [
    independent('SingPathNAS', 'single_path_nas'),
    independent('MobileNetV3', 'mobilenet_v3'),
    independent('MnasNet-A1', 'mnasnet_a1'),
    independent('MixNet-M', 'mixnet_m'),
    independent('FairNAS-C', 'fairnas_c_se'),
    dict(name='MTL-SAO', search=search, options={'model.type': 'MTLSAO', **joint}),
    dict(name='MTL-HWS', search=search, options={'model.type': 'MTLHWS', **joint}),
    dict(name='MTL-SWS', search=search, options={'model.type': 'MTLSWS', 'model.sharing_weight': 10., **joint}),
    dict(name='MTL-NAS', search='../mtlnas_cls_det.py', evaluations=together),
    dict(name='BMTAS', search='../bmtas_cls_det.py', evaluations=together),
    dict(name='MI', search=search, options={
        'model.type': 'MinibatchInterleaving', 'model.sharing_weight': 10., **joint}),
    dict(name='SI', search=search, options={'model.type': 'SeparateInterleaving'}),
    dict(name='IMTNAS (ours)', search=search),
]
