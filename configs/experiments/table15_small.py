"""The paper's Table 15 at a scale of minutes per run, with the networks of the search space."""
_base_ = ['_base_/cls_det_small.py']
title = 'Table 15 (small): additional networks'
ours = 'IMTNAS (ours)'
rows = [
    dict(name='FairNAS-A', architecture='fairnas_a'),
    dict(name='FairNAS-B', architecture='fairnas_b'),
    dict(name='IMTNAS (ours)', search='../imtnas_cls_det_small.py'),
]
