"""Counts the memory that one iteration of a search needs at full size, without a GPU and without computing.

python benchmarks/footprint.py [--out FILE] [--only CONFIG ...] [--recompute KIND ...] [--rounds M] [--details]

The searches of the paper's configs run on PyTorch's fake tensors, which have a shape, a layout and a place in memory,
but no numbers. The memory of an operator's result counts until nothing holds it any more; the figure is the peak over a
whole iteration, in GiB, with model, optimisers' gradients and batches.
Every transfer counts as active, with all its images in A's second pass; where paths are sampled, the widest are taken.

`darts_exact_gib_<recompute>`, `darts_first_order_gib_<recompute>`: 20 x 20 images of 32 pixels, batch 64.
`cls_det_exact_gib_<recompute>`: 20 x 20 images of 112 pixels as in the config, 128 images of 224 pixels, 2 of 800x1344;
`cls_det_224_exact_gib_<recompute>`: the transfer's images have 224 pixels.

A GPU needs more: cuDNN's workspaces, rounding and fragments of the caching allocator, the CUDA context and the inner
memory of operators are not counted; nor is the augmentation of a transfer's images, which ends before their graph
begins. 1x1 convolutions are taken as on a GPU, where our matrix products don't replace them.

--rounds: of the configs by default; the peak hardly depends on it (each round keeps its weights), the time does.
--details prints the place of the peak and the memory held there.
"""
import contextlib
import logging
import os
import sys
import weakref
from collections import Counter
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 2**30
RECOMPUTE = ('none', 'views', 'all')
# name of a figure -> (config, mode, pixels of a transfer's images; the config's by default)
SEARCHES = dict(
    darts_exact=('darts', 'exact', None),
    darts_first_order=('darts', 'first_order', None),
    cls_det_exact=('cls_det', 'exact', None),
    cls_det_224_exact=('cls_det', 'exact', 224),
    pcdarts_exact=('pcdarts', 'exact', None))


def memory_counter():
    """A mode that counts the memory of what operators make inside it."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves, tree_map_only

    class MemoryCounter(TorchDispatchMode):
        """
        Attributes:
            held, peak (int): bytes, now and at most so far.
            place (str): where in the search it is, set from outside.
            at_peak (tuple): place, operator and a Counter of what was held when the peak had last grown by 2 %.
        """

        def __init__(self):
            super().__init__()
            self.held = self.peak = self.operations = self._looked = 0
            self.place = self.at_peak = None
            self._live = {}  # of each memory: its finalizer, bytes, and what it is

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if any(type(x) is torch.Tensor and x.device.type == 'meta' for x in tree_leaves(args)):
                args = tree_map_only(torch.Tensor, self._placed, args)
            result = func(*args, **(kwargs or {}))
            self.operations += 1
            for tensor in tree_leaves(result):
                if isinstance(tensor, torch.Tensor):
                    self.hold(tensor, func)
            if self.held > self.peak:
                self.peak = self.held
                if self.peak > 1.02 * self._looked:
                    self._looked, self.at_peak = self.peak, (self.place, str(func), self.contents())
            return result

        def _placed(self, tensor):
            """Zeros that the autograd engine has put on no device, on that of the fakes."""
            if type(tensor) is torch.Tensor and tensor.device.type == 'meta':
                tensor = torch.zeros(tensor.shape, dtype=tensor.dtype)
                self.hold(tensor, 'zeros of the engine')
            return tensor

        def hold(self, tensor, maker=''):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self._live:
                size = storage.nbytes()
                self.held += size
                self._live[key] = (weakref.finalize(storage, self._release, key, size), size,
                                   (self.place, str(maker), tuple(tensor.shape)))

        def _release(self, key, size):
            self.held -= size
            del self._live[key]

        def contents(self):
            held = Counter()
            for _, size, source in self._live.values():
                held[source] += size
            return held

    return MemoryCounter()


@contextlib.contextmanager
def without_caches():
    """Inside and after, constants that the package keeps are made anew: fakes must not stay."""
    def clear():
        for name, module in list(sys.modules.items()):
            if name.partition('.')[0] == 'imtnas_mm':
                for function in [value for value in vars(module).values() if hasattr(value, 'cache_clear')]:
                    function.cache_clear()

    clear()
    try:
        yield
    finally:
        clear()


@contextlib.contextmanager
def as_on_a_gpu():
    """Convolutions take the ways that they take on a GPU."""
    from imtnas_mm.layers import convolution
    from imtnas_mm.spaces.cells.supernet import CellSupernet
    with mock.patch.object(convolution, 'is_pointwise', lambda *_: False), \
            mock.patch.object(convolution, '_slow_weight_gradient', lambda *_: False), \
            mock.patch.object(CellSupernet, 'widens_kernels', True):
        yield


@contextlib.contextmanager
def places(counter, model):
    """Tells the counter the block of the search network whose pass has last begun."""
    from imtnas_mm.spaces.base import SearchSpace, call
    names = {module: name for task in model.tasks.values() for name, module in task.space.named_modules()}
    plain = SearchSpace.block

    def block(space, module, *inputs, function=call, **options):

        def noted(module_then, *inputs):
            counter.place = names.get(module, type(module).__name__)
            return function(module_then, *inputs)

        return plain(space, module, *inputs, function=noted, **options)

    with mock.patch.object(SearchSpace, 'block', block):
        yield


def make_fake(model, mode):
    """Puts fakes in the place of all parameters and buffers, and of the gates that the iteration has drawn."""
    from torch import nn
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(mode.from_tensor(parameter.detach()), parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer)
    gates = model.gates.with_tensors([mode.from_tensor(gate) for gate in model.gates.values()])
    model.set_gates(gates, mode.from_tensor(model.importance))


def take_widest(model):
    """Where a space of MBConv layers samples two paths of each, the two with the widest maps and kernels."""
    import torch

    from imtnas_mm.spaces.mbconv.layout import IDENTITY, kernel_and_expansion
    if not model.draw:
        return

    def width(choice):
        kernel, expansion = (0, 0) if choice == IDENTITY else kernel_and_expansion(choice)
        return expansion, kernel

    for layer in model.space.searched:
        order = sorted(layer.choices, key=width)[-2:]
        model.draw[layer.name] = torch.tensor([layer.choices.index(choice) for choice in order])
    model.refresh_gates()


def iteration(model, cfg, data, counter, report=lambda *_: None):
    """One iteration, as the loop runs it, but for the optimisers' steps on the weights."""
    from paper_searches import optimisers
    optim_wrapper, previous = optimisers(cfg, model), None
    for stage in model.stages:
        model.train_stage(stage, data.stage(stage, previous), optim_wrapper)
        previous = stage
        report(f'stage {stage.name}', counter)
    model.update_architecture([{name: data.batch(name) for name in model.order}], optim_wrapper)
    report("A's step", counter)


