"""Each process's own buffers in a checkpoint, and what a resumed run makes of them."""
from types import SimpleNamespace

import torch
from mmengine.dist import get_rank
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, MMDistributedDataParallel

from helpers import ranks
from imtnas_mm.engine.hooks import rank_buffers
from imtnas_mm.engine.hooks.rank_buffers import RANK_BUFFERS, rank_buffers_kept, restore_rank_buffers


class Net(BaseModel):

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(2)

    def forward(self, x):
        return self.norm(x)


def runner_of(name, value, hooks=()):
    """As much of a runner as the buffers need."""
    runner = SimpleNamespace(model=MMDistributedDataParallel(Net()), hooks=list(hooks),
                             message_hub=MessageHub.get_instance(name), _load_from='epoch_1.pth')
    runner.model.module.norm.running_mean.fill_(value)  # after wrapping, which makes them alike
    for hook in hooks:
        hook.before_run(runner)
    return runner


def job(function):
    def main():
        torch.distributed.init_process_group('gloo')
        function(get_rank())
        torch.distributed.barrier()
    return main


def test_every_process_takes_its_own_back(tmp_path):
    def main(rank):
        runner = runner_of('saved', rank + 1., [EMAHook()])
        runner.hooks[0].ema_model.module.norm.running_var.fill_(rank + 5.)
        with rank_buffers_kept(runner):
            saved = runner.message_hub.state_dict()
        resumed = runner_of('resumed', 9., [EMAHook()])
        resumed.message_hub.load_state_dict(saved)
        restore_rank_buffers(resumed)
        assert resumed.model.module.norm.running_mean.tolist() == [rank + 1.] * 2
        assert resumed.hooks[0].ema_model.module.norm.running_var.tolist() == [rank + 5.] * 2
    ranks.run(2, tmp_path, job(main))


def test_no_later_checkpoint_has_them(tmp_path):
    """One that another hook writes, or one process alone, has the buffers of its own moment in the model."""
    def main(rank):
        runner = runner_of('saved', rank)
        with rank_buffers_kept(runner):
            saved = runner.message_hub.state_dict()
        assert runner.message_hub.get_info(RANK_BUFFERS) is None
        resumed = runner_of('resumed', 9.)
        resumed.message_hub.load_state_dict(saved)
        restore_rank_buffers(resumed)
        assert resumed.message_hub.get_info(RANK_BUFFERS) is None
    ranks.run(2, tmp_path, job(main))


def test_of_another_number_of_processes(tmp_path):
    def main(rank):
        said = []
        rank_buffers.print_log = lambda text, *_: said.append(text)
        runner = runner_of('resumed', 9.)
        runner.message_hub.update_info(RANK_BUFFERS, [{'model.norm.running_mean': torch.zeros(2)}])
        restore_rank_buffers(runner)
        assert runner.model.module.norm.running_mean.tolist() == [9., 9.]
        assert said == ['epoch_1.pth: its training had 1 processes, here they are 2; all go on with the running '
                        'statistics of its first']
    ranks.run(2, tmp_path, job(main))
