"""Interleaving multi-task architecture search, the paper's method (Sec. 3, Algorithm 2)."""
import torch
from mmengine.dist import all_reduce_params, get_rank

from ..random_state import isolated_random
from ..registry import MODELS
from ..transfer import Encoder
from .base import FOR_LOSS, FOR_VALIDATION, FOR_VIEWS, SearchAlgorithm
from .chain import StageRecord, gradients, virtual_head_step, virtual_step
from .hypergradient import first_order
from .loss_scale import LossScale

HYPERGRADIENTS = {'first_order': first_order}
HYPERNETWORK_STEPS = ('iteration', 'stage')


@MODELS.register_module()
class IMTNAS(SearchAlgorithm):
    """K tasks learned in an interleaved loop of M rounds, then A from all validation losses.

    One iteration is Algorithm 2: :meth:`train_stage` for every stage in order,
    :meth:`update_architecture`, :meth:`step_weights`. Gradients of the weights
    are taken with ``torch.autograd.grad`` and handed to their optimisers, A's
    likewise to its own: they never meet in one ``.grad``.

    Args:
        transfer (dict, optional): config of the knowledge transfer; ``None``
            switches it off (the paper's C = 0).
        encoder_task_weight (float): share of the task loss in the encoder's
            update after the first stage; 0 is Eq. 4 (reading 2).
        hypernetwork_step (str): ``iteration`` steps the encoder weights once,
            on the sum of the stages' gradients; ``stage`` after each
            (reading 11).
        hypergradient (str): ``first_order`` drops the chain.
        virtual_rates (dict, optional): ``encoder`` and ``head``, the rates of
            the one-step approximations (eta_w, eta_h); each is the present
            learning rate of that optimiser where it isn't given.
        loss_normalization (str): of the validation losses (reading 6).
        amp (bool): weight stages in bfloat16 autocast; A's step never is.
    """

    def __init__(self,
                 search_space,
                 tasks,
                 encoder_weights,
                 rounds,
                 order,
                 transfer=None,
                 encoder_task_weight=0.,
                 hypernetwork_step='iteration',
                 hypergradient='first_order',
                 virtual_rates=None,
                 loss_normalization='running_mean',
                 amp=False,
                 architecture=None,
                 seed=0):
        super().__init__(search_space, tasks, encoder_weights, rounds, order, architecture, seed)
        if encoder_task_weight < 0:
            raise ValueError(f'encoder_task_weight={encoder_task_weight} must not be negative')
        if hypernetwork_step not in HYPERNETWORK_STEPS:
            raise ValueError(f'hypernetwork_step={hypernetwork_step!r} is not one of {HYPERNETWORK_STEPS}')
        if hypergradient not in HYPERGRADIENTS:
            raise ValueError(f'hypergradient={hypergradient!r} is not one of {sorted(HYPERGRADIENTS)}')
        unknown = set(virtual_rates or {}) - {'encoder', 'head'}
        if unknown:
            raise ValueError(f'virtual_rates has {sorted(unknown)}; it takes encoder and head')
        self.transfer = MODELS.build(transfer) if transfer is not None else None
        self.encoder_task_weight = encoder_task_weight
        self.hypernetwork_step = hypernetwork_step
        self.hypergradient = hypergradient
        self.virtual_rates = dict(virtual_rates or {})
        self.loss_scale = LossScale(self.order, loss_normalization)
        self.amp = amp
        self.records = []

    # --- the losses of a stage, as functions of everything they depend on --------------------------------------------

    def task_loss(self, stage, gates, encoder, head, data, purpose=FOR_LOSS):
        """L_k(A, W, H, D): see :meth:`Task.loss`. The same stage of the same iteration draws the same numbers."""
        with isolated_random(self.seed, purpose, self.iteration, stage.index, get_rank()):
            return self.tasks[stage.task].loss(encoder, gates, head, data)

    def encoder_of(self, stage, gates, weights):
        """The encoder W of a stage's task at A, as a transfer sees it."""
        task = self.tasks[stage.task]
        return Encoder(weights, lambda images: task.embed(weights, gates, images))

    def transfer_views(self, stage, previous, examples):
        """The augmented images of a stage (paper 3.1.2): half from the previous task's examples, half from its own."""
        size = self.transfer.image_size
        images = torch.cat([
            self.tasks[previous.task].examples(examples[0], size),
            self.tasks[stage.task].examples(examples[1], size)
        ])
        with isolated_random(self.seed, FOR_VIEWS, self.iteration, stage.index, get_rank()):
            return self.transfer.views(images)

    # --- the weight stages -------------------------------------------------------------------------------------------

    def start_iteration(self, iteration):
        super().start_iteration(iteration)
        self.records = []

    def rates(self, optim_wrapper):
        """eta_w and eta_h of the one-step approximations."""
        return {
            name: self.virtual_rates.get(name, optim_wrapper[name].param_groups[0]['lr'])
            for name in ('encoder', 'head')
        }

    def train_stage(self, stage, batch, optim_wrapper):
        """One stage: its gradients go to the optimisers, its one-step update to the next stage.

        Args:
            stage (Stage): the stage after the last one trained.
            batch (dict): ``train``, a raw batch of D_k^tr, and ``examples``, two
                lists of raw images (previous task's, own), absent where nothing
                is transferred.
            optim_wrapper (OptimWrapperDict): ``encoder``, ``head``, ``architecture``.

        Returns:
            dict[str, Tensor]: figures to log, named by the stage.
        """
        generated = self.encoder_weights.generate(stage.task_index, stage.round, self.importance)
        rates = self.rates(optim_wrapper)
        record, encoder_gradient, head_gradient = self.run_stage(stage, batch, generated.detach(), rates)
        torch.autograd.backward(generated, encoder_gradient)
        for name, parameter in self.head(stage).named_parameters():
            parameter.grad = head_gradient[name]
        self.records.append(record)
        if self.hypernetwork_step == 'stage':
            step(optim_wrapper['encoder'])
        return {f'{stage.name}/{name}': value for name, value in record.figures.items()}

    def run_stage(self, stage, batch, encoder, rates):
        """The one-step updates of a stage (Eq. 27-29) and the gradients they were made with.

        Returns:
            (StageRecord, Tensor [D], dict[str, Tensor])
        """
        task = self.tasks[stage.task]
        data = task.preprocess(batch['train'], True)
        head = self.head(stage)
        parameters = dict(head.named_parameters())
        encoder = encoder.requires_grad_()
        previous = self.records[stage.index - 1] if stage.index else None
        record = StageRecord(stage, data, None, None, rates['encoder'], rates['head'])
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=self.amp):
            if previous is None:
                loss, figures = self.task_loss(stage, self.gates, encoder, head.tensors(), data)
                encoder_gradient, *head_gradient = gradients(loss, [encoder, *parameters.values()])
                reduce([encoder_gradient, *head_gradient])
                record.virtual_encoder = virtual_step(encoder.detach(), encoder_gradient, rates['encoder'])
            else:
                objective = self.encoder_objective(stage, previous, encoder, batch, record)
                encoder_gradient, = gradients(objective, [encoder]) if record.active else [torch.zeros_like(encoder)]
                reduce([encoder_gradient])
                record.virtual_encoder = virtual_step(encoder.detach(), encoder_gradient, rates['encoder'])
                loss, figures = self.task_loss(stage, self.gates, record.virtual_encoder, head.tensors(), data)
                head_gradient = gradients(loss, list(parameters.values()))
                reduce(head_gradient)
        head_gradient = dict(zip(parameters, head_gradient, strict=True))
        if stage.round == self.rounds - 1:
            record.virtual_head = {
                **virtual_head_step({n: p.detach() for n, p in parameters.items()}, head_gradient, rates['head']),
                **copies(head.named_buffers())
            }
        record.figures.update({name: value.detach() for name, value in figures.items()})
        return record, encoder_gradient, head_gradient

    def encoder_objective(self, stage, previous, encoder, batch, record):
        """What trains the encoder after the first stage: Eq. 4, plus a share of the task loss by reading 2."""
        objective = encoder.new_zeros(())
        record.active = False
        if self.transfer is not None:
            record.views = self.transfer_views(stage, previous.stage, batch['examples'])
            with torch.no_grad():
                teaching = self.transfer.teacher_side(
                    self.encoder_of(previous.stage, self.gates, previous.virtual_encoder), record.views)
            loss, figures = self.transfer.student_side(
                self.encoder_of(stage, self.gates, encoder), record.views, teaching)
            objective = objective + loss
            record.active = bool(loss.detach() != 0)
            record.figures.update({'transfer_loss': loss.detach(), **{f'transfer_{n}': v for n, v in figures.items()}})
        if self.encoder_task_weight:
            head = self.head(stage)
            values = {**dict(head.named_parameters()), **copies(head.named_buffers())}
            loss, _ = self.task_loss(stage, self.gates, encoder, values, record.data)
            objective = objective + self.encoder_task_weight * loss
            record.active = True
        return objective

    def step_weights(self, optim_wrapper):
        """The optimisers' steps on what the stages of this iteration gave."""
        if self.hypernetwork_step == 'iteration':
            step(optim_wrapper['encoder'])
        step(optim_wrapper['head'])

    # --- the architecture --------------------------------------------------------------------------------------------

    def validation_loss(self, record, gates, encoder, head, data):
        """Lbar_k^val(A, W~_k^(M), H~_k^(M)) of Eq. 6, on the common scale."""
        loss, _ = self.task_loss(record.stage, gates, encoder, head, data, FOR_VALIDATION)
        self.loss_scale.update(record.stage.task, reduce([loss.detach().clone()])[0])
        return self.loss_scale(record.stage.task, loss), loss.detach()

    def update_architecture(self, batches, optim_wrapper):
        """A's step (Eq. 30) on one raw batch of D_k^val a task.

        Returns:
            dict[str, Tensor]: the tasks' validation losses.
        """
        data = {name: self.tasks[name].preprocess(batch, True) for name, batch in batches.items()}
        gradient, figures = HYPERGRADIENTS[self.hypergradient](self, data)
        reduce(list(gradient.values()))
        alphas = self.architecture.named_alphas()
        before = {name: alpha.detach().clone() for name, alpha in alphas.items()}
        for name, alpha in alphas.items():
            alpha.grad = gradient[name]
        step(optim_wrapper['architecture'])
        self.space.after_architecture_step(before, alphas, self.draw)
        return figures

    def transfer_figures(self):
        """Means over the stages: what share of pairs the hinge was active for, and the teacher told apart."""
        found = {}
        for name in ('active', 'different'):
            values = [r.figures[f'transfer_{name}'] for r in self.records if f'transfer_{name}' in r.figures]
            if values:
                found[f'transfer/{name}'] = torch.stack(values).mean()
        return found


def copies(named):
    return {name: tensor.detach().clone() for name, tensor in named}


def reduce(tensors):
    """Their means over the ranks, in place: functional weights bypass the hooks of DistributedDataParallel."""
    all_reduce_params(tensors, op='mean')
    return tensors


def step(optim_wrapper):
    optim_wrapper.step()
    optim_wrapper.zero_grad()
