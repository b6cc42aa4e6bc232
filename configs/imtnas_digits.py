"""A search of minutes on two cores whose network learns: 7 layers over handwritten digits, classified and detected.

The data are made on the spot from images that scikit-learn ships; the numbers
show that the programs work and say nothing about the method. The images are
grey, and every task's encoder learns from its task, too (reading 2), so that
the search network learns in the time; A steps in the second half.
"""
_base_ = ['imtnas_demo.py', '_base_/models/digits_space.py']

model = dict(
    search_space=dict(
        _delete_=True,
        type='MBConvSupernet',
        layout=_base_.digits_space.layout,
        norm_cfg=_base_.model.search_space.norm_cfg),
    encoder_weights=dict(_delete_=True, type='StoredWeights'),
    encoder_task_weight=1.,
    transfer=dict(num_augmentations=4),  # its images were most of an iteration's time
    hypergradient='first_order',
    virtual_rates=dict(encoder=.02, head=.02),  # of plain steps; AdamW's own are no such rates
    tasks=dict(
        cls=dict(model=dict(head=dict(in_channels=64))),
        det=dict(backbone=dict(out_indices=(2, 3)), model=dict(neck=dict(in_channels=[32, 64])))))

gray = dict(type='RandomGrayscale', prob=1., keep_channels=True)


def in_gray(pipeline):
    return [pipeline[0], gray, *pipeline[1:]]


def of_dataset(pipeline, **options):
    return dict(dataset=dict(pipeline=in_gray(pipeline)), **options)


train_dataloader = dict(
    cls=of_dataset(_base_.cls_train_pipeline, batch_size=24), det=of_dataset(_base_.det_train_pipeline, batch_size=16))
val_dataloader = dict(cls=of_dataset(_base_.cls_test_pipeline), det=of_dataset(_base_.det_val_pipeline))
test_dataloader = dict(cls=of_dataset(_base_.cls_test_pipeline), det=of_dataset(_base_.det_test_pipeline))

auto_scale_lr = dict(base_batch_size=dict(cls=24, det=16))

max_epochs = 12
train_cfg = dict(rounds=1, max_epochs=max_epochs, epoch_length=40, warmup_epochs=6, val_interval=max_epochs)
adam = dict(optimizer=dict(_delete_=True, type='AdamW', lr=4e-3, weight_decay=.01))
optim_wrapper = dict(encoder=adam, head=adam, architecture=dict(optimizer=dict(lr=.5)))
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine], architecture=[cosine])
default_hooks = dict(logger=dict(interval=10), architecture=dict(interval=40), checkpoint=dict(interval=max_epochs))
log_processor = dict(window_size=10)
