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

WARM_UP = 3  # passes of each module that are not timed


def torch_pass(module: nn.Module, x: Tensor) -> Callable[[], object]:
    """A pass of PyTorch in evaluation mode, which returns once the device has computed it."""
    module.eval()
    device = None if x.device.type == 'cpu' else torch.get_device_module(x.device)

    @torch.inference_mode()
    def run() -> None:
        module(x)
        if device is not None:
            device.synchronize(x.device)

    return run


def onnxruntime_pass(module: nn.Module, x: Tensor) -> Callable[[], object]:
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
    # threads that wait in other modules' sessions would take the CPU
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    session = onnxruntime.InferenceSession(
        exported.model_proto.SerializeToString(), options, providers=['CPUExecutionProvider'])
    inputs = {entry.name: x.numpy() for entry in session.get_inputs()}  # none where the module ignores its input
    return lambda: session.run(None, inputs)


BACKENDS: Mapping[str, Callable[[nn.Module, Tensor], Callable[[], object]]] = dict(
    torch=torch_pass, onnxruntime=onnxruntime_pass)


class Latency:
    """The times of modules in milliseconds for an image, a :data:`~.cost_table.Measure`.

    A call notes modules, and :meth:`measure` times all that were noted.
    From then on a call returns their times. A time is the median of
    ``repeats`` passes. The passes of all modules take turns: what else the
    machine does slows them alike, and each finds caches that hold other data,
    as in a network. Modules that are written alike are timed once per shape of
    their input.

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
        self.prepare = BACKENDS[backend]
        self.passes: dict[tuple[str, Shape], Callable[[], object]] = {}
        self.times: dict[tuple[str, Shape], float] = {}

    def __call__(self, module: nn.Module, shapes: Sequence[Shape]) -> float:
        """The sum over the shapes of its inputs; 0 for modules that are not timed yet."""
        total = 0.
        for shape in shapes:
            key = repr(module), shape
            if key not in self.times and key not in self.passes:
                self.passes[key] = self.prepare(module, torch.randn(1, *shape, device=self.device))
            total += self.times.get(key, 0.)
        return total

    def measure(self) -> None:
        """Times all modules that were noted."""
        times: dict[tuple[str, Shape], list[float]] = {key: [] for key in self.passes}
        for number in range(WARM_UP + self.repeats):
            for key, run in self.passes.items():
                start = self.clock()
                run()
                if number >= WARM_UP:
                    times[key].append(self.clock() - start)
        self.times.update({key: 1e3 * statistics.median(seconds) for key, seconds in times.items()})
        self.passes.clear()


def device_name(device: str) -> str:
    """The name of the device, if the system reports it."""
    kind = torch.device(device)
    if kind.type == 'cuda':
        return torch.cuda.get_device_name(kind)
    file = Path('/proc/cpuinfo')
    lines = file.read_text(encoding='utf-8').splitlines() if file.is_file() else []
    return next((line.partition(':')[2].strip() for line in lines if line.startswith('model name')),
                platform.processor() or platform.machine())


@dataclass(frozen=True)
class TimedNetwork:
    """A whole network: its architecture in a line, its measured milliseconds, and those of the table."""
    architecture: str
    measured: float
    table: float

    @property
    def error(self) -> float:
        """The relative error of the table."""
        return self.table / self.measured - 1


def measure_latency(genotypes: Sequence[Genotype], options: Mapping[str, Any], shape: Shape, latency: Latency
                    ) -> tuple[CostTable, list[TimedNetwork]]:
    """The table of a space on a device, and whole networks, whose times show its error.

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
    networks = []
    for genotype in genotypes:
        with torch.device(latency.device):
            networks.append(build_network(replace(genotype, importance=None), **options))
        latency(networks[-1], [shape])
    cost_table(genotypes[0], options, shape, latency, latency.device)  # notes the candidates' modules
    latency.measure()
    table = cost_table(genotypes[0], options, shape, latency, latency.device)
    chosen = cost_format(genotypes[0].space).chosen
    measured = [latency(network, [shape]) for network in networks]
    sums = [table.sum_of(chosen(genotype.architecture)) for genotype in genotypes]
    half = len(genotypes) // 2
    table = replace(table, fixed=statistics.median(
        whole - part for whole, part in zip(measured[:half], sums[:half], strict=True)))
    return table, [TimedNetwork(genotype.summary(), whole, table.fixed + part) for genotype, whole, part in zip(
        genotypes[half:], measured[half:], sums[half:], strict=True)]
