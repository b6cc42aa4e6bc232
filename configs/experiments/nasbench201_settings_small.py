"""IMTNAS's own settings on NAS-Bench-201: what was tried for better cells.

How far apart the stages of a hypernetwork start, several validation batches per step of A, and one-step approximations
in the hypernetwork instead of in W.
"""
_base_ = ['_base_/nasbench201_small.py']
title = 'Settings of IMTNAS on NAS-Bench-201'
ours = 'as it is'
search = '../imtnas_cifar_nasbench201_small.py'
rows = [
    dict(name=name, search=search, options={'model.hypergradient': 'first_order', **options}) for name, options in (
        ('as it is', {}),
        ('stage_std=.5', {'model.encoder_weights.stage_std': .5}),
        ('stage_std=1', {'model.encoder_weights.stage_std': 1.}),
        ('stage_std=2', {'model.encoder_weights.stage_std': 2.}),
        ('architecture_batches=4', {'model.architecture_batches': 4}),
        ("step_space='hypernetwork'", {'model.step_space': 'hypernetwork'}))
]
