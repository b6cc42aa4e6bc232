"""Shared by all search configs: the runner, its loops, hooks and logs."""
custom_imports = dict(
    imports=[
        'imtnas_mm.algorithms', 'imtnas_mm.datasets', 'imtnas_mm.engine', 'imtnas_mm.networks', 'imtnas_mm.spaces'
    ],
    allow_failed_imports=False)
default_scope = 'imtnas_mm'
runner_type = 'imtnas_mm.SearchRunner'

val_cfg = dict(type='SearchValLoop')  # all_rounds=True evaluates the networks of every round
test_cfg = dict(type='SearchTestLoop')

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    architecture=dict(type='ArchitectureHook', interval=50),
    transfer=dict(type='TransferHook', window=50),
    history=dict(type='HistoryHook'),
    report=dict(type='ReportHook'))
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800))  # seconds
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_processor = dict(type='SearchLogProcessor', by_epoch=True, window_size=50)
log_level = 'INFO'
randomness = dict(seed=0)
load_from = None
resume = False
