"""The paper's Table 8 at the scale of minutes a run; 6 is table6_small.py's "Ours", 0 its "No transfer"."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 8 (small): number C of augmentations'
search = '../imtnas_cifar_pcdarts_small.py'
rows = [
    dict(name='0', search=search, options={'model.transfer': None}),
    *(dict(name=f'{number}', search=search, options={'model.transfer.num_augmentations': number})
      for number in (2, 4, 6, 9, 12)),
]
