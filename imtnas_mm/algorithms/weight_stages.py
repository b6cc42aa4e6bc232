"""The stages of a search: they train W and H, and record the one-step updates that A's gradient goes through."""
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.dist import all_reduce, all_reduce_params, get_rank
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor
from torch.func import functional_call

from ..chain import GradientStep, KeptGradient, Map, Pullback, Record, StepRule, Variable, gradients, leaves
from ..compat.focal_loss import plain_focal_loss
from ..compat.modules import NormBase
from ..encoders import StoredWeights
from ..finite import FiniteLedger
from ..precision import float32_products
from ..random_state import Purpose, isolated_random
from ..spaces.base import GateValues
from ..tasks.base import Head
from ..transport import to_device
from .replayed_stages import D, ReplayedStages
from .stages.hypernetwork_step import HypernetworkStep
from .stages.optimiser_rules import Clipping, buffer_of, check_known, check_only_rate, rules_of
from .stages.record import StageRecord
from .stages.stage import Stage
from .stages.task_pullbacks import naming_task
from .unused import tell_unused

# the passes that keep only the inputs of blocks: none, those of a transfer's images, or also the tasks' losses
RECOMPUTE = dict(none=(), views=('embed', ), all=('embed', 'loss'))

STEP_SPACES = ('weights', 'hypernetwork')

# their names in errors
TASK_LOSS, ENCODER_GRADIENT, HEAD_GRADIENT = 'the task loss', 'the gradient of W', 'the gradient of H'


