"""IMTNAS on NAS-Bench-Macro over CIFAR-10 and CIFAR-100: 8 MBConv layers of three choices (Su et al., CVPR 2021).

Its architectures are eight digits: 0 the identity (a 1x1 convolution where the shape changes), 1 and 2 the MBConv
blocks of kernel 3 and expansion 3, and of kernel 5 and expansion 6.
"""
_base_ = ['imtnas_cifar_darts.py']
wide = dict(model=dict(head=dict(in_channels=1280)))
model = dict(
    search_space=dict(_delete_=True, type='MBConvSupernet', layout='nasbench_macro', stem_stride=1),
    tasks=dict(c10=wide, c100=wide))
