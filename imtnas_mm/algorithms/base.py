"""The base class of search methods: A, the tasks, their encoder weights and heads."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
from mmengine.model import BaseModel
from torch import Tensor

from ..architecture import Architecture, flat_importance
from ..compat.modules import ModulesByName, ModulesInOrder
from ..encoders import EncoderWeights
from ..genotype import Genotype
from ..progress import Progress
from ..random_state import Purpose, isolated_random, seed_of
from ..registry import MODELS
from ..spaces.base import Choices, GateValues
from ..tasks.base import Head, Task
from ..transport import to_device, to_host
from .method import SearchMethod
from .stages.stage import Stage, check_order, interleaved_stages


class SearchAlgorithm(SearchMethod, BaseModel):
    """A search method as a model of mmengine's Runner.

    It holds the state of a checkpoint: ``architecture`` (A),
    ``encoder_weights``, and ``heads`` (one per task and round). Each of the
    three has an optimiser.

    Args:
        search_space (dict): config of the space that all tasks share.
        tasks (dict[str, dict]): the configs of the tasks by name.
        encoder_weights (dict): config of ``HyperNetwork`` or ``StoredWeights``.
        rounds (int): M; from ``train_cfg.rounds``.
        order (tuple[str]): the tasks of a round; from ``train_cfg.order``.
        architecture (dict, optional): options of :class:`Architecture`.
        seed (int): the seed of all random numbers of an iteration.

    Raises:
        ValueError: if the order doesn't fit the tasks, or a task changes the
            weights or choices of the search space.
    """
    warming_up = False  # whether A is frozen in this iteration; known to the host, which needn't wait for a GPU
    tasks: ModulesByName[Task]
    heads: ModulesByName[ModulesInOrder[Head]]  # by task and round
    encoder_weights: EncoderWeights
    progress: Tensor
    draw: dict[str, Tensor]  # of the space; empty before the first iteration, as the gates
    gates: GateValues
    importance: Tensor

    def __init__(self, search_space: dict[str, Any], tasks: Mapping[str, dict[str, Any]],
                 encoder_weights: dict[str, Any], rounds: int, order: Sequence[str],
                 architecture: dict[str, Any] | None = None, seed: int = 0) -> None:
        super().__init__()
        self.transfer = self.cost = None  # of methods that have them
        check_order(order, tasks)
        self.order = tuple(order)
        self.rounds = rounds
        self.seed = seed
        self.stages = interleaved_stages(self.order, rounds)
        with isolated_random(*Purpose.HEADS.key(seed=seed)):  # the libraries initialise the heads
            self.tasks = ModulesByName({
                name: MODELS.build(dict(tasks[name], search_space=search_space)) for name in self.order
            })
        self.scopes = {name: task.scope for name, task in self.tasks.items()}
        self._check_same_encoder()
        self.architecture = Architecture(self.space.alpha_shapes(), **dict(dict(seed=seed), **(architecture or {})))
        self.encoder_weights = MODELS.build(
            dict(
                encoder_weights,
                layout=self.first_task.layout,
                num_tasks=1 + max(self.encoder_index(stage)[0] for stage in self.stages),
                num_rounds=rounds,
                num_importance=sum(a.numel() for a in self.architecture.parameters()),
                seed=seed))
        self.heads = ModulesByName({
            name: ModulesInOrder(task.build_head() for _ in range(rounds)) for name, task in self.tasks.items()
        })
        self.register_buffer('progress', torch.zeros(len(Progress._fields), dtype=torch.float64))
        self.progress_on_host: Progress | None = None  # the same, to be asked without a read; None before the search
        self.register_load_state_dict_post_hook(_tell_spaces_of_progress)
        self.iteration = 0
        self.gates, self.draw = GateValues(), {}

    @property
    def first_task(self) -> Task:
        return self.tasks[self.order[0]]

    @property
    def space(self) -> Choices:
        """The search space of all tasks. Tasks may read different features of it, but share A and the shapes of W."""
        return self.first_task.template.backbone

    def _check_same_encoder(self) -> None:
        first = self.first_task
        for name, task in self.tasks.items():
            if (task.layout.names, task.layout.shapes) != (first.layout.names, first.layout.shapes) or \
                    task.space.alpha_shapes() != first.space.alpha_shapes():
                raise ValueError(f'model.tasks.{name}.backbone changes the weights or choices of the search space; '
                                 f'all tasks share its architecture with {self.order[0]!r}')

    def init_weights(self) -> None:
        """Does nothing: the constructors have initialised all weights, by their seeds or libraries."""

    def encoder_index(self, stage: Stage) -> tuple[int, int]:
        """(task, round) of a stage's encoder weights; the same for tasks that share them."""
        return stage.task_index, stage.round

    def check_epochs(self, max_epochs: int) -> None:
        """Accepts any number."""

    def active_stages(self) -> Sequence[Stage]:
        return self.stages

    def head(self, stage: Stage) -> Head:
        """The head of a stage."""
        return self.heads[stage.task][stage.round]

    # --- the random numbers of an iteration ---

    def set_progress(self, progress: Progress) -> None:
        values = torch.tensor(progress, dtype=self.progress.dtype)
        self.progress.copy_(to_device([values], self.progress.device)[0])
        self._tell_spaces(progress)

    def _tell_spaces(self, progress: Progress | None) -> None:
        self.progress_on_host = progress
        self.warming_up = progress is not None and progress.epoch < progress.warmup_epochs
        for task in self.tasks.values():
            task.space.set_progress(progress)

    def start_iteration(self, iteration: int) -> None:
        self.iteration = iteration
        generator = torch.Generator().manual_seed(seed_of(*Purpose.GATES.key(seed=self.seed, iteration=iteration)))
        on_host = to_host(self.architecture.named_alphas())
        draw = self.space.draw(on_host, generator)
        self.draw = dict(zip(draw, to_device(list(draw.values()), self.progress.device), strict=True))
        self.refresh_gates()

    @torch.no_grad()
    def refresh_gates(self) -> None:
        """Computes the gates and importance weights of the present A, without a graph."""
        alphas = self.architecture.named_alphas()
        gates = GateValues(self.space.gate_tensors(alphas, self.draw))
        if self.space.samples:
            gates.read()
        self.set_gates(gates, flat_importance(self.space.importance(alphas)))

    def set_gates(self, gates: GateValues, importance: Tensor) -> None:
        """Sets the gates and importance weights that the stages take for A; without a graph."""
        self.gates, self.importance = gates, importance

    @torch.no_grad()
    def architecture_figures(self) -> dict[str, Tensor]:
        """Figures of A for the log."""
        return {'architecture/entropy': self.space.entropy(self.architecture.named_alphas())}

    def figures(self) -> dict[str, Tensor]:
        return self.architecture_figures()

    def derive(self) -> Genotype:
        return self.space.derive(to_host(self.architecture.named_alphas()))

    # --- the search network in its evaluation ---

    @torch.no_grad()
    def search_network(self, task: str, round: int = -1) -> Callable[[dict], list]:
        k, m = self.order.index(task), range(self.rounds)[round]
        alphas = self.architecture.named_alphas()
        gates = self.space.evaluation_gates(alphas)
        index = self.encoder_index(self.stages[m * len(self.order) + k])
        encoder = self.encoder_weights.generate(*index, flat_importance(self.space.importance(alphas)))
        head = self.heads[task][m].tensors()

        def predict(data: dict) -> list:
            function = self.tasks[task]
            return function.predict(encoder, gates, head, function.preprocess(data, False))

        return predict

    def forward(self, inputs: object, data_samples: list | None = None, mode: str = 'tensor') -> NoReturn:
        raise NotImplementedError(f'{type(self).__name__} has no single forward: its loop calls train_stage and '
                                  'update_architecture; search_network(task) predicts')


def _tell_spaces_of_progress(model: SearchAlgorithm, incompatible_keys: object) -> None:
    model._tell_spaces(Progress.of(model.progress))
