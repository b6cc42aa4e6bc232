"""The second setting on data/small, at the scale of half an hour on one CPU core, in which A moves.

Every task's encoder learns from its task, too (reading 2), and stores its weights. A steps in the second half. The
architecture is made for the detector of retrain/small_retinanet_coco320.py.
"""
_base_ = ['imtnas_cls_det_small.py']

model = dict(
    search_space=dict(width_mult=.25),
    encoder_weights=dict(_delete_=True, type='StoredWeights'),
    encoder_task_weight=1.,
    transfer=dict(num_examples=8, num_augmentations=6, image_size=32),
    virtual_rates=dict(encoder=.02, head=.02),  # of plain steps; AdamW's own are no such rates
    tasks=dict(
        cls=dict(model=dict(head=dict(in_channels=80, hidden_channels=256))),
        det=dict(
            backbone=dict(out_indices=(3, 5)),
            model=dict(
                neck=dict(in_channels=[24, 80], out_channels=48, num_outs=3),
                bbox_head=dict(
                    in_channels=48,
                    feat_channels=48,
                    stacked_convs=1,
                    anchor_generator=dict(octave_base_scale=3, scales_per_octave=2, strides=[8, 16, 32]))))))

image = dict(type='Resize', scale=(128, 128), keep_ratio=True)


def smaller(pipeline):
    return [image if step['type'] == 'Resize' else step for step in pipeline]


train_dataloader = dict(det=dict(batch_size=8, dataset=dict(pipeline=smaller(_base_.det_train_pipeline))))
val_dataloader = dict(det=dict(dataset=dict(pipeline=smaller(_base_.det_val_pipeline))))
test_dataloader = dict(det=dict(dataset=dict(pipeline=smaller(_base_.det_test_pipeline))))
auto_scale_lr = dict(base_batch_size=dict(cls=32, det=8))

max_epochs = 12
train_cfg = dict(rounds=1, max_epochs=max_epochs, epoch_length=50, warmup_epochs=6, val_interval=max_epochs)
adam = dict(optimizer=dict(_delete_=True, type='AdamW', lr=4e-3, weight_decay=.01))
optim_wrapper = dict(encoder=adam, head=adam, architecture=dict(optimizer=dict(lr=.5)))
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine], architecture=[cosine])
default_hooks = dict(architecture=dict(interval=50), checkpoint=dict(interval=2))
