"""Shared by all joint retrainings: the runner, its loops and logs."""
_base_ = ['default_runtime.py']
custom_imports = dict(
    imports=['imtnas_mm.datasets', 'imtnas_mm.engine', 'imtnas_mm.networks', 'imtnas_mm.tasks'],
    allow_failed_imports=False)
default_scope = 'imtnas_mm'
runner_type = 'imtnas_mm.JointRunner'
val_cfg = dict(type='JointValLoop')
test_cfg = dict(type='JointTestLoop')
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_processor = dict(type='imtnas_mm.TaskLogProcessor', by_epoch=True, window_size=50)
