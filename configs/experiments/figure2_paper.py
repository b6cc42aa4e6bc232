"""The paper's Figure 2: IMTNAS on DARTS over the number M of rounds. 2 is table6_paper.py's "Ours"."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import rounds

title = 'Figure 2: errors over the number of rounds'
figure = dict(x='number of rounds', left=['CIFAR-100 error (%)'], right=['CIFAR-10 error (%)'])
rows = rounds('../imtnas_cifar_darts.py')
