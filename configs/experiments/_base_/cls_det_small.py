"""cls_det_paper.py at a scale of minutes per run: 16 search iterations, 2,000 images and 2 epochs of COCO's scenes."""
_base_ = ['cls_det_paper.py']
seeds = [0, 1, 2]
gpus = None
search_options = {
    'train_cfg.max_epochs': 2,
    'train_cfg.epoch_length': 8,
    'train_cfg.val_interval': 2,
    'val_dataloader.cls.dataset.num': 400,
}
common = {
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'train_cfg.val_begin': 3,  # not at all: the test follows
    'train_cfg.max_epochs': 2,
    'param_scheduler.0.end': 30,
}
evaluations = dict(
    imagenet=dict(
        config='../retrain/small_imagenet.py',
        options=common,
        slices={'train_dataloader.dataset': dict(num=2000), 'test_dataloader.dataset': dict(num=1000)},
        shape=(64, 64)),
    coco=dict(config='../retrain/small_retinanet_coco.py', options=common, shape=(160, 160), initial='imagenet'))
