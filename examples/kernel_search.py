"""The demo's search in the space of kernel_space.py, whose folder must be on Python's path."""
_base_ = ['../configs/imtnas_demo.py']
custom_imports = dict(
    imports=['imtnas_mm.algorithms', 'imtnas_mm.datasets', 'imtnas_mm.engine', 'imtnas_mm.networks', 'kernel_space'],
    allow_failed_imports=False)
model = dict(
    search_space=dict(type='KernelSupernet', _delete_=True),
    tasks=dict(
        cls=dict(model=dict(head=dict(in_channels=None))),  # from the space
        det=dict(
            backbone=dict(out_indices=(0, 1)),
            model=dict(
                neck=dict(in_channels=None),
                bbox_head=dict(anchor_generator=dict(octave_base_scale=7., strides=[2, 4]))))))
