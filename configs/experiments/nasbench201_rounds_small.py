"""The paper's Figure 2, the number M of rounds, on NAS-Bench-201. 2 is nasbench201_methods_small.py's IMTNAS."""
_base_ = ['_base_/nasbench201_small.py']
title = 'Number of rounds on NAS-Bench-201'
ours = '2'
figure = dict(x='number of rounds', left=['CIFAR-100 (%)'], right=['CIFAR-10 (%)'])
rows = [
    dict(name=f'{rounds}', x=rounds, search='../imtnas_cifar_nasbench201_small.py',
         options={'train_cfg.rounds': rounds})
    for rounds in (1, 2, 3, 4)
]
