"""Cells of NAS-Bench-201 that are known by name."""
from .notation import read_cell

_CELLS = dict(
    # the best on test images after 200 epochs, by the benchmark's own tables; on CIFAR-10 one of two equal ones
    nasbench201_best_cifar10='|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+'
    '|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|',
    nasbench201_best_cifar100='|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+'
    '|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|',
    nasbench201_best_imagenet16='|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+'
    '|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|',
    # the block of ResNet, which the benchmark compares with
    nasbench201_resnet='|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|',
    # DARTS ends with this cell there
    nasbench201_skip='|skip_connect~0|+|skip_connect~0|skip_connect~1|+'
    '|skip_connect~0|skip_connect~1|skip_connect~2|')

PUBLISHED = {name: read_cell(text) for name, text in _CELLS.items()}
