"""A transfer alone teaches: by T, a student learns which sets of images its teacher tells apart."""
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

from imtnas_mm.transfer import Encoder, MMDTransfer

SETS, SIZE = 12, 8


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.Tanh(), nn.Linear(32, 16))


def encoder(net):
    return Encoder(None, net)


@pytest.fixture(scope='module')
def digits():
    """Handwritten digits, [N, 3, 8, 8], and their classes: for training, and held out."""
    data = load_digits()
    images = torch.tensor(data.images[:, None] / 16, dtype=torch.float32).repeat(1, 3, 1, 1)
    classes = torch.tensor(data.target)
    return (images[:1000], classes[:1000]), (images[1000:], classes[1000:])


@pytest.fixture(scope='module')
def teacher(digits):
    """A network trained to tell the digits apart."""
    torch.manual_seed(0)
    net, head, (images, classes) = network(), nn.Linear(16, 10), digits[0]
    optimiser = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=.01)
    for _ in range(100):
        F.cross_entropy(head(net(images)), classes).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert (head(net(digits[1][0])).argmax(1) == digits[1][1]).double().mean() > .85
    return encoder(net.requires_grad_(False))


def draw(transfer, images):
    return transfer.views(images[torch.randperm(len(images))[:SETS]])


def disagreement(transfer, teacher, student, images):
    """The share of pairs of sets on which student and teacher disagree, over 20 draws of sets."""
    torch.manual_seed(1)
    with torch.no_grad():
        batches = [draw(transfer, images) for _ in range(20)]
        return torch.stack([
            transfer.student_side(student, views, transfer.teacher_side(teacher, views)).figures['active']
            for views in batches]).mean().item()


def taught(transfer, teacher, images, shuffled):
    """A student before, and after 150 steps by T alone; ``shuffled`` gives each pair the statistic of another pair."""
    torch.manual_seed(2)
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        views = draw(transfer, images)
        teaching = transfer.teacher_side(teacher, views)
        if shuffled:
            teaching = teaching[torch.randperm(len(teaching))]
        transfer.student_side(encoder(net), views, teaching).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return encoder(net)


def test_a_student_learns_from_t_alone_what_its_teacher_tells_apart(digits, teacher):
    (images, _), (held_out, _) = digits
    transfer = MMDTransfer(num_examples=SETS, num_augmentations=SIZE, image_size=8)
    torch.manual_seed(2)
    before = disagreement(transfer, teacher, encoder(network()), held_out)
    after = disagreement(transfer, teacher, taught(transfer, teacher, images, shuffled=False), held_out)
    control = disagreement(transfer, teacher, taught(transfer, teacher, images, shuffled=True), held_out)
    print(before, after, control)
    assert before > .15 and after < .6 * before
    assert control > 1.4 * after
