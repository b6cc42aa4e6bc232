"""The paper's Table 4 at a scale of minutes per run, on PC-DARTS."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import weights_of_cifar10

title = "Table 4 (small): MTL-SWS over the weight of cifar10's loss"
columns = [
    *_base_.columns,
    dict(name='overall error', sum={'tiny100 error (%)': 1, 'cifar10 error (%)': 6}),
]
rows = weights_of_cifar10('../imtnas_cifar_pcdarts_small.py')
