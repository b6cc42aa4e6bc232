"""The paper's Table 14: the order of three tasks, on PC-DARTS. ImageNet is for the first seed, as in the paper."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 14: order of three tasks'
evaluations = dict(
    imagenet=dict(config='../retrain/cells_imagenet.py', shape=(224, 224), seeds=[0], gpus=8),
    c100=dict(config='../retrain/cells_pcdarts_cifar100.py', shape=(32, 32)),
    c10=dict(config='../retrain/cells_pcdarts_cifar10.py', shape=(32, 32)))
columns = [
    dict(name='ImageNet top-1 error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='CIFAR-100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]
rows = [
    dict(name=', '.join(order), search='../imtnas_three_tasks.py', options={'train_cfg.order': order})
    for order in (('c100', 'c10', 'imagenet'), ('c100', 'imagenet', 'c10'), ('imagenet', 'c10', 'c100'))
]
