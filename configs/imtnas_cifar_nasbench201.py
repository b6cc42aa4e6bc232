"""IMTNAS on NAS-Bench-201 over CIFAR-10 and CIFAR-100, at the width and depth of the benchmark's search network.

Schedule and optimisers are those of imtnas_cifar_darts.py, so that spaces can be compared; A's rate of 3e-4 and its
decay of 1e-3 are those of the benchmark's own searches, too (Dong and Yang, 2020, App. C). No edge of the derived cell
is ``none``, as DARTS derives; ``derive_none=True`` is the benchmark's own way (docs/nasbench201.md).
"""
_base_ = ['imtnas_cifar_darts.py']
narrow = dict(model=dict(head=dict(in_channels=64)))  # 4 times the space's channels
model = dict(
    search_space=dict(_delete_=True, type='NASBench201Supernet', channels=16, cells=5, derive_none=False),
    tasks=dict(c10=narrow, c100=narrow))
