"""A search over data of your own, classified and detected: docs/your_own_data.md.

A config that inherits this one has the field task_data, with the tasks cls and det. Class names and numbers of classes
come from the data, the channels of neck and heads from the search space, and the rates fall to 0 within max_epochs.
"""
_base_ = [
    '../_base_/search_runtime.py', '../_base_/models/imtnas_mbconv_cls_det.py', '../_base_/schedules/imtnas_40e.py'
]
model = dict(
    tasks=dict(
        cls=dict(model=dict(data_preprocessor=dict(num_classes=None), head=dict(num_classes=None, in_channels=None))),
        det=dict(model=dict(neck=dict(in_channels=None), bbox_head=dict(num_classes=None, in_channels=None)))))
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
