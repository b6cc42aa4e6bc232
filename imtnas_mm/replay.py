"""Records computations of fixed shapes as CUDA graphs and replays them: one launch instead of thousands."""
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from mmengine.logging import print_log
from torch import Tensor

from .compat.tensors import foreach_copy_
from .precision import OPERATORS
from .random_state import noticing_draws
from .transport import tensors_of, with_tensors

R = TypeVar('R')  # a result
MOST = 128  # recordings per search; each batch shape needs another


class CudaGraph:
    """The recorded kernels of one call.

    All recordings share one memory pool. That is safe because they run one at a
    time, and the results of a replay are copied before the next one.

    Args:
        function: list[Tensor] -> Tensors in dicts, lists and tuples. It never
            waits for the GPU, draws no random numbers, and depends on its
            arguments alone.
        tensors (list[Tensor]): on a GPU.
    """
    device: ClassVar[str] = 'cuda'
    pool = None

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Tensor]) -> None:
        if CudaGraph.pool is None:
            CudaGraph.pool = torch.cuda.graph_pool_handle()
        self.inputs = [tensor.detach().clone() for tensor in tensors]
        self.graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        # thread_local: threads of dataloaders may go on
        with torch.cuda.graph(self.graph, pool=self.pool, capture_error_mode='thread_local'):
            result = function(self.inputs)
        self.outputs = with_tensors(result, (tensor.detach() for tensor in tensors_of(result)))

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        foreach_copy_(self.inputs, [tensor.detach() for tensor in tensors])
        self.graph.replay()
        return with_tensors(self.outputs, (tensor.clone() for tensor in tensors_of(self.outputs)))


class Recorder(Protocol):
    """What records computations, as :class:`CudaGraph`: ``(function, tensors)`` -> ``tensors`` -> results."""

    @property
    def device(self) -> str:
        ...

    def __call__(self, function: Callable[[list[Tensor]], Any], tensors: Sequence[Tensor]
                 ) -> Callable[[Sequence[Tensor]], Any]:
        ...


class Recordings:
    """Recorded computations by key and argument shapes.

    The first call runs unrecorded, so that libraries choose their kernels. The
    second call is recorded, and later calls replay the recording. A computation
    that draws random numbers is never recorded, and the log says so once.

    Args:
        recorder (Recorder): records them.
    """

    def __init__(self, recorder: Recorder = CudaGraph) -> None:
        self.recorder = recorder
        self.kept: dict[tuple, Any] = {}
        self.full = False

    @property
    def device(self) -> str:
        """str: the type of device whose computations are recorded."""
        return self.recorder.device

    def __call__(self, key: tuple, function: Callable[..., R], tensors: Sequence[Tensor], data: Any = ()) -> R:
        """``function(tensors, data)``.

        Args:
            key (tuple): names the computation; calls with the same key differ in the values of their tensors alone.
            function: (list[Tensor], data) -> Tensors in dicts, lists and tuples.
            data: a batch: tensors in dicts, lists and data elements.

        Raises:
            RuntimeError: the computation can't be recorded; the message names the remedy.
        """
        arguments = [*tensors, *tensors_of(data)]
        key = key, tuple((x.shape, x.dtype, x.stride()) for x in arguments), self._settings()
        if key not in self.kept:
            with noticing_draws() as draws:
                result = function(tensors, data)
            self._note(key, draws.noticed)
            return result
        entry = self.kept[key]
        if entry is None:
            return function(tensors, data)
        if entry is _NEXT:
            count = len(tensors)

            def call(inputs: list[Tensor]) -> R:
                return function(inputs[:count], with_tensors(data, iter(inputs[count:])))

            try:
                entry = self.kept[key] = self.recorder(call, arguments)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise RuntimeError(f'{" ".join(map(str, key[0]))}: this computation could not be recorded to be '
                                   f'replayed ({reason}). Use model.replay=False') from error
        return entry(arguments)

    def _settings(self) -> tuple:
        """Settings on which PyTorch's kernels depend, besides their arguments: AMP and TF32."""
        return (torch.is_autocast_enabled(self.device), torch.get_autocast_dtype(self.device),
                *(operator.fp32_precision for operator in OPERATORS))

    def _note(self, key: tuple, draws: bool) -> None:
        if len(self.kept) < MOST:
            self.kept[key] = None if draws else _NEXT
            if draws:
                print_log(f'{" ".join(map(str, key[0]))}: draws random numbers, so it is not replayed', 'current')
        elif not self.full:
            self.full = True
            print_log(f'{MOST} computations are recorded; those of further shapes of batches are not replayed',
                      'current')


_NEXT = object()  # the next call is recorded
