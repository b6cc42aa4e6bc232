"""Shared by the experiments on ImageNet and COCO (4.3). The paper gives no deviations there: one seed."""
seeds = [0]
gpus = 8  # of each training: 8 x 128 images of ImageNet in a search, 8 x 32 in a retraining; 8 x 2 of COCO
search_test = True  # the networks of all rounds (figure1_right_rounds_paper.py)
evaluations = dict(
    imagenet=dict(config='../retrain/mbconv_imagenet.py', shape=(224, 224)),
    coco=dict(config='../retrain/mbconv_retinanet_coco.py', shape=(800, 1344), initial='imagenet'))
columns = [
    dict(name='AP', evaluation='coco', metric='coco/bbox_mAP', scale=100),
    dict(name='AP50', evaluation='coco', metric='coco/bbox_mAP_50', scale=100),
    dict(name='AP75', evaluation='coco', metric='coco/bbox_mAP_75', scale=100),
    dict(name='APS', evaluation='coco', metric='coco/bbox_mAP_s', scale=100),
    dict(name='APM', evaluation='coco', metric='coco/bbox_mAP_m', scale=100),
    dict(name='APL', evaluation='coco', metric='coco/bbox_mAP_l', scale=100),
    dict(name='top-1 (%)', evaluation='imagenet', metric='accuracy/top1'),
    dict(name='top-5 (%)', evaluation='imagenet', metric='accuracy/top5'),
    dict(name='MACs (M)', evaluation='imagenet', metric='macs', scale=1e-6),
]
