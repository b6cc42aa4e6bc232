"""The paper's Table 3: methods on the four cell spaces, CIFAR-100 and CIFAR-10, and transferred to ImageNet.

The rows that the paper took from other papers are left out. A space's own row searches each task by itself, and
transfers what CIFAR-10 gives. ImageNet is for the first seed, as the paper has no deviations there. MTL-SWS on
PC-DARTS searches 100 epochs (Table 20). What BMTAS and MTL-NAS find is one network of both tasks: these are
retrained together, and ImageNet gets its operations alone.
"""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 3: classification on CIFAR-100 and CIFAR-10'
columns = [
    dict(name='CIFAR-100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
    dict(name='ImageNet top-1 error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='ImageNet top-5 error (%)', evaluation='imagenet', metric='accuracy/top5', error=True),
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
]
together = dict(joint=dict(
    config='../retrain/joint_cells_cifar.py', shape=(32, 32), tasks=dict(c100='c100', c10='c10')))


def evaluated(space):
    return dict(
        c100=dict(config=f'../retrain/cells_{space}cifar100.py', shape=(32, 32)),
        c10=dict(config=f'../retrain/cells_{space}cifar10.py', shape=(32, 32)),
        imagenet=dict(config='../retrain/cells_imagenet.py', shape=(224, 224), seeds=[0], gpus=8))


def methods(space, search, retrained, alone, sws=None):
    """The rows of a space: ``alone`` are the options of its own method, ``sws`` more of MTL-SWS."""

    def row(name, options, **fields):
        return dict(name=name, search=search, options=options, evaluations=evaluated(retrained), **fields)

    weight = {'model.sharing_weight': 100.}
    return [
        row(space, {'model.loss_normalization': 'none', **alone},
            single_task=dict(c100=['c100'], c10=['c10', 'imagenet'])),
        row(f'MTL-SAO-{space}', {'model.type': 'MTLSAO'}),
        row(f'MTL-HWS-{space}', {'model.type': 'MTLHWS'}),
        row(f'MTL-SWS-{space}', {'model.type': 'MTLSWS', **weight, **(sws or {})}),
        row(f'MI-{space}', {'model.type': 'MinibatchInterleaving', **weight}),
        row(f'SI-{space}', {'model.type': 'SeparateInterleaving'}),
        row(f'IMTNAS-{space} (ours)', {}),
    ]


first_order = {'model.hypergradient': 'first_order'}
rows = [
    dict(name='MTL-NAS', search='../mtlnas_cifar_darts.py', evaluations=dict(
        together, imagenet=evaluated('')['imagenet'])),
    dict(name='BMTAS', search='../bmtas_cifar_darts.py', evaluations=dict(
        together, imagenet=evaluated('')['imagenet'])),
    *methods('Darts2nd', '../imtnas_cifar_darts.py', '', {
        'model.virtual_step': dict(momentum=True, weight_decay=True)}),
    *methods('Pdarts', '../imtnas_cifar_pdarts.py', 'pdarts_', first_order),
    *methods('Pcdarts', '../imtnas_cifar_pcdarts.py', 'pcdarts_', first_order, {
        'train_cfg.max_epochs': 100, 'param_scheduler.encoder.0.T_max': 100, 'param_scheduler.head.0.T_max': 100}),
    *methods('Prdarts', '../imtnas_cifar_prdarts.py', '', first_order),
]
