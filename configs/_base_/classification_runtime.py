"""The shared runtime in mmpretrain's scope."""
_base_ = ['default_runtime.py']
custom_imports = dict(imports=['imtnas_mm.networks', 'imtnas_mm.engine'], allow_failed_imports=False)
default_scope = 'mmpretrain'
default_hooks = dict(visualization=dict(type='VisualizationHook', enable=False))
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
