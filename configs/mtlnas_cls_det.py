"""MTL-NAS adapted to the MBConv space over ImageNet and COCO (docs/multitask_baselines.md)."""
_base_ = ['imtnas_cls_det.py', '_base_/models/mtlnas.py']
model = dict(
    _base_.mtlnas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks)
train_cfg = dict(rounds=1, warmup_epochs=5)  # each network learns its own task until then
