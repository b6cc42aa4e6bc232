"""A detector on a few hundred scenes of COCO at 320 pixels: the backbone that a search finds, beside MobileNetV2.

Both are trained by one recipe: on `imagenet`, then from its weights on `coco`, of data/small.
"""
_base_ = ['_base_/cls_det_small.py']
title = 'A detector at 320 pixels, its backbone searched, and MobileNetV2'
ours = 'IMTNAS, joint'
seeds = [0]
search_options = dict(_delete_=True)
evaluations = dict(
    _delete_=True,
    imagenet=dict(config='../retrain/small_imagenet96.py', shape=(96, 96)),
    coco=dict(config='../retrain/small_retinanet_coco320.py', shape=(320, 320), initial='imagenet'))
rows = [
    dict(name='IMTNAS, joint', search='../imtnas_detector_small.py'),
    dict(name='MobileNetV2 0.5', evaluations=dict(
        imagenet=dict(config='../independent/mobilenet_v2_small_imagenet96.py', shape=(96, 96)),
        coco=dict(
            config='../independent/mobilenet_v2_small_retinanet_coco320.py', shape=(320, 320), initial='imagenet'))),
]
