"""What the searches share whose architecture gradient goes through one-step updates of the weights."""
import torch
from mmengine.dist import all_reduce, all_reduce_params, get_rank
from mmengine.logging import print_log
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from ..compat.focal_loss import plain_focal_loss
from ..encoders import StoredWeights
from ..finite import FiniteLedger
from ..precision import float32_products
from ..random_state import isolated_random
from ..replay import Recordings
from ..transport import to_device
from .base import FOR_LOSS, FOR_PREPROCESSING, FOR_VALIDATION, SearchAlgorithm
from .chain import StageRecord, gradients, leaves, virtual_step
from .hypergradient import HYPERGRADIENTS, check_task, hypergradient
from .loss_scale import LossScale

UNROLL_BATCHES = ('val', 'train')
# what keeps the inputs of blocks alone: nothing, the passes of a transfer's images, or the tasks' losses, too
RECOMPUTE = dict(none=(), views=('embed', ), all=('embed', 'loss'))

# what an error calls them
TASK_LOSS, ENCODER_GRADIENT, HEAD_GRADIENT = 'the task loss', 'the gradient of W', 'the gradient of H'


class UnrolledSearch(SearchAlgorithm):
    """Weights by stages, then A by the validation losses at the weights' one-step updates.

    One iteration is :meth:`start_iteration`, :meth:`train_stage` for every
    stage in order, :meth:`update_architecture`, :meth:`step_weights`. Gradients
    of the weights are taken with ``torch.autograd.grad`` and handed to their
    optimisers, A's likewise to its own: they never meet in one ``.grad``.

    A stage trains W_k and H_k by its task's loss (Eq. 27 and 12), unless a
    subclass's :meth:`stage_steps` does otherwise.

    Args:
        hypergradient (str): ``exact`` runs A's gradient through the whole
            chain, ``finite_difference`` does so without second derivatives,
            ``first_order`` drops the chain. See docs/hypergradient.md.
        arch_steps (int): steps of A an iteration; the chain is made again
            before each (paper A.1).
        unroll_batch (str): what A is judged on: ``val`` is D^val (Eq. 30),
            ``train`` is D^tr, as the pseudo-code A.3 has it (reading 5).
        virtual_step (dict, optional): ``momentum=True`` and
            ``weight_decay=True`` put the optimisers' own into the one-step
            approximations, as DARTS does; they need ``StoredWeights``, whose
            optimiser keeps them weight by weight. The paper's step is plain.
        virtual_rates (dict, optional): ``encoder`` and ``head``, the rates of
            the one-step approximations (eta_w, eta_h); each is the present
            learning rate of that optimiser where it isn't given.
        loss_normalization (str): of the validation losses (reading 6).
        amp (bool): weight stages in bfloat16 autocast; A's step never is.
        tf32 (bool): weight stages may round the factors of float32 products
            to TF32 on a GPU; A's step and the chain of its gradient never do.
        recompute (str): what is computed again for a derivative instead of
            kept: ``none``; ``views``, the blocks (cells, layers) of the
            search network in the passes of a transfer's images; ``all``, those
            of the tasks' losses, too. See docs/hypergradient.md for its cost.
        replay (bool): on a GPU, record the computations of fixed shapes and
            replay them (:class:`Recordings`): those of classification tasks on
            spaces that compute all their operations.
    """

    def __init__(self,
                 search_space,
                 tasks,
                 encoder_weights,
                 rounds,
                 order,
                 hypergradient='exact',
                 arch_steps=1,
                 unroll_batch='val',
                 virtual_step=None,
                 virtual_rates=None,
                 loss_normalization='running_mean',
                 amp=False,
                 tf32=False,
                 recompute='none',
                 replay=False,
                 architecture=None,
                 seed=0,
                 **unknown):
        for name in unknown:  # Python would name this class, which no config does
            raise TypeError(f'{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}')
        super().__init__(search_space, tasks, encoder_weights, rounds, order, architecture, seed)
        for name, value, known in (('hypergradient', hypergradient, HYPERGRADIENTS),
                                   ('unroll_batch', unroll_batch, UNROLL_BATCHES),
                                   ('recompute', recompute, tuple(RECOMPUTE))):
            if value not in known:
                raise ValueError(f'model.{name}={value!r} is not one of {known}')
        if arch_steps < 1:
            raise ValueError(f'model.arch_steps={arch_steps} must be at least 1; train_cfg.warmup_epochs freezes A')
        for name, given, known in (('virtual_rates', virtual_rates, {'encoder', 'head'}),
                                   ('virtual_step', virtual_step, {'momentum', 'weight_decay'})):
            if set(given or {}) - known:
                raise ValueError(f'model.{name} has {sorted(set(given) - known)}; it takes {sorted(known)}')
        self.virtual = dict(dict(momentum=False, weight_decay=False), **(virtual_step or {}))
        if any(self.virtual.values()) and not isinstance(self.encoder_weights, StoredWeights):
            raise ValueError(f'model.virtual_step={virtual_step!r} needs encoder_weights=dict(type="StoredWeights"): '
                             "a hypernetwork's optimiser has no momentum or decay of the weights it generates")
        self.hypergradient = hypergradient
        self.arch_steps = arch_steps
        self.unroll_batch = unroll_batch
        self.virtual_rates = dict(virtual_rates or {})
        self.loss_scale = LossScale(self.order, loss_normalization)
        self.amp, self.tf32 = amp, tf32
        for name, on, what in (('amp', amp, 'run in bfloat16'),
                               ('tf32', tf32, 'round the factors of float32 products to TF32 on a GPU')):
            if on:
                print_log(f"model.{name}=True: the weight stages {what}; A's step and the chain of its gradient stay "
                          'in full precision', logger='current')
        for task in self.tasks.values():
            task.recompute = frozenset(RECOMPUTE[recompute])
        self.replay, self.recordings = replay, Recordings()
        self.records = []
        self.ledger = FiniteLedger()
        self._checked = set()

    # --- the losses of a stage, as functions of everything they depend on ---

    def task_loss(self, stage, gates, encoder, head, data, purpose=FOR_LOSS):
        """L_k(A, W, H, D): see :meth:`Task.loss`. The same stage of the same iteration draws the same numbers."""
        with isolated_random(self.seed, purpose, self.iteration, stage.index, get_rank()):
            return self.tasks[stage.task].loss(encoder, gates, head, data)

    def preprocess(self, task, batch, purpose, index):
        """A raw batch as the task's losses take it; mixing augmentations of a batch draw by iteration and stage."""
        with isolated_random(self.seed, FOR_PREPROCESSING, purpose, self.iteration, index, get_rank()):
            return self.tasks[task].preprocess(batch, True)

    def stage_loss(self, stage, gates, encoder, head, data):
        """What trains W and H of a stage that the task's loss trains: (Tensor, figures)."""
        return self.task_loss(stage, gates, encoder, head, data)

    @staticmethod
    def head_constants(head):
        """Copies, for passes that must leave a head's statistics alone."""
        return {name: tensor.detach().clone() for name, tensor in head.constants().items()}

    # --- what may be replayed ---

    def replays(self, stage):
        """Whether the computations of a stage are recorded and replayed."""
        space = self.tasks[stage.task].space
        return (self.replay and self.importance.device.type == self.recordings.device and
                self.tasks[stage.task].replayable and not space.samples and not space.draws and
                not self.head(stage).constants())

    def compute(self, what, stage, function, tensors, data=()):
        """``function([*gates, *tensors], data)``, by :class:`Recordings` where the stage's computations are replayed.

        Args:
            what (tuple): names the computation.
            function: (list[Tensor], data) -> Tensors in dicts, lists and tuples; besides its
                arguments it may depend on the stage's task alone.
        """
        tensors = [*self.gates.values(), *tensors]
        if not self.replays(stage):
            return function(tensors, data)
        return self.recordings((*what, f'of task {stage.task!r}'), function, tensors, data)

    def split_gates(self, tensors):
        """What :meth:`compute` hands to its function: (GateValues, list[Tensor])."""
        count = len(self.gates)
        return self.gates.with_tensors(tensors[:count]), tensors[count:]

    # --- the weight stages ---

    def start_iteration(self, iteration):
        super().start_iteration(iteration)
        self.records = []
        self.ledger.clear()

    def examples_of(self, stage, batch):
        """The examples that a stage's transfer is about, if it has one."""

    def train_stage(self, stage, batch, optim_wrapper):
        """One stage: its gradients go to the optimisers, its one-step update to what comes after it.

        Args:
            stage (Stage): the stage after the last one trained.
            batch (dict): ``train``, a raw batch of D_k^tr, and ``examples``, two
                lists of raw images (previous task's, own), absent where nothing
                is transferred.
            optim_wrapper (OptimWrapperDict): ``encoder``, ``head``, ``architecture``.

        Returns:
            dict[str, Tensor]: figures to log, named by the stage.
        """
        with float32_products(self.tf32):
            data = self.preprocess(stage.task, batch['train'], FOR_LOSS, stage.index)
            generated = self.encoder(stage, self.importance)
            record, encoder_gradient, head_gradient = self.run_stage(
                stage, data, self.examples_of(stage, batch), generated.detach(), optim_wrapper, train=True)
            torch.autograd.backward(generated, encoder_gradient)
        for name, parameter in self.head(stage).trained().items():
            parameter.grad = head_gradient[name]
        self.records.append(record)
        self.after_stage(record, optim_wrapper)
        return {f'{stage.name}/{name}': value for name, value in record.figures.items()}

    def after_stage(self, record, optim_wrapper):
        """Called when a stage's gradients are with the optimisers and its record is the last of ``records``."""

    def run_stage(self, stage, data, examples, encoder, optim_wrapper, train, parameters=None):
        """The one-step updates of a stage (Eq. 27-29) and the gradients they were made with.

        Args:
            data (dict): preprocessed batch of D_k^tr.
            examples (Tensor, optional): of the transfer.
            encoder (Tensor): W, [D], without a graph.
            train (bool): whether this is the weights' own pass, which runs under
                AMP and moves the head's statistics, or A's.
            parameters (dict[str, Tensor], optional): the head's as they were,
                where it has been stepped since.

        Returns:
            (StageRecord, Tensor [D], dict[str, Tensor])
        """
        head = self.head(stage)
        parameters = head.trained() if parameters is None else parameters
        constants = head.constants() if train else self.head_constants(head)
        encoder = encoder.detach().requires_grad_()
        rates = {
            name: self.virtual_rates.get(name, optim_wrapper[name].param_groups[0]['lr'])
            for name in ('encoder', 'head')
        }
        record = StageRecord(stage, data, rates['encoder'], rates['head'], examples=examples)
        amp = self.amp and train
        # mmcv's compiled focal loss has no bfloat16
        with torch.autocast(
                encoder.device.type, torch.bfloat16, enabled=amp, cache_enabled=not self.replay), plain_focal_loss(amp):
            encoder_gradient, head_gradient, figures = self.stage_steps(
                record, encoder, parameters, constants, optim_wrapper)
        if train:
            self.reduce(running_statistics(head))
        head_gradient = dict(zip(parameters, head_gradient, strict=True))
        if stage.round == self.rounds - 1:
            record.virtual_head = {
                name: self.virtual_value(p, p.detach(), head_gradient[name], rates['head'], optim_wrapper['head'])
                for name, p in parameters.items()
            }
            record.virtual_head.update({name: tensor.detach().clone() for name, tensor in constants.items()})
        record.figures.update({name: value.detach() for name, value in figures.items()})
        return record, encoder_gradient, head_gradient

    def stage_steps(self, record, encoder, parameters, constants, optim_wrapper):
        """The gradients of a stage; puts its W~ into the record.

        Args:
            record (StageRecord): of the stage.
            encoder (Tensor): W, [D], a leaf.
            parameters, constants (dict[str, Tensor]): of the head.

        Returns:
            (Tensor [D], list[Tensor], dict[str, Tensor]): of W, of the head's
            parameters, both the same on all ranks; the task loss's parts.
        """
        names = list(parameters)

        def compute(tensors, data):
            gates, (encoder, *values) = self.split_gates(tensors)
            encoder, *values = leaves([encoder, *values])
            loss, figures = self.stage_loss(
                record.stage, gates, encoder, {**dict(zip(names, values, strict=True)), **constants}, data)
            encoder_gradient, *head_gradient = gradients(loss, [encoder, *values])
            return loss.detach(), figures, encoder_gradient, head_gradient

        loss, figures, encoder_gradient, head_gradient = self.compute(
            ('the stage', ), record.stage, compute, [encoder, *parameters.values()], record.data)
        self.reduce_finite(self.where(record.stage), {
            TASK_LOSS: [loss.clone()], ENCODER_GRADIENT: [encoder_gradient], HEAD_GRADIENT: head_gradient})
        encoder_gradient = self.with_sharing(record.stage, encoder, encoder_gradient)
        record.virtual_encoder = self.virtual_encoder(record, encoder, encoder_gradient, optim_wrapper)
        return encoder_gradient, head_gradient, figures

    def with_sharing(self, stage, encoder, gradient):
        """W's gradient, [D], with what a method adds to draw the tasks' encoders together: nothing."""
        return gradient

    def virtual_value(self, parameter, value, gradient, rate, optim_wrapper):
        """:func:`virtual_step` with what ``virtual_step`` asks of the optimiser of a parameter."""
        group = optim_wrapper.param_groups[0]
        buffer = None
        if self.virtual['momentum']:
            buffer = optim_wrapper.optimizer.state.get(parameter, {}).get('momentum_buffer')
        return virtual_step(value, gradient, rate, group.get('momentum', 0.), buffer,
                            group['weight_decay'] if self.virtual['weight_decay'] else 0.)

    def virtual_encoder(self, record, encoder, gradient, optim_wrapper):
        """W~ of a stage, [D] (Eq. 27 or 28)."""
        stage, parameter = record.stage, None
        if isinstance(self.encoder_weights, StoredWeights):
            parameter = self.encoder(stage, self.importance)
        if self.virtual['weight_decay']:
            record.decay = optim_wrapper['encoder'].param_groups[0]['weight_decay']
        return self.virtual_value(parameter, encoder.detach(), gradient, record.encoder_rate, optim_wrapper['encoder'])

    def step_weights(self, optim_wrapper):
        """The optimisers' steps on what the stages of this iteration gave."""
        self.settle()
        self.step_optimisers(optim_wrapper)

    def step_optimisers(self, optim_wrapper):
        step(optim_wrapper['encoder'])
        step(optim_wrapper['head'])

    def settle(self):
        """Reads, at once, whether all that the stages gave is finite and which of their inner gradients are not zero.

        Raises:
            NonFiniteError: the same on all ranks.
        """
        unread = [record for record in self.records if isinstance(record.active, torch.Tensor)]
        flags = []
        if unread:
            joined = torch.stack([record.active.float() for record in unread])
            all_reduce(joined, op='max')
            flags.append(joined)
        masked = [record for record in self.records if record.needed is not None and record.needed.dtype == torch.bool]
        values = self.ledger.read([*flags, *(record.needed for record in masked)])
        for record, value in zip(unread, values[0] if flags else (), strict=True):
            record.active = bool(value)
        for record, mask in zip(masked, values[len(flags):], strict=True):
            chosen = [i for i, value in enumerate(mask) if value]
            record.needed, = to_device([torch.tensor(chosen, dtype=torch.int64)], record.needed.device)

    # --- ranks -------------------------------------------------------------------------------------------------------

    @staticmethod
    def reduce(tensors):
        """Their means over the ranks, in place: functional weights bypass the hooks of DistributedDataParallel."""
        all_reduce_params(tensors, op='mean')
        return tensors

    def reduce_finite(self, where, quantities):
        """Means over the ranks, in place, of tensors by what they are.

        Where one isn't finite on some rank, its mean isn't on any: the next :meth:`settle` raises on all of them.
        """
        self.reduce([tensor for tensors in quantities.values() for tensor in tensors])
        self.ledger.note(where, quantities)

    def where(self, stage):
        """A stage of the present iteration, for errors."""
        return f'iteration {self.iteration + 1}, task {stage.task!r}, round {stage.round + 1}'

    @staticmethod
    def any_rank(flag):
        """Whether a flag on the host is set on some rank; a bool Tensor stays one, for :meth:`settle`."""
        if flag.device.type != 'cpu':
            return flag
        found = flag.float()
        all_reduce(found, op='max')
        return bool(found)

    # --- the chain, seen from A ---

    def previous(self, record):
        """The record of the stage whose encoder trains this one's; ``None`` where the task's loss does."""

    def pass_on(self, record, adjoint, adjoints):
        """Adds what a stage's step passes to others besides by its losses: nothing.

        Args:
            adjoint (Tensor): bar W~ of the stage, [D].
            adjoints (Adjoints): of the stages before it.
        """

    def join_adjoints(self, adjoints):
        """Called with the validation losses' adjoints before the sweep."""

    def second_pass_views(self, record):
        """The augmented images that a stage's second pass needs; ``None`` without any."""

    def encoder(self, stage, importance):
        """``g(V, A, k, m)``, or the stored W_k^(m): [D]."""
        return self.encoder_weights.generate(*self.encoder_index(stage), importance)

    def generate(self, record, importance):
        """``g(V, A, k, m)`` at the V that the stage was made with, [D]."""
        if record.source is None:
            return self.encoder(record.stage, importance)
        arguments = (*self.encoder_index(record.stage), importance)
        return functional_call(self.encoder_weights, record.source, arguments)

    @torch.no_grad()
    def encoder_before(self, record):
        """W of a stage, [D], as it was before its step."""
        return self.generate(record, self.importance).detach()

    def head_before(self, record):
        """The trained parameters of a stage's head as they were before its step."""
        return self.head(record.stage).trained() if record.head_source is None else record.head_source

    def virtual_decay(self, record, adjoint):
        """The adjoint of W~'s own W in ``W~ = W - eta (... + decay W)``."""
        return adjoint * (1 - record.encoder_rate * record.decay) if record.decay else adjoint

    def importance_pullback(self, record, adjoint):
        """``<bar W, dg(V, A, k, m)/dA>``, [n_A]: the path through the hypernetwork; 0 for stored weights."""
        importance = self.importance.detach().requires_grad_()
        generated = self.generate(record, importance)
        if not generated.requires_grad:  # stored weights
            return torch.zeros_like(importance)
        found, = torch.autograd.grad(generated, importance, adjoint, allow_unused=True, materialize_grads=True)
        return found

    def validation_loss(self, record, gates, encoder, head, data):
        """L_k^val(A, W~_k^(M), H~_k^(M)) of Eq. 6."""
        return self.task_loss(record.stage, gates, encoder, head, data, FOR_VALIDATION)[0]

    def validation_factor(self, record, loss):
        """What a task's validation loss is multiplied by in Lbar^val, a constant; takes note of the loss.

        Args:
            loss (Tensor): its mean over the ranks.
        """
        self.reduce_finite(self.where(record.stage), {'the validation loss': [loss]})
        self.loss_scale.update(record.stage.task, loss)
        return self.loss_scale(record.stage.task, torch.ones_like(loss))

    @float32_products(False)
    def update_architecture(self, batches, optim_wrapper):
        """A's step (Eq. 30) on one raw batch a task, ``arch_steps`` times.

        Returns:
            dict[str, Tensor]: the tasks' validation losses before the first step.
        """
        data = {name: self.preprocess(name, batch, FOR_VALIDATION, index)
                for index, (name, batch) in enumerate(batches.items())}
        alphas = self.architecture.named_alphas()
        figures = None
        for index in range(self.arch_steps):
            if index:
                self.refresh_gates()
                self.run_chain_again(optim_wrapper)
            gradient, found = self.architecture_gradient(data)
            self.ledger.note(f"iteration {self.iteration + 1}, the architecture's step",
                             {f'the gradient of {name}': [part] for name, part in gradient.items()})
            self.settle()
            figures = figures or found
            before = {name: alpha.detach().clone() for name, alpha in alphas.items()}
            for name, alpha in alphas.items():
                alpha.grad = gradient[name]
            step(optim_wrapper['architecture'])
            self.space.after_architecture_step(before, alphas, self.draw)
        return figures

    def architecture_gradient(self, data):
        """(gradient by group of A, figures) of Eq. 30, the same on all ranks."""
        self.settle()
        if self.hypergradient == 'exact':
            for record in self.records[-len(self.order):]:
                if record.stage.task not in self._checked:
                    check_task(self, record)
                    self._checked.add(record.stage.task)
        gradient, figures = hypergradient(self, data, self.hypergradient)
        self.reduce(list(gradient.values()))
        alphas = self.architecture.named_alphas()
        loss = self.space.architecture_loss(alphas)
        if loss is not None:
            own = torch.autograd.grad(loss, list(alphas.values()), allow_unused=True, materialize_grads=True)
            gradient = {name: gradient[name] + part for name, part in zip(alphas, own, strict=True)}
            figures = {**figures, 'architecture/loss': loss.detach()}
        return gradient, figures

    def run_chain_again(self, optim_wrapper):
        """The one-step updates at the present A, on the batches of this iteration; no optimiser sees them."""
        old, self.records = self.records, []
        for record in old:
            again, *_ = self.run_stage(record.stage, record.data, record.examples, self.encoder_before(record),
                                       optim_wrapper, train=False, parameters=record.head_source)
            again.source, again.head_source = record.source, record.head_source
            self.records.append(again)
            self.after_stage_again(again, optim_wrapper)

    def after_stage_again(self, record, optim_wrapper):
        """As :meth:`after_stage`, where no optimiser sees the stage."""

    def transfer_figures(self):
        """Figures of a knowledge transfer to log: none without one."""
        return {}


def running_statistics(head):
    """The running means and variances of a head's normalisation layers, which forward passes change in place."""
    layers = [module for module in head.modules() if isinstance(module, _NormBase) and module.running_mean is not None]
    return [statistics for layer in layers for statistics in (layer.running_mean, layer.running_var)]


def step(optim_wrapper):
    optim_wrapper.step()
    optim_wrapper.zero_grad()
