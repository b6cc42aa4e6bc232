"""A cell of NAS-Bench-201 trained on CIFAR-10 as the benchmark trained all of them: top-1 (Dong and Yang, 2020).

Random crops of 32 pixels with a padding of 4, flips, batches of 256, 200 epochs.
    python tools/train.py configs/retrain/nasbench201_cifar10.py --architecture \
        '|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|'
"""
_base_ = [
    '../_base_/models/nasbench201_cifar.py', '../_base_/datasets/cifar10.py',
    '../_base_/schedules/nasbench201_200e.py', '../_base_/classification_runtime.py'
]
# an operation whose edge leads nowhere is trained by nothing
find_unused_parameters = True
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))
