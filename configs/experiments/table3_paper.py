"""The paper's Table 3: methods on the four cell spaces, CIFAR-100 and CIFAR-10, and transferred to ImageNet.

The rows that the paper took from other papers are left out. A space's own row searches each task by itself, and
transfers what CIFAR-10 gives. ImageNet is for the first seed, as the paper has no deviations there. MTL-SWS on
PC-DARTS searches 100 epochs (Table 20). What BMTAS and MTL-NAS find is one network of both tasks: these are
retrained together, and ImageNet gets its operations alone.
"""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import cell_evaluations, cell_search, multitask, sharing_searches, single_tasks

title = 'Table 3: classification on CIFAR-100 and CIFAR-10'
columns = [
    *_base_.columns,
    dict(name='ImageNet top-1 error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='ImageNet top-5 error (%)', evaluation='imagenet', metric='accuracy/top5', error=True),
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
]
together = dict(joint=dict(
    config='../retrain/joint_cells_cifar.py', shape=(32, 32), tasks=dict(c100='c100', c10='c10')))
imagenet = dict(config='../retrain/cells_imagenet.py', shape=(224, 224), seeds=[0], gpus=8)


def methods(space, **options):
    fields = dict(evaluations=dict(cell_evaluations(space), imagenet=imagenet))
    search = cell_search(space)
    return [single_tasks(space, search, c10=('c10', 'imagenet'), **fields),
            *multitask(search, 100., suffix=f'-{space}', **options, **fields)]


rows = [
    *sharing_searches('../{}_cifar_darts.py', dict(together, imagenet=imagenet)),
    *methods('Darts2nd'),
    *methods('Pdarts'),
    *methods('Pcdarts', sws={
        'train_cfg.max_epochs': 100, 'param_scheduler.encoder.0.T_max': 100, 'param_scheduler.head.0.T_max': 100}),
    *methods('Prdarts'),
]
