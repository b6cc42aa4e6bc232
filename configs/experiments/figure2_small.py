"""The paper's Figure 2 at a scale of minutes per run. 2 is table6_small.py's "Ours"."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import rounds

title = 'Figure 2 (small): errors over the number of rounds'
figure = dict(x='number of rounds', left=['tiny100 error (%)'], right=['cifar10 error (%)'])
rows = rounds('../imtnas_cifar_pcdarts_small.py')
