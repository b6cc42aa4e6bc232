"""Times the modules of a search space's derived networks on a device, for a table of latencies."""
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..genotype import Genotype
from ..networks.build import build_network
from .cost_table import CostTable, Shape, cost_format, cost_table

BACKENDS = ('torch', 'onnxruntime')
WARM_UP = 3  # passes that are not timed


def torch_pass(module: nn.Module, x: Tensor) -> Callable[[], Any]:
    """A pass of PyTorch in evaluation mode, which returns once the device has computed it."""
    module.eval()
    device = None if x.device.type == 'cpu' else torch.get_device_module(x.device)

    @torch.inference_mode()
    def run() -> None:
        module(x)
        if device is not None:
            device.synchronize(x.device)

    return run


def onnxruntime_pass(module: nn.Module, x: Tensor) -> Callable[[], Any]:
    """A pass of onnxruntime on the CPU, with as many threads as PyTorch has.

    Raises:
        RuntimeError: if onnxruntime or onnxscript is not installed, or the module has no ONNX graph.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch.onnx needs it)
    except ImportError as error:
        raise RuntimeError(f'{error}: --backend onnxruntime needs pip install -r requirements-onnx.txt') from error
    exported: Any = torch.onnx.export(module.eval(), (x, ), dynamo=True, verbose=False, input_names=['x'])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        exported.model_proto.SerializeToString(), options, providers=['CPUExecutionProvider'])
    inputs = {entry.name: x.numpy() for entry in session.get_inputs()}  # none where the module ignores its input
    return lambda: session.run(None, inputs)


class Latency:
    """The time of a module in milliseconds for an image, a :data:`~.cost_table.Measure`.

    It is the median of ``repeats`` passes, after some that are not timed.
    Modules that are written alike are timed once per shape of their input.

    Args:
        device (str): on which PyTorch computes; onnxruntime takes the CPU.
        repeats (int): timed passes per module.
        backend (str): ``'torch'`` or ``'onnxruntime'``.
        clock: ``() -> seconds``.

    Raises:
        ValueError: if the backend does not run on the device.
    """

    def __init__(self, device: str = 'cpu', repeats: int = 30, backend: str = 'torch',
                 clock: Callable[[], float] = time.perf_counter) -> None:
        if backend == 'onnxruntime' and device != 'cpu':
            raise ValueError(f"device={device!r}: the backend onnxruntime runs on 'cpu'")
        self.device, self.repeats, self.clock = device, repeats, clock
        self.prepare = dict(zip(BACKENDS, (torch_pass, onnxruntime_pass), strict=True))[backend]
        self._timed: dict[tuple[str, Shape], float] = {}

    def __call__(self, module: nn.Module, shapes: Sequence[Shape]) -> float:
        total = 0.
        for shape in shapes:
            key = repr(module), shape
            if key not in self._timed:
                self._timed[key] = self.median(module, shape)
            total += self._timed[key]
        return total

    def median(self, module: nn.Module, shape: Shape) -> float:
        """The milliseconds of a module, measured anew."""
        run = self.prepare(module, torch.randn(1, *shape, device=self.device))
        times = []
        for number in range(WARM_UP + self.repeats):
            start = self.clock()
            run()
            if number >= WARM_UP:
                times.append(self.clock() - start)
        return 1e3 * statistics.median(times)


def device_name(device: str) -> str:
    """The product, as far as the system tells it."""
    kind = torch.device(device)
    if kind.type == 'cuda':
        return torch.cuda.get_device_name(kind)
    file = Path('/proc/cpuinfo')
    lines = file.read_text(encoding='utf-8').splitlines() if file.is_file() else []
    return next((line.partition(':')[2].strip() for line in lines if line.startswith('model name')),
                platform.processor() or platform.machine())


@dataclass(frozen=True)
class TimedNetwork:
    """A whole network: its architecture in a line, its milliseconds, and what the table says."""
    architecture: str
    measured: float
    table: float

    @property
    def error(self) -> float:
        """The relative error of the table."""
        return self.table / self.measured - 1


def measure_latency(genotypes: Sequence[Genotype], options: Mapping[str, Any], shape: Shape, latency: Latency
                    ) -> tuple[CostTable, list[TimedNetwork]]:
    """The table of a space on a device, and whole networks that tell its error.

    Each candidate has the time of its modules by themselves. The fixed part is
    what whole networks take besides: the median of their measured times minus
    the sums of their candidates, over the first half of ``genotypes``. The other
    half is for the error.

    Args:
        genotypes (list[Genotype]): architectures of a space, at least two.
        options (dict): of the derived network.
        shape (tuple[int]): (channels, height, width) of an image.
        latency (Latency): of the device.

    Raises:
        ValueError: if the space counts no costs.
    """
    table = cost_table(genotypes[0], options, shape, latency, latency.device)
    chosen = cost_format(genotypes[0].space).chosen
    measured = []
    for genotype in genotypes:
        with torch.device(latency.device):
            network = build_network(replace(genotype, importance=None), **options)
        measured.append(latency.median(network, shape))
    sums = [table.sum_of(chosen(genotype.architecture)) for genotype in genotypes]
    half = len(genotypes) // 2
    table = replace(table, fixed=statistics.median(
        whole - part for whole, part in zip(measured[:half], sums[:half], strict=True)))
    return table, [TimedNetwork(genotype.summary(), whole, table.fixed + part) for genotype, whole, part in zip(
        genotypes[half:], measured[half:], sums[half:], strict=True)]
