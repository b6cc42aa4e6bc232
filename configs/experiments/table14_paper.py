"""The paper's Table 14: the order of three tasks, on PC-DARTS. ImageNet is for the first seed, as in the paper."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import orders_of_three

title = 'Table 14: order of three tasks'
evaluations = dict(
    imagenet=dict(config='../retrain/cells_imagenet.py', shape=(224, 224), seeds=[0], gpus=8),
    c100=dict(config='../retrain/cells_pcdarts_cifar100.py', shape=(32, 32)),
    c10=dict(config='../retrain/cells_pcdarts_cifar10.py', shape=(32, 32)))
columns = [
    dict(name='ImageNet top-1 error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    *_base_.columns,
]
rows = orders_of_three('../imtnas_three_tasks.py')
