"""The default statistic and threshold on photographs (two that scikit-learn ships, cut into crops)."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_images
from torch.func import functional_call

from imtnas_mm.encoders import ParameterLayout, StoredWeights
from imtnas_mm.spaces import MBConvSupernet
from imtnas_mm.transfer import Encoder, MMDTransfer


@pytest.fixture(scope='module')
def crops():
    """12 crops of two photographs, [12, 3, 64, 64]."""
    rng = np.random.default_rng(0)
    photographs = load_sample_images().images
    actual = []
    for i in range(12):
        photograph, size = photographs[i % 2], rng.integers(96, 200)
        y, x = (rng.integers(0, length - size) for length in photograph.shape[:2])
        crop = torch.tensor(photograph[y:y + size, x:x + size].copy()).permute(2, 0, 1)[None].float() / 255
        actual.append(F.interpolate(crop, (64, 64), mode='bilinear', antialias=True))
    return torch.cat(actual)


@pytest.fixture(scope='module')
def encoder():
    """A new encoder with 8x8 features."""
    torch.manual_seed(0)
    space = MBConvSupernet(width_mult=.25, strides=(2, 2, 1, 1, 1, 1), estimator='two_path')
    layout = ParameterLayout.of(space)
    weights = StoredWeights(layout, 2, 2, 127).generate(0, 0, None).detach()
    alphas = {name: torch.zeros(shape) for name, shape in space.alpha_shapes().items()}
    gates = space.gate_tensors(alphas, space.draw(alphas, torch.Generator().manual_seed(0)))

    def embed(images):
        with torch.no_grad():
            return functional_call(space, {**layout.named(weights), **gates}, ((images - .47) / .23, ))[-1].mean((2, 3))

    return Encoder(weights, embed)


def share_different(transfer, encoder, examples):
    views = transfer.views(examples)
    return transfer.student_side(encoder, views, transfer.teacher_side(encoder, views)).figures['different'].item()


@pytest.mark.parametrize('statistic', ['relative', 'studentized', 'scaled'])
def test_unlike_images_are_told_apart_and_views_of_one_are_not(crops, encoder, statistic):
    transfer = MMDTransfer(image_size=64, statistic=statistic)
    assert .1 < share_different(transfer, encoder, crops) < .9
    for image in (crops[0], crops[1]):
        assert share_different(transfer, encoder, image.expand(8, -1, -1, -1)) < .05


def test_plain_statistic_tells_nothing_apart(crops, encoder):
    assert share_different(MMDTransfer(image_size=64, statistic='plain'), encoder, crops) == 0
