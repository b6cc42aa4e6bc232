"""The paper's Table 8: the number C of augmentations a set, on DARTS; 0 is no transfer."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 8: number C of augmentations'
search = '../imtnas_cifar_darts.py'
rows = [
    dict(name='0', search=search, options={'model.transfer': None}),
    *(dict(name=f'{number}', search=search, options={'model.transfer.num_augmentations': number})
      for number in (3, 10, 20, 30, 40)),
]
