"""Times the operators of cells on a GPU in both layouts, and 1x1 convolutions as matrix products.

python benchmarks/gpu_layouts.py [--out FILE] [--images N] [--channels C] [--size S]

One line per operator, on float32 maps [N, C, S, S] without TF32: milliseconds per call (20 calls after 3, CUDA events),
kernels per call, and their names. `_cl` has channels-last maps, `_nchw` contiguous ones. `dw5` and `dil5` are
depthwise 5x5 convolutions, dilated in the second case; `pw<G>` 1x1 convolutions of G groups; `_fwd`, `_x` and `_w`
their forward pass and the gradients of map and weight. `products` are batched matrix products of the same numbers.
FILE gets `<operator>_ms` and `<operator>_kernels`. Without a GPU each operator runs once, on small maps: it shows that
they run.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CALLS, WARM = 20, 3


def operators(number, channels, size, device):
    """(name, function) of each operator."""
    import torch
    import torch.nn.functional as F

    from imtnas_mm import compat
    maps = torch.randn(number, channels, size, size, device=device)
    ones = torch.ones(channels, device=device)
    for layout, memory_format in (('cl', torch.channels_last), ('nchw', torch.contiguous_format)):
        x = maps.contiguous(memory_format=memory_format)
        convolutions = [('dw5', 5, 1, channels), ('dil5', 5, 2, channels)]
        convolutions += [(f'pw{groups}', 1, 1, groups) for groups in sorted({1, channels // 16, channels // 4})]
        for name, width, dilation, groups in convolutions:
            padding = dilation * (width // 2)
            weight = torch.randn(channels, channels // groups, width, width, device=device)

            def gradient(mask, x=x, weight=weight, padding=padding, dilation=dilation, groups=groups):
                return compat.convolution_backward(x, x, weight, None, [1, 1], [padding] * 2, [dilation] * 2, False,
                                                   [0, 0], groups, mask)

            yield (f'{name}_{layout}_fwd', lambda x=x, weight=weight, options=(None, 1, padding, dilation, groups):
                   F.conv2d(x, weight, *options))
            yield f'{name}_{layout}_x', lambda gradient=gradient: gradient([True, False, False])
            yield f'{name}_{layout}_w', lambda gradient=gradient: gradient([False, True, False])
            if width == 1 and layout == 'cl':
                rows = x.permute(0, 2, 3, 1).reshape(-1, groups, channels // groups).transpose(0, 1)
                matrices = weight.view(groups, -1, channels // groups).transpose(1, 2)
                yield f'{name}_products_fwd', lambda rows=rows, matrices=matrices: torch.bmm(rows, matrices)
                yield f'{name}_products_w', lambda rows=rows: torch.bmm(rows.transpose(1, 2), rows)
        _, mean, invstd = compat.native_batch_norm(x, None, None, None, None, True, 0., 1e-5)
        yield f'norm_{layout}_fwd', lambda x=x: compat.native_batch_norm(x, None, None, None, None, True, 0., 1e-5)
        yield f'norm_{layout}_x', lambda x=x, mean=mean, invstd=invstd: compat.native_batch_norm_backward(
            x, x, ones, None, None, mean, invstd, True, 0., [True] * 3)
        yield f'max_pool_{layout}_fwd', lambda x=x: F.max_pool2d(x, 3, 1, 1, return_indices=True)
        indices = F.max_pool2d(x, 3, 1, 1, return_indices=True)[1]
        yield f'max_pool_{layout}_x', lambda x=x, indices=indices: compat.max_pool2d_with_indices_backward(
            x, x, [3, 3], [1, 1], [1, 1], [1, 1], False, indices)
        yield f'avg_pool_{layout}_fwd', lambda x=x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    last = maps.contiguous(memory_format=torch.channels_last)
    yield 'copy_to_nchw', lambda: last.contiguous()
    yield 'add', lambda: maps + maps


def measured(function):
    """(milliseconds per call, names of the kernels of one)."""
    import torch
    from torch.profiler import ProfilerActivity, profile
    for _ in range(WARM):
        function()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(CALLS):
        function()
    end.record()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        function()
        torch.cuda.synchronize()
    kernels = [event.name for event in profiler.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return start.elapsed_time(end) / CALLS, kernels


def main():
    sys.path.insert(0, HERE)
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--images', type=int, default=400)
    parser.add_argument('--channels', type=int, default=256, help='a multiple of 16')
    parser.add_argument('--size', type=int, default=32)
    args = parser.parse_args()
    import torch

    from imtnas_mm.precision import float32_products
    on_gpu, figures = torch.cuda.is_available(), {}
    size = (args.images, args.channels, args.size) if on_gpu else (2, 16, 8)
    with float32_products(False), torch.no_grad():
        for name, function in operators(*size, 'cuda' if on_gpu else 'cpu'):
            if not on_gpu:
                function()
                print(f'{name}: runs; its time needs a GPU')
                continue
            milliseconds, kernels = measured(function)
            print(f'{name:20} {milliseconds:8.3f} ms, {len(kernels)} kernels: '
                  f'{", ".join(sorted({kernel[:50] for kernel in kernels}))}', flush=True)
            figures.update({f'{name}_ms': milliseconds, f'{name}_kernels': len(kernels)})
    report(figures, args.out)


if __name__ == '__main__':
    main()
