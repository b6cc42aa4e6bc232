"""The space of imtnas_digits.py, 7 MBConv layers of 4 or 5 choices, and the architecture that it found with seed 0."""
digits_space = dict(
    layout=dict(
        name='digits',
        widths=(8, 16, 32, 64),
        depths=(1, 2, 2, 2),
        strides=(1, 2, 2, 2),
        candidates=[dict(kernel=kernel, expansion=expansion) for kernel in (3, 5) for expansion in (2, 4)],
        identity='shortcut',
        stem_width=8,
        first_width=None,
        last_width=None,
        activation='ReLU6'),
    layers=[
        'mbconv_5x5_e4', 'mbconv_5x5_e2', 'mbconv_3x3_e4', 'mbconv_3x3_e2', 'identity', 'mbconv_5x5_e4', 'identity'
    ])
digits_architecture = dict(
    format='imtnas_mm.architecture', version=1, space='mbconv', architecture=digits_space)