@contextlib.contextmanager
def views_as_given(model):
    """The images of a transfer come without their augmentation, every transfer is active, and nothing is read."""
    import torch

    from imtnas_mm import finite
    transfer = model.transfer
    number, size = transfer.num_examples * transfer.num_augmentations, transfer.image_size
    with mock.patch.object(model, 'transfer_views', lambda record: torch.zeros(number, 3, size, size)), \
            mock.patch.object(model, 'any_rank', lambda flag: torch.ones_like(flag, dtype=torch.bool)), \
            mock.patch.object(finite, '_read', lambda vectors: [[1.] * len(vector) for vector in vectors]):
        yield


def peak(cfg, mode, data, fake=True, report=lambda *_: None, **options):
    """The memory counter of an iteration.

    Args:
        cfg (Config): of ``paper_searches``.
        mode (str): ``hypergradient``.
        data (Data): its batches.
        fake (bool): without numbers; otherwise it is computed.
        report: told of each stage, with the counter.
        options: of the model.
    """
    from paper_searches import build
    from torch._subclasses.fake_tensor import FakeTensorMode
    model = build(cfg, mode, **options)
    model.start_iteration(0)  # what is sampled are numbers
    take_widest(model)
    counter = memory_counter()
    mode = FakeTensorMode(allow_non_fake_inputs=True) if fake else contextlib.nullcontext()
    with without_caches(), as_on_a_gpu(), places(counter, model), views_as_given(model), mode:
        if fake:
            make_fake(model, mode)
        for tensor in [*model.parameters(), *model.buffers()]:
            counter.hold(tensor)
        with counter:
            iteration(model, cfg, data, counter, report)
    return counter


def print_details(counter):
    place, operator, contents = counter.at_peak
    print(f'# peak in {place}, {operator}, held by (place, maker, shape):', file=sys.stderr)
    for source, size in contents.most_common(25):
        print(f'#   {size / GIB:8.3f} GiB {source}', file=sys.stderr, flush=True)


def main(argv=None):
    sys.path.insert(0, HERE)
    from figures import arguments, report
    from paper_searches import Data, config, imports, tiny
    parser = arguments(__doc__)
    parser.add_argument('--only', nargs='+', choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument('--recompute', nargs='+', choices=RECOMPUTE, default=RECOMPUTE)
    parser.add_argument('--rounds', type=int, help='by default those of the configs')
    parser.add_argument('--small', action='store_true', help='few channels and small images: whether it runs')
    parser.add_argument('--details', action='store_true')
    args = parser.parse_args(argv)
    import torch
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # what heads say of their initialisation
    imports()
    figures = {}

    def progress(stage, counter):
        print(f'# {stage}: held {counter.held / GIB:.3f}, peak {counter.peak / GIB:.3f} GiB in {counter.place}, '
              f'{counter.operations} operators', file=sys.stderr, flush=True)

    for name in args.only:
        source, mode, pixels = SEARCHES[name]
        for recompute in args.recompute:
            cfg = tiny(source) if args.small else config(source)
            if pixels and not args.small:
                cfg.model.transfer.image_size = pixels
            rounds = dict(rounds=args.rounds) if args.rounds else {}
            counter = peak(cfg, mode, Data(cfg, args.small), report=progress, recompute=recompute, **rounds)
            figures[f'{name}_gib_{recompute}'] = counter.peak / GIB
            print(f'# {name} {recompute}: {counter.peak / GIB:.2f} GiB', file=sys.stderr, flush=True)
            if args.details:
                print_details(counter)
    report(figures, args.out)


if __name__ == '__main__':
    main()
