"""Measure the latency of a search space's candidates on a device, as a table for ``model.cost`` of a search."""
import argparse
import sys
from collections.abc import Sequence

from imtnas_mm.arguments import add_config_options, config_options
from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure the latency of each candidate of a search space in its '
                                     "derived network, for model.cost=dict(type='Latency', table=...) of a search")
    parser.add_argument('config', help='config file of the search')
    parser.add_argument('--out', default='latency.json', help='table to write (default: %(default)s)')
    parser.add_argument('--shape', type=int, nargs='+', metavar=('H', 'W'), help='size of the image, one number for a '
                        'square (default: model.cost.shape of the config, or 224)')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, cuda:1, ... (default: %(default)s)')
    parser.add_argument('--backend', choices=['torch', 'onnxruntime'], default='torch', help='library that runs '
                        'the networks; onnxruntime takes the CPU and some seconds per module (default: %(default)s)')
    parser.add_argument('--threads', type=int, help="of the CPU (default: PyTorch's choice)")
    parser.add_argument('--repeats', type=int, default=30, help='timed passes per module, of which the median counts '
                        '(default: %(default)s)')
    parser.add_argument('--networks', type=int, default=8, help='random architectures whose whole networks are timed: '
                        'half of them for the fixed part, half for the error of the table (default: %(default)s)')
    add_config_options(parser)
    args = parser.parse_args(argv)
    if args.shape and (len(args.shape) > 2 or min(args.shape) < 1):
        parser.error(f'--shape {" ".join(map(str, args.shape))}: it must be H or H W, at least 1')
    for name, least in (('repeats', 1), ('networks', 2), ('threads', 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            parser.error(f'--{name} {value}: it must be at least {least}')
    check_file(args.config, 'config')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    import torch

    from imtnas_mm.analysis.cost_table import IMAGE_SIZE, Macs, cost_table, image_shape
    from imtnas_mm.analysis.derive import space_of_config
    from imtnas_mm.analysis.latency import Latency, device_name, measure_latency
    from imtnas_mm.analysis.latency_file import write_latency
    from imtnas_mm.architecture import Architecture
    from imtnas_mm.networks.build import shared_options
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        space, cfg = space_of_config(args.config, config_options(args.cfg_options))
        cost = cfg.model.get('cost') or {}
        size = cost.get('shape') or IMAGE_SIZE
        image = image_shape(size if not args.shape else args.shape[0] if len(args.shape) == 1 else args.shape)
        genotypes = [space.derive(Architecture(space.alpha_shapes(), 1., seed).named_alphas())
                     for seed in range(args.networks)]
        name = genotypes[0].space
        options = {**shared_options(name, cfg.model.search_space), **(cost.get('network') or {})}
        macs = cost_table(genotypes[0], options, image, Macs())
        table, networks = measure_latency(
            genotypes, options, image, Latency(args.device, args.repeats, args.backend))
        write_latency(args.out, name, image, options, table, macs, networks, dict(
            backend=args.backend, device=args.device, name=device_name(args.device), torch=torch.__version__,
            threads=torch.get_num_threads(), repeats=args.repeats))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'measure_latency: {error}')
    print(f'space: {name}, {len(table.candidates)} candidates, {table.fixed:.3f} ms besides, on {args.device} by '
          f'{args.backend}, image {image[1]} x {image[2]}')
    for network in networks:
        print(f'{network.measured:9.3f} ms measured, {network.table:9.3f} ms by the table ({network.error:+.1%}): '
              f'{network.architecture}')
    print(f'mean error: {sum(abs(network.error) for network in networks) / len(networks):.1%}')
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()
