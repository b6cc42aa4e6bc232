"""The methods of the paper's Table 3 on NAS-Bench-201, and what they must beat: random cells and queries of the table.

A query stands for a training of a cell. The samplers select by the accuracy after 12 epochs of training, since the
table has no validation accuracies; it is not the accuracy that is reported. Like the searches they take cells without
`none`, 4,096 of the 15,625.
"""
_base_ = ['_base_/nasbench201_small.py']
title = 'Methods on NAS-Bench-201'
ours = 'IMTNAS, first order'  # the other rows of first order are its equals in cost
search = '../imtnas_cifar_nasbench201_small.py'
no_transfer = {'model.transfer': None}
joint = {'model.encoder_task_weight': 1.}  # every task's encoder learns from its task, too
baseline = {**no_transfer, 'optim_wrapper.encoder.optimizer.lr': .1}  # the rate of stored weights
sharing = {**baseline, 'model.sharing_weight': 100.}
# the iterations, and so about the time of IMTNAS
twice = {'train_cfg.max_epochs': 24, 'train_cfg.val_interval': 24}
warmup = {'train_cfg.warmup_epochs': 2}
alone = dict(c100=['c100'], c10=['c10', 'imagenet16'])


def sampled(name, queries):
    return dict(name=f'{name} of {queries}', sampler=dict(
        type=name.replace(' ', ''), queries=queries, metric='cifar10_12epochs', without='none'))


def both_orders(name, options, search=search):
    return [dict(name=name, search=search, options=options),
            dict(name=f'{name}, first order', search=search, options={**options, 'model.hypergradient': 'first_order'})]


rows = [
    dict(name='DARTS, first order', search=search, single_task=alone, options={
        **baseline, 'model.loss_normalization': 'none', 'model.hypergradient': 'first_order'}),
    dict(name='DARTS, second order', search=search, single_task=alone, options={
        **baseline, 'model.loss_normalization': 'none',
        'model.virtual_step': dict(momentum=True, weight_decay=True)}),
    *both_orders('MTL-SAO', {'model.type': 'MTLSAO', **baseline}),
    *both_orders('MTL-HWS', {'model.type': 'MTLHWS', **baseline}),
    dict(name='MTL-HWS, first order, twice the iterations', search=search, options={
        'model.type': 'MTLHWS', **baseline, 'model.hypergradient': 'first_order', **twice}),
    *both_orders('MTL-SWS', {'model.type': 'MTLSWS', **sharing}),
    *both_orders('MTL-NAS', warmup, search='../mtlnas_cifar_nasbench201_small.py'),
    *both_orders('BMTAS', warmup, search='../bmtas_cifar_nasbench201_small.py'),
    *both_orders('MI', {'model.type': 'MinibatchInterleaving', **sharing}),
    *both_orders('SI', {'model.type': 'SeparateInterleaving', **baseline}),
    dict(name='SI, twice the iterations', search=search, options={
        'model.type': 'SeparateInterleaving', **baseline, **twice}),
    *both_orders('IMTNAS', {}),
    *both_orders('IMTNAS, joint', joint),
    *both_orders('IMTNAS, joint, without transfer', {**joint, **no_transfer}),
    dict(name='Random cell', search=search, options={'model.type': 'RandomSearch', **no_transfer}),
    *(sampled(name, queries) for queries in (25, 100) for name in ('Random Queries', 'Regularized Evolution')),
]
# the same methods with the exact gradient lie over these
drawn_rows = [f'{name}, first order' for name in (
    'DARTS', 'MTL-SAO', 'MTL-HWS', 'MTL-SWS', 'MTL-NAS', 'BMTAS', 'MI', 'SI', 'IMTNAS')] + [
        'Random cell', 'Random Queries of 100', 'Regularized Evolution of 100']
strips = ['CIFAR-100 (%)']
exact = ('MTL-SAO', 'MTL-HWS', 'MTL-SWS', 'MTL-NAS', 'BMTAS', 'MI', 'SI')
pairs = dict(columns=['CIFAR-100 (%)'], rows=[
    *((name, f'{name}, first order') for name in (*exact, 'IMTNAS')),
    *(('IMTNAS', name) for name in (*exact, 'DARTS, second order'))])
