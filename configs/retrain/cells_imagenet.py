"""A cell architecture trained on ImageNet from scratch: top-1 and top-5 (the paper's Table 32; 8 GPUs of 128 images).

The rate is multiplied by .97 after each epoch, as in the table, once the 5 epochs
of linear warm-up of E.2 and E.3 are over. These two say that it falls linearly: see below.
E.4 has another recipe for PR-DARTS (batch 128, rate .025 with a cosine, weight
decay 3e-4); the table is taken for all. The images are augmented as in DARTS.
    python tools/train.py configs/retrain/cells_imagenet.py --architecture darts_v2
"""
_base_ = ['mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py', '../_base_/classification_runtime.py']
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='imtnas_mm.CellNet', architecture='darts_v2', channels=48, layers=14, stem='imagenet', auxiliary=True),
    head=dict(
        type='imtnas_mm.CellHead',
        num_classes=1000,
        in_channels=768,
        auxiliary=dict(stride=2, last_norm=False),
        auxiliary_weight=.4,
        loss=dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=.1, num_classes=1000, mode='original'),
        topk=(1, 5)))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, backend='pillow'),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=.4, contrast=.4, saturation=.4, hue=.2),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=128)
test_dataloader = val_dataloader
max_epochs = 250
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=.5, momentum=.9, weight_decay=3e-5), clip_grad=dict(max_norm=5.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.2, by_epoch=True, begin=0, end=5),
    dict(type='ExponentialLR', gamma=.97, by_epoch=True, begin=5),
    # E.2 and E.3: dict(type='PolyLR', power=1., eta_min=0., by_epoch=True, begin=5, end=max_epochs)
]
auto_scale_lr = dict(base_batch_size=1024)
