"""The paper's Table 8, the number C of augmentations, on NAS-Bench-201. 8 is nasbench201_methods_small.py's IMTNAS."""
_base_ = ['_base_/nasbench201_small.py']
title = 'Number of augmentations on NAS-Bench-201'
ours = '8'
figure = dict(x='number of augmentations', left=['CIFAR-100 (%)'], right=['CIFAR-10 (%)'])
search = '../imtnas_cifar_nasbench201_small.py'
rows = [
    dict(name='0', x=0, search=search, options={'model.transfer': None}),
    *(dict(name=f'{number}', x=number, search=search, options={'model.transfer.num_augmentations': number})
      for number in (2, 4, 8, 16)),
]
