# scikit-learn's handwritten digits, one per image of 32x32 (tools/make_demo_data.py): a demonstration
dataset_type = 'CustomDataset'
data_root = 'data/demo/imagenet'
classes = ('eight', 'five', 'four', 'nine', 'one', 'seven', 'six', 'three', 'two', 'zero')  # as the folders sort

data_preprocessor = dict(
    num_classes=10,
    mean=[127.5, 127.5, 127.5],
    std=[64., 64., 64.],
    to_rgb=True,
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=3, padding_mode='edge'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=24,
    num_workers=0,  # such small images take less time than workers take to start
    dataset=dict(
        type=dataset_type, data_root=data_root, data_prefix='train', classes=classes, pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    dataset=dict(type=dataset_type, data_root=data_root, data_prefix='val', classes=classes, pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
