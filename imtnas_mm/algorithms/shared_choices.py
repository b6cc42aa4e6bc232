"""What the tasks' networks share as one more choice of a search, beside the operations of its space."""
from dataclasses import replace


class SharedChoices:
    """A search space with one more group of A, which says what the tasks share.

    What isn't here is the space's own. A subclass sets ``group``, and
    implements ``group_shape``, ``group_importance`` and ``sharing``.

    Args:
        space (SearchSpace): of the operations.
        tasks (tuple[str]): K names.
    """
    group = None  # its name in A

    def __init__(self, space, tasks):
        self.space, self.tasks = space, tuple(tasks)
        self.progress = None

    def __getattr__(self, name):
        if name.startswith('__') or name == 'space':
            raise AttributeError(name)
        return getattr(self.space, name)

    def operations(self, alphas):
        """A without the group."""
        return {name: alpha for name, alpha in alphas.items() if name != self.group}

    def group_shape(self):
        raise NotImplementedError

    def group_importance(self, logits):
        """What the group's logits become in the importance vector, shaped as they are."""
        raise NotImplementedError

    def group_loss(self, logits):
        """What the group adds to A's loss, a scalar; ``None`` for nothing."""

    def sharing(self, logits):
        """The ``sharing`` of the genotype."""
        raise NotImplementedError

    def alpha_shapes(self):
        return {**self.space.alpha_shapes(), self.group: self.group_shape()}

    def set_progress(self, progress):
        self.progress = progress
        self.space.set_progress(progress)

    @property
    def warming_up(self):
        return self.progress is not None and self.progress.epoch < self.progress.warmup_epochs

    @property
    def fraction(self):
        return 0. if self.progress is None else self.progress.fraction

    def draw(self, alphas, generator):
        return self.space.draw(self.operations(alphas), generator)

    def importance(self, alphas):
        return {**self.space.importance(self.operations(alphas)), self.group: self.group_importance(alphas[self.group])}

    def gate_tensors(self, alphas, draw):
        return self.space.gate_tensors(self.operations(alphas), draw)

    def evaluation_gates(self, alphas):
        return self.space.evaluation_gates(self.operations(alphas))

    def entropy(self, alphas):
        return self.space.entropy(self.operations(alphas))

    def architecture_loss(self, alphas):
        parts = self.space.architecture_loss(self.operations(alphas)), self.group_loss(alphas[self.group])
        parts = [part for part in parts if part is not None]
        return sum(parts) if parts else None

    def after_architecture_step(self, before, alphas, draw):
        self.space.after_architecture_step(self.operations(before), self.operations(alphas), draw)

    def derive(self, alphas):
        return replace(self.space.derive(self.operations(alphas)), sharing=self.sharing(alphas[self.group]))


class SharedChoicesSearch:
    """What the algorithms do that search over :class:`SharedChoices`; it goes before their other base."""
    _choices = None

    def build_choices(self):
        """The :class:`SharedChoices`, once the tasks are built."""
        raise NotImplementedError

    @property
    def space(self):
        if self._choices is None:
            self._choices = self.build_choices()
        return self._choices

    def _tell_spaces(self, progress):
        super()._tell_spaces(progress)
        self.space.set_progress(progress)
