"""A checkpoint that would run code: unpickled, it makes the folder ``ran``."""
import os

import torch


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
