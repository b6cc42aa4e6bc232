"""The shared runtime in mmdet's scope."""
_base_ = ['default_runtime.py']
custom_imports = dict(imports=['imtnas_mm.networks', 'imtnas_mm.engine'], allow_failed_imports=False)
default_scope = 'mmdet'
default_hooks = dict(visualization=dict(type='DetVisualizationHook'))
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='DetLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
