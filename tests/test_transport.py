"""Tensors between the host and a device by one copy, on the pretended device or a GPU."""
import torch

from imtnas_mm.transport import tensors_of, to_device, to_host, with_tensors


def test_to_host_and_back(device):
    there = dict(a=torch.arange(6.).view(2, 3), b=torch.tensor(7.), c=torch.zeros(0))
    moved = dict(zip(there, to_device(list(there.values()), device), strict=True))
    assert all(tensor.device.type == torch.device(device).type for tensor in moved.values())
    back = to_host(moved)
    assert list(back) == list(there)
    for name, tensor in there.items():
        assert torch.equal(back[name], tensor) and back[name].device.type == 'cpu'
    assert to_host({}) == {}


def test_a_batch_with_other_tensors():
    data = dict(inputs=torch.ones(2), rest=[torch.zeros(1), 'name', (torch.tensor(3), )])
    actual = with_tensors(data, iter([x + 1 for x in tensors_of(data)]))
    assert actual['inputs'].tolist() == [2, 2] and actual['rest'][0].tolist() == [1] and actual['rest'][1] == 'name'
    assert actual['rest'][2][0].item() == 4 and data['inputs'].tolist() == [1, 1]
