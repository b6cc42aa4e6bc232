"""The paper's Table 3 at the scale of minutes a run, without the transfer to ImageNet."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 3 (small): methods on the four cell spaces'
columns = [
    dict(name='tiny100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
]
together = dict(joint=dict(
    config='../retrain/small_joint_cells_cifar.py',
    options={
        **{f'{part}_dataloader.{task}.num_workers': 0 for part in ('train', 'val', 'test') for task in ('c10', 'c100')},
        **{f'train_dataloader.{task}.persistent_workers': False for task in ('c10', 'c100')},
        **{f'train_dataloader.{task}.dataset.indices': 2400 for task in ('c10', 'c100')},
        'train_cfg.max_epochs': 2,
        'train_cfg.val_begin': 3,  # not at all: the test follows
        'param_scheduler.0.T_max': 2,
    },
    shape=(32, 32),
    tasks=dict(c100='c100', c10='c10')))
separate = {  # the same iterations, with one epoch per segment
    'model.type': 'SeparateInterleaving', 'train_cfg.max_epochs': 4, 'train_cfg.epoch_length': 10,
    'train_cfg.val_interval': 4, 'param_scheduler.encoder.0.T_max': 4, 'param_scheduler.head.0.T_max': 4}


def methods(space, search, alone):
    """The rows of a space: ``alone`` are the options of its own method."""
    weight = {'model.sharing_weight': 100.}
    return [
        dict(name=space, search=search, options={'model.loss_normalization': 'none', **alone},
             single_task=dict(c100=['c100'], c10=['c10'])),
        dict(name=f'MTL-SAO-{space}', search=search, options={'model.type': 'MTLSAO'}),
        dict(name=f'MTL-HWS-{space}', search=search, options={'model.type': 'MTLHWS'}),
        dict(name=f'MTL-SWS-{space}', search=search, options={'model.type': 'MTLSWS', **weight}),
        dict(name=f'MI-{space}', search=search, options={'model.type': 'MinibatchInterleaving', **weight}),
        dict(name=f'SI-{space}', search=search, options=separate),
        dict(name=f'IMTNAS-{space} (ours)', search=search),
    ]


first_order = {'model.hypergradient': 'first_order'}
rows = [
    dict(name='MTL-NAS', search='../mtlnas_cifar_darts_small.py', evaluations=together),
    dict(name='BMTAS', search='../bmtas_cifar_darts_small.py', evaluations=together),
    *methods('Darts2nd', '../imtnas_cifar_darts_small.py', {
        'model.virtual_step': dict(momentum=True, weight_decay=True)}),
    *methods('Pdarts', '../imtnas_cifar_pdarts_small.py', first_order),
    *methods('Pcdarts', '../imtnas_cifar_pcdarts_small.py', first_order),
    *methods('Prdarts', '../imtnas_cifar_prdarts_small.py', first_order),
]
