"""A network of timm as the backbone in mbconv_retinanet_coco.py; a config adds its name, weights and channels."""
_base_ = ['../../retrain/mbconv_retinanet_coco.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.TIMMPyramid',
        out_indices=(2, 3, 4),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', prefix='backbone.')))
