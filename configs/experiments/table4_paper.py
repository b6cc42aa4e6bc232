"""The paper's Table 4: MTL-SWS on DARTS over the weight of CIFAR-10's training loss. 1 is Table 3's row."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import weights_of_cifar10

title = 'Table 4: MTL-SWS-Darts2nd over the weight of CIFAR-10'
columns = [
    *_base_.columns,
    dict(name='overall error', sum={'CIFAR-100 error (%)': 1, 'CIFAR-10 error (%)': 6}),
]
rows = weights_of_cifar10('../imtnas_cifar_darts.py')
