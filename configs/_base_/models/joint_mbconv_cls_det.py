"""An ImageNet classifier and RetinaNet on the backbones of a BMTAS or MTL-NAS search."""
_base_ = ['imtnas_mbconv_cls_det.py']
model = dict(
    _delete_=True,
    type='JointModel',
    backbone=dict(architecture='work_dirs/bmtas_cls_det/architecture.json'),
    tasks=dict(
        cls=dict(
            type='ClassificationTask',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=_base_.model.tasks.cls.model.data_preprocessor,
                head=dict(type='imtnas_mm.ImageNetHead', num_classes=1000, in_channels=320, topk=(1, 5)))),
        det=_base_.model.tasks.det))
