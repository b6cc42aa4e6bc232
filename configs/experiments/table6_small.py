"""The paper's Table 6, kinds of transfer, and Table 8's C = 0, at a scale of minutes per run."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import transfers

title = 'Table 6 (small): kinds of knowledge transfer'
ours = 'Ours'
search = '../imtnas_cifar_pcdarts_small.py'
rows = [
    *transfers(search, 6),
    dict(name='No transfer', search=search, options={'model.transfer': None}),
]
