"""IMTNAS as the paper has it, whatever its space and tasks."""
model = dict(
    type='IMTNAS',
    encoder_weights=dict(type='HyperNetwork', hidden=(30, 50), sub_vector=100, index_encoding='embedding'),
    transfer=dict(
        type='MMDTransfer',
        num_examples=20,
        num_augmentations=20,
        threshold=5.,
        kernel_scale=.1,
        statistic='relative'),  # reading 1; 'plain' is Eq. 3 to the letter
    encoder_task_weight=0.,  # reading 2
    hypernetwork_step='iteration',  # reading 11
    hypergradient='exact',
    loss_normalization='running_mean',  # reading 6
    architecture=dict(init_std=1e-3))  # reading 10
