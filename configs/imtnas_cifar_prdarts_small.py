"""imtnas_cifar_prdarts.py at the scale of imtnas_cifar_darts_small.py."""
_base_ = ['imtnas_cifar_darts_small.py']
model = dict(search_space=dict(type='PRDARTSSupernet'))
