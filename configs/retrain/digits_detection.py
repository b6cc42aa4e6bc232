# The architecture of configs/imtnas_digits.py, trained to detect digits in scenes
#
# To start from the backbone of its classifier, as the paper does:
#   --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.prefix=backbone. \
#       model.backbone.init_cfg.checkpoint=work_dirs/digits_classification/epoch_8.pth
_base_ = ['demo_detection.py', '../_base_/models/digits_space.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.MBConvNet',
        architecture=_base_.digits_architecture,
        out_indices=(2, 3)),
    neck=dict(in_channels=[32, 64]))

gray = dict(type='RandomGrayscale', prob=1., keep_channels=True)  # as in the search
train_pipeline = [_base_.train_pipeline[0], gray, *_base_.train_pipeline[1:]]
test_pipeline = [_base_.test_pipeline[0], gray, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
