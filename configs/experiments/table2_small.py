"""The paper's Table 2 at a scale of minutes per run; of the independent networks, those of the search space."""
_base_ = ['_base_/cls_det_small.py']
from imtnas_mm.experiments.paper_rows import multitask, sharing_searches

title = 'Table 2 (small): detection and classification'
ours = 'IMTNAS (ours)'
joint = {'model.train_weights': dict(cls=1., det=.5), 'model.val_weights': dict(cls=1., det=.5)}
together = dict(joint=dict(
    config='../retrain/small_joint_cls_det.py',
    options={
        **{f'{part}_dataloader.{task}.num_workers': 0 for part in ('train', 'val', 'test') for task in ('cls', 'det')},
        'train_cfg.val_begin': 3,  # not at all: the test follows
        'train_cfg.max_epochs': 2,
        'param_scheduler.0.end': 30,
    },
    slices={'train_dataloader.cls.dataset': dict(num=2000), 'test_dataloader.cls.dataset': dict(num=1000)},
    shape=dict(cls=(64, 64), det=(160, 160)),
    tasks=dict(cls='imagenet', det='coco')))
separate = {  # the same iterations, with one epoch per segment
    'train_cfg.max_epochs': 4, 'train_cfg.epoch_length': 4, 'train_cfg.val_interval': 4}
rows = [
    dict(name='FairNAS-C', architecture='fairnas_c'),
    *multitask('../imtnas_cls_det_small.py', 10., joint=joint, separate=separate,
               between=sharing_searches('../{}_cls_det_small.py', together)),
]
