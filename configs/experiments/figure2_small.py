"""The paper's Figure 2 at the scale of minutes a run. 2 is table6_small.py's "Ours"."""
_base_ = ['_base_/cifar_small.py']
title = 'Figure 2 (small): errors over the number of rounds'
figure = dict(x='number of rounds', left=['tiny100 error (%)'], right=['cifar10 error (%)'])
rows = [
    dict(name=f'{rounds}', x=rounds, search='../imtnas_cifar_pcdarts_small.py', options={'train_cfg.rounds': rounds})
    for rounds in (1, 2, 3)
]