class WeightStages(ReplayedStages):
    """Trains W_k and H_k stage by stage, and keeps a record of each stage for A's gradient.

    ``torch.autograd.grad`` computes the gradients of the weights, and their
    optimisers get them. A gets no gradient here.

    The task's loss trains W_k and H_k in a stage (Eq. 27 and 12), unless a
    subclass overrides :meth:`stage_steps`.

    Args:
        search_space, tasks, encoder_weights, rounds, order, architecture, seed:
            of :class:`SearchAlgorithm`.
        step_space (str): the space of the encoder's one-step approximation.
            ``weights`` steps W as the paper's equations do,
            ``W~ = W - eta grad_W L``. ``hypernetwork`` steps what the optimiser
            steps, ``W~ = g(V - eta grad_V L, A, k, m)``; for weights that a
            hypernetwork generates.
        virtual_step (dict, optional): ``momentum=True`` and
            ``weight_decay=True`` put the optimisers' values into the one-step
            approximations, as DARTS does, and ``clip_grad=True`` the clipping
            of the encoder's gradients. The step must then be in the space of
            the optimiser: ``StoredWeights`` or
            ``step_space='hypernetwork'``, and the latter for ``clip_grad``.
            The paper's step is plain.
        virtual_rates (dict, optional): ``encoder`` and ``head``, the rates of
            the one-step approximations (eta_w, eta_h) of all parameters. By
            default they are the present learning rates of these optimisers,
            per parameter where ``paramwise_cfg`` sets them so.
        amp (bool): weight stages run in bfloat16 autocast; A's step never does.
        tf32 (bool): weight stages may round the factors of float32 products
            to TF32 on a GPU. A's step and the chain of its gradient never do.
        recompute (str): the tensors that are computed again for a derivative
            instead of kept. ``none``: no tensors. ``views``: those inside the
            blocks (cells, layers) of the search network in the passes of a
            transfer's images. ``all``: also in the tasks' losses.
            docs/hypergradient.md has the cost.
        replay (bool): on a GPU, record computations of fixed shapes and replay
            them (:class:`Recordings`). This applies to classification tasks on
            spaces that compute all their operations.
        keep_graphs (bool): keep the graph of each stage's gradient until the
            sweep differentiates it, which then makes none again. With
            ``hypergradient='exact'``, the only use, an iteration takes about a
            fifth less time, and memory for all its stages. Stages whose head
            has buffers keep none.
        unknown: raises TypeError for any other option.

    Raises:
        ValueError: if an argument is not valid.
    """
    may_transfer = False  # whether the method has a knowledge transfer, whose images encoders embed

    def __init__(self,
                 search_space: dict[str, Any],
                 tasks: Mapping[str, dict[str, Any]],
                 encoder_weights: dict[str, Any],
                 rounds: int,
                 order: Sequence[str],
                 step_space: str = 'weights',
                 virtual_step: dict[str, bool] | None = None,
                 virtual_rates: dict[str, float] | None = None,
                 amp: bool = False,
                 tf32: bool = False,
                 recompute: str = 'none',
                 replay: bool = False,
                 keep_graphs: bool = False,
                 architecture: dict[str, Any] | None = None,
                 seed: int = 0,
                 **unknown: Any) -> None:
        for name in unknown:  # Python's error would name this class, but configs name a subclass
            raise TypeError(f'{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}')
        super().__init__(search_space, tasks, encoder_weights, rounds, order, architecture, seed, replay=replay)
        check_choice('recompute', recompute, tuple(RECOMPUTE))
        for name, value, known in (('virtual_rates', virtual_rates, {'encoder', 'head'}),
                                   ('virtual_step', virtual_step, {'momentum', 'weight_decay', 'clip_grad'})):
            unknown_keys = [] if value is None else sorted(set(value) - known)
            if unknown_keys:
                raise ValueError(f'model.{name} has {unknown_keys}; it takes {sorted(known)}')
        check_choice('step_space', step_space, STEP_SPACES)
        self.virtual = dict(dict(momentum=False, weight_decay=False, clip_grad=False), **(virtual_step or {}))
        self.step_space = step_space
        self._check_step_space()
        self.virtual_rates = dict(virtual_rates or {})
        self.amp, self.tf32 = amp, tf32
        for name, on in (('amp', amp), ('tf32', tf32), ('replay', replay)):
            if keep_graphs and on:
                raise ValueError(f'model.keep_graphs=True with model.{name}=True: '
                                 "a kept graph must be one that A's step can differentiate: in full precision, and "
                                 'made anew each time')
        self.keep_graphs = keep_graphs
        for name, on, what in (('amp', amp, 'run in bfloat16'),
                               ('tf32', tf32, 'round the factors of float32 products to TF32 on a GPU')):
            if on:
                print_log(f"model.{name}=True: the weight stages {what}; A's step and the chain of its gradient stay "
                          'in full precision', logger='current')
        if torch.cuda.is_available() and not (amp or tf32):
            print_log('All products of the search are in float32. model.tf32=True or model.amp=True (--amp) let the '
                      'weight stages round, which is faster on a GPU', logger='current')
        for task in self.tasks.values():
            task.recompute = frozenset(RECOMPUTE[recompute])
        if recompute == 'views' and not self.may_transfer:
            tell_unused(type(self).__name__, ["model.recompute='views'"], 'no images go through a transfer')
        self.records: list[StageRecord] = []
        self.ledger = FiniteLedger()

    @property
    def stores_weights(self) -> bool:
        """Whether each W is a parameter of the optimiser."""
        return isinstance(self.encoder_weights, StoredWeights)

    def _check_step_space(self) -> None:
        kind = type(self.encoder_weights).__name__
        if self.step_space == 'hypernetwork':
            if self.stores_weights or self.encoder_weights.mixed_by_architecture:
                why = 'whose parameters are W, so that both spaces are one' if self.stores_weights else 'which has none'
                raise ValueError(f"model.step_space='hypernetwork' with encoder_weights.type={kind!r}, {why}; "
                                 "it is for HyperNetwork. Leave step_space at 'weights'")
            return
        asked = {name: value for name, value in self.virtual.items() if value}
        if asked and not self.stores_weights:
            raise ValueError(f'model.virtual_step={asked!r} needs encoder_weights=dict(type="StoredWeights") or '
                             "model.step_space='hypernetwork': a hypernetwork's optimiser has no momentum or decay of "
                             'the weights it generates')
        if self.virtual['clip_grad']:
            raise ValueError("model.virtual_step.clip_grad=True needs model.step_space='hypernetwork': the optimiser "
                             'clips the gradients of all parameters together, and those of a stage are only some')

    # --- the losses of a stage, as functions of all that they depend on ---

    def task_loss(self, stage: Stage, gates: Mapping[str, Tensor], encoder: Tensor, head: Mapping[str, Tensor],
                  data: dict[str, Any], purpose: Purpose = Purpose.LOSS,
                  number: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        """L_k(A, W, H, D), see :meth:`Task.loss`. A stage of an iteration always draws the same random numbers.

        Args:
            stage, gates, encoder, head, data: k, A, W, H and D.
            purpose (Purpose): of the random numbers.
            number (int): of the batch, where a stage has several for this purpose; each draws other numbers.
        """
        index = stage.index + number * len(self.stages)
        key = purpose.key(seed=self.seed, iteration=self.iteration, stage=index, rank=get_rank())
        # mmcv's compiled focal loss has the precision of float32
        with isolated_random(*key), plain_focal_loss(encoder.dtype == torch.float64):
            return self.tasks[stage.task].loss(encoder, gates, head, data)

    def preprocess(self, task: str, batch: dict[str, Any], purpose: Purpose, index: int) -> dict[str, Any]:
        """A raw batch -> the input of the task's losses. Augmentations that mix images draw by iteration and stage."""
        key = Purpose.PREPROCESSING.key(
            seed=self.seed, batch_purpose=int(purpose), iteration=self.iteration, index=index, rank=get_rank())
        with isolated_random(*key):
            return self.tasks[task].preprocess(batch, True)

    def stage_loss(self, stage: Stage, gates: Mapping[str, Tensor], encoder: Tensor, head: Mapping[str, Tensor],
                   data: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss that trains W and H of a stage by its task, and figures."""
        return self.task_loss(stage, gates, encoder, head, data)

    @staticmethod
    def head_constants(head: Head) -> dict[str, Tensor]:
        """Copies of a head's constants, for passes that must not change its statistics."""
        return {name: tensor.detach().clone() for name, tensor in head.constants().items()}

    # --- what is kept ---

    def keeps(self, stage: Stage) -> bool:
        """Whether the graph of a stage's gradient is kept."""
        return self.keep_graphs and not self.head(stage).constants()

    # --- the weight stages ---

    def set_gates(self, gates: GateValues, importance: Tensor) -> None:
        super().set_gates(gates, importance)
        self.gate_variables = [Variable(gate) for gate in gates.values()]
        self.importance_variable = Variable(importance)

    def start_iteration(self, iteration: int) -> None:
        super().start_iteration(iteration)
        self.records = []
        self.ledger.clear()

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        with float32_products(self.tf32):
            record = self.new_record(stage, batch, optim_wrapper)
            figures = self.train_record(record, optim_wrapper)
        self.records.append(record)
        return figures

    def train_record(self, record: StageRecord, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Runs the stage of a record, gives its gradients to the optimisers, and returns its figures."""
        stage = record.stage
        if record.step is None:
            generated = self.encoder(stage, self.importance)
            encoder_gradient, head_gradient = self.run_stage(record, generated.detach(), optim_wrapper, train=True)
            torch.autograd.backward(generated, encoder_gradient)
        else:
            _, head_gradient = self.run_stage(record, self.encoder_before(record), optim_wrapper, train=True)
            for name, parameter in self.encoder_weights.named_parameters():
                part = record.step.by_parameter[name]
                parameter.grad = part if parameter.grad is None else parameter.grad + part
        for name, parameter in self.head(stage).trained().items():
            parameter.grad = head_gradient[name]
        return {f'{stage.name}/{name}': value for name, value in record.figures.items()}

    def new_record(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> StageRecord:
        """The record of a stage before it runs: its data and the rules of its steps."""
        for part in ('encoder', 'head'):
            check_known(part, optim_wrapper[part], self.virtual)
        head = self.rules('head', self.head(stage).trained(), optim_wrapper)
        data = self.preprocess(stage.task, batch['train'], Purpose.LOSS, stage.index)
        if self.step_space == 'hypernetwork':
            return StageRecord(stage, data, None, head, step=self.hypernetwork_step_of(stage, optim_wrapper))
        return StageRecord(stage, data, self.encoder_rule(stage, optim_wrapper), head)

    def rules(self, part: str, parameters: Mapping[str, Tensor],
              optim_wrapper: OptimWrapperDict) -> dict[str, StepRule]:
        """The rules of the steps of some parameters, by name.

        Args:
            part (str): ``encoder`` or ``head``.
            parameters (dict[str, Tensor]): of this part, by name.
            optim_wrapper (OptimWrapperDict): the optimisers.
        """
        return rules_of(optim_wrapper[part].optimizer, parameters, self.virtual, self.virtual_rates.get(part))

    def encoder_rule(self, stage: Stage, optim_wrapper: OptimWrapperDict) -> StepRule:
        """The rule of W's step."""
        if self.stores_weights:
            return self.rules('encoder', {'W': self.encoder(stage, self.importance)}, optim_wrapper)['W']
        if 'encoder' in self.virtual_rates:
            return StepRule(self.virtual_rates['encoder'])
        check_only_rate(optim_wrapper['encoder'])
        return StepRule(optim_wrapper['encoder'].param_groups[0]['lr'])

    def hypernetwork_step_of(self, stage: Stage, optim_wrapper: OptimWrapperDict) -> HypernetworkStep:
        """The step of a stage in V, before it is taken."""
        wrapper, parameters = optim_wrapper['encoder'], dict(self.encoder_weights.named_parameters())
        buffers = {name: buffer_of(wrapper.optimizer, parameter) for name, parameter in parameters.items()}
        return HypernetworkStep(
            lambda values, importance: functional_call(
                self.encoder_weights, dict(values), (*self.encoder_index(stage), importance)),
            self.rules('encoder', parameters, optim_wrapper),
            Clipping.of(wrapper) if self.virtual['clip_grad'] else None,
            {name: parameter.detach() for name, parameter in parameters.items()},
            {name: buffer for name, buffer in buffers.items() if buffer is not None and self.virtual['momentum']})

    def run_stage(self, record: StageRecord, encoder: Tensor, optim_wrapper: OptimWrapperDict,
                  train: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes the one-step updates of a stage (Eq. 27-29) and puts them into its record.

        Args:
            record (StageRecord): the record of the stage.
            encoder (Tensor): W, [D], without a graph.
            optim_wrapper (OptimWrapperDict): the optimisers.
            train (bool): whether the pass trains the weights or belongs to A's
                step. The first runs under AMP and moves the head's statistics.

        Returns:
            (Tensor [D], dict[str, Tensor]): the gradients of W and H in these updates.
        """
        stage = record.stage
        head = self.head(stage)
        parameters = self.head_before(record)
        constants = head.constants() if train else self.head_constants(head)
        encoder = encoder.detach().requires_grad_()
        amp = self.amp and train
        # mmcv's compiled focal loss has no bfloat16
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=amp, cache_enabled=not self.replay), \
                plain_focal_loss(amp or self.keeps(stage)):
            encoder_gradient, head_gradient, figures = self.stage_steps(
                record, encoder, parameters, constants, optim_wrapper)
        if train:
            self.reduce(running_statistics(head))
        of_head = dict(zip(parameters, head_gradient, strict=True))
        if stage.round == self.rounds - 1:
            trained = head.trained()  # the optimiser's; those of the record may be copies
            record.head = {
                name: Variable(self.virtual_value(record.head_rules[name], trained[name], p.detach(), of_head[name],
                                                  optim_wrapper['head']))
                for name, p in parameters.items()
            }
            record.head_constants = {name: tensor.detach().clone() for name, tensor in constants.items()}
        record.figures.update({name: value.detach() for name, value in figures.items()})
        return encoder_gradient, of_head

    def stage_steps(self, record: StageRecord, encoder: Tensor, parameters: Mapping[str, Tensor],
                    constants: Mapping[str, Tensor],
                    optim_wrapper: OptimWrapperDict) -> tuple[Tensor, Sequence[Tensor], dict[str, Tensor]]:
        """Computes the gradients of a stage, and sets W~ and ``parts`` of its record.

        Args:
            record (StageRecord): the record of the stage.
            encoder (Tensor): W, [D], a leaf.
            parameters, constants (dict[str, Tensor]): the tensors of the head.
            optim_wrapper (OptimWrapperDict): the optimisers.

        Returns:
            (Tensor [D], list[Tensor], dict[str, Tensor]): the gradients of W
            and of the head's parameters, the same on all ranks; the parts of
            the task's loss.
        """
        return self.task_steps(record, encoder, parameters, constants, optim_wrapper)

    def task_steps(self, record: StageRecord, encoder: Tensor, parameters: Mapping[str, Tensor],
                   constants: Mapping[str, Tensor], optim_wrapper: OptimWrapperDict,
                   added: Tensor | None = None) -> tuple[Tensor, Sequence[Tensor], dict[str, Tensor]]:
        """:meth:`stage_steps` by the task's loss, for both W and H (Eq. 27 and 12).

        Args:
            record, encoder, parameters, constants, optim_wrapper: as above.
            added (Tensor, optional): a term of W's gradient, [D], a constant of the chain.
        """
        names = list(parameters)

        def compute(tensors: list[Tensor], data: dict[str, Any]
                    ) -> tuple[Tensor, dict[str, Tensor], Tensor, list[Tensor]]:
            gates, (encoder, *values) = self.split_gates(tensors)
            keeps = self.keeps(record.stage)
            if keeps:  # optimisers may change the weights in place before the sweep
                gates, encoder, values = gates.leaves(), encoder.clone(), [value.clone() for value in values]
            encoder, *values = leaves([encoder, *values])
            loss, figures = self.stage_loss(
                record.stage, gates, encoder, {**dict(zip(names, values, strict=True)), **constants}, data)
            if keeps:
                record.kept = KeptGradient.of(loss, [encoder, *values], list(gates.values()))
                encoder_gradient, *head_gradient = record.kept.values()
            else:
                encoder_gradient, *head_gradient = gradients(loss, [encoder, *values])
            return loss.detach(), figures, encoder_gradient, head_gradient

        loss, figures, encoder_gradient, head_gradient = self.compute(
            ('the stage', ), record.stage, compute, [encoder, *parameters.values()], record.data)
        self.reduce_finite(self.where(record.stage), {
            TASK_LOSS: [loss.clone()], ENCODER_GRADIENT: [encoder_gradient], HEAD_GRADIENT: head_gradient})
        if added is not None:
            encoder_gradient = encoder_gradient + added
        self.set_virtual_encoder(record, encoder, encoder_gradient, optim_wrapper)
        record.parts = self.task_parts
        return encoder_gradient, head_gradient, figures

    def task_parts(self, record: StageRecord, result: Variable | None = None) -> list[Record]:
        """Eq. 27 and 12 as records, if ``L_1(A, W, H)`` steps both W and H (their pullback is Eq. 24).

        H~ takes part only in the last round.

        Args:
            record (StageRecord): the record of the stage.
            result (Variable, optional): W after this step; the stage's W~ by default.
        """
        head = self.head(record.stage)
        parameters = self.head_before(record)
        stepped = record.head
        encoder = self.encoder_variable(record)
        after_step, rate, share = record.encoder_gradient_step
        before, after = [encoder], [after_step if result is None else result]
        rates, fixed, shares = [rate], list(parameters.values()), [share]
        if stepped is not None:
            before += [Variable(parameter, constant=True) for parameter in parameters.values()]
            after += stepped.values()
            rates, fixed = rates + [record.head_rules[name].gradient_rate for name in parameters], []
            shares += [1.] * len(parameters)

        def loss(inner: list[Tensor], outer: list[Tensor], data: tuple[list[Tensor], dict[str, Any]]) -> Tensor:
            fixed, batch = data
            values = dict(zip(parameters, fixed if stepped is None else inner[1:], strict=True))
            return self.stage_loss(record.stage, self.gates.with_tensors(outer), inner[0],
                                   {**values, **self.head_constants(head)}, batch)[0]

        what = 'the pullback' if stepped is None else 'the pullback with the head'
        kept, _ = record.take_kept()
        return [self.generation(record, encoder),
                GradientStep(loss, before, after, self.gate_variables, rates, lambda: (fixed, record.data),
                             run=partial(self.run_pullback, what, record.stage), mean=self.reduce, kept=kept,
                             shares=shares),
                *self.generated_step(record)]

    def generation(self, record: StageRecord, encoder: Variable) -> Map:
        """``W = g(V, A, k, m)`` as a record."""
        if record.step is not None:
            return record.step.generation(self.importance_variable, encoder)
        return Map(lambda inputs: [self.generate(record, *inputs)], [self.importance_variable], [encoder])

    def generated_step(self, record: StageRecord) -> list[Record]:
        """The step in V and ``W~ = g(V~, A, k, m)`` as records, if the stage steps V: it follows the gradient by W."""
        return [] if record.step is None else [record.step.record(self.importance_variable, bool(record.active))]

    def encoder_variable(self, record: StageRecord) -> Variable:
        """W of a stage, computed again whenever a record reads it."""
        return Variable(lambda: self.encoder_before(record), constant=self.stores_weights)

    def run_pullback(self, what: str, stage: Stage, pullback: Pullback,
                     function: Callable[[list[Tensor], D], list[Tensor]], tensors: list[Tensor],
                     data: D) -> list[Tensor]:
        """:meth:`run` for the second pass of a stage."""
        with naming_task(stage, pullback):
            return self.run((what, pullback.__name__), stage, function, tensors, data)

    def run_chain_again(self, optim_wrapper: OptimWrapperDict) -> None:
        """Computes the one-step updates again at the present A, on the batches of this iteration, for no optimiser."""
        old, self.records = self.records, []
        for record in old:
            again = record.before_it_runs()
            if record.step is not None:
                again.step = record.step.again(self.records[-1].step if self.records else None)
            self.run_stage(again, self.encoder_before(again), optim_wrapper, train=False)
            self.records.append(again)

    def virtual_value(self, rule: StepRule, parameter: Tensor, value: Tensor, gradient: Tensor,
                      optim_wrapper: OptimWrapper) -> Tensor:
        """The one-step update of a value.

        Args:
            rule (StepRule): its step.
            parameter (Tensor): the optimiser's, whose momentum buffer the step takes if its rule has momentum.
            value, gradient (Tensor): in the shape of the parameter.
            optim_wrapper (OptimWrapper): of the parameter.
        """
        return rule.step(value, gradient, buffer_of(optim_wrapper.optimizer, parameter) if rule.momentum else None)[0]

    def virtual_encoder(self, record: StageRecord, encoder: Tensor, gradient: Tensor,
                        optim_wrapper: OptimWrapperDict) -> Tensor:
        """W~ of a stage after a step in W, [D] (Eq. 27 or 28)."""
        parameter = self.encoder(record.stage, self.importance) if self.stores_weights else encoder
        return self.virtual_value(record.weights_rule, parameter, encoder.detach(), gradient, optim_wrapper['encoder'])

    def set_virtual_encoder(self, record: StageRecord, encoder: Tensor, gradient: Tensor,
                            optim_wrapper: OptimWrapperDict) -> None:
        """Sets W~ of a stage by a step in W or in V.

        Args:
            record (StageRecord): the record of the stage.
            encoder, gradient (Tensor): W and its gradient, [D].
            optim_wrapper (OptimWrapperDict): the optimisers.
        """
        if record.step is None:
            record.encoder = Variable(self.virtual_encoder(record, encoder, gradient, optim_wrapper))
            return
        with torch.autocast(encoder.device.type, enabled=False):
            record.step.take(self.importance, gradient)
        record.encoder = record.step.encoder

    def step_weights(self, optim_wrapper: OptimWrapperDict) -> None:
        self.settle()
        self.step_optimisers(optim_wrapper)

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        """Steps the optimisers on the gradients of the stages."""
        step(optim_wrapper['encoder'])
        step(optim_wrapper['head'])

    def settle(self) -> None:
        """Reads together whether all results of the stages are finite and which of their inner gradients are not zero.

        Raises:
            NonFiniteError: the same on all ranks.
        """
        unread = [(record, record.active) for record in self.records if isinstance(record.active, torch.Tensor)]
        flags = []
        if unread:
            joined = torch.stack([active.float() for _, active in unread])
            all_reduce(joined, op='max')
            flags.append(joined)
        masked = [(record, record.needed) for record in self.records
                  if record.needed is not None and record.needed.dtype == torch.bool]
        values = self.ledger.read([*flags, *(needed for _, needed in masked)])
        for (record, _), value in zip(unread, values[0] if flags else (), strict=True):
            record.active = bool(value)
        for (record, needed), mask in zip(masked, values[len(flags):], strict=True):
            chosen = [i for i, value in enumerate(mask) if value]
            record.needed, = to_device([torch.tensor(chosen, dtype=torch.int64)], needed.device)

    # --- ranks -------------------------------------------------------------------------------------------------------

    @staticmethod
    def reduce(tensors: list[Tensor]) -> list[Tensor]:
        """Replaces tensors by their means over the ranks: functional weights bypass DistributedDataParallel's hooks."""
        all_reduce_params(tensors, op='mean')
        return tensors

    def reduce_finite(self, where: str, quantities: dict[str, list[Tensor]]) -> None:
        """Replaces tensors by their means over the ranks, and notes them by their names.

        If a tensor isn't finite on some rank, its mean isn't finite on any rank. The next :meth:`settle` then raises
        on all ranks.
        """
        self.reduce([tensor for tensors in quantities.values() for tensor in tensors])
        self.ledger.note(where, quantities)

    def where(self, stage: Stage) -> str:
        """The name of a stage of the present iteration, for errors."""
        return f'iteration {self.iteration + 1}, task {stage.task!r}, round {stage.round + 1}'

    @staticmethod
    def any_rank(flag: Tensor) -> bool | Tensor:
        """Whether a flag is set on some rank. A flag on a GPU is returned as it is, for :meth:`settle`."""
        if flag.device.type != 'cpu':
            return flag
        joined = flag.float()
        all_reduce(joined, op='max')
        return bool(joined)

    # --- W and H before the step of a stage ---

    def encoder(self, stage: Stage, importance: Tensor) -> Tensor:
        """``g(V, A, k, m)``, or the stored W_k^(m): [D]."""
        return self.encoder_weights.generate(*self.encoder_index(stage), importance)

    def generate(self, record: StageRecord, importance: Tensor) -> Tensor:
        """``g(V, A, k, m)`` at the stage's V, [D]."""
        if record.step is not None:
            return record.step.generated(importance)
        if record.source is None:
            return self.encoder(record.stage, importance)
        arguments = (*self.encoder_index(record.stage), importance)
        return functional_call(self.encoder_weights, record.source, arguments)

    @torch.no_grad()
    def encoder_before(self, record: StageRecord) -> Tensor:
        """W of a stage, [D], before its step."""
        return self.generate(record, self.importance).detach()

    def head_before(self, record: StageRecord) -> dict[str, Tensor]:
        """The trained parameters of a stage's head before its step."""
        return self.head(record.stage).trained() if record.head_source is None else record.head_source


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raises ValueError unless the option ``model.{name}`` has a known value."""
    if value not in known:
        raise ValueError(f'model.{name}={value!r} is not one of {known}')


def running_statistics(head: Head) -> list[Tensor]:
    """The running means and variances of a head's norms, which forward passes change in place."""
    layers = [module for module in head.modules() if isinstance(module, NormBase) and module.running_mean is not None]
    return [statistics for layer in layers for statistics in (layer.running_mean, layer.running_var)
            if statistics is not None]


def step(optim_wrapper: OptimWrapper) -> None:
    """Steps an optimiser and removes the gradients."""
    optim_wrapper.step()
    optim_wrapper.zero_grad()
