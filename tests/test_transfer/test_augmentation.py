"""Views against kornia's own application of the same augmentations, and what they cost on a device."""
import copy
import logging

import kornia.augmentation
import pytest
import torch
from torch import nn

from helpers.device_calls import DeviceCalls
from helpers.host_reads import no_host_reads
from imtnas_mm.transfer import MMDTransfer
from imtnas_mm.transfer.augmentation import DEFAULT_AUGMENTATIONS, augmentation_sets, build_augmentations

CROP, FLIP, ROTATION, COLOR = DEFAULT_AUGMENTATIONS
ERASING = dict(type='RandomErasing', p=.8)
STRONG = dict(type='ColorJiggle', brightness=.9, contrast=.9, saturation=.9, hue=.5)
# float32 rounding of kornia's conversions to HSV and back; the others round a few times per pixel
TOLERANCE = {torch.float32: 4e-6, torch.float64: 1e-13}


def kornia_chain(configs, size, dtype):
    steps = []
    for config in configs:
        options = dict(config)
        cls = getattr(kornia.augmentation, options.pop('type'))
        if cls is kornia.augmentation.RandomResizedCrop:
            options.setdefault('size', (size, size))
        steps.append(cls(**options))
    return nn.Sequential(*steps).to(dtype)


def both(configs, images, size, seed):
    """Our views and kornia's of one seed, which leave the host's generator in one state."""
    actual, after = [], []
    for chain in (build_augmentations(configs, size), kornia_chain(configs, size, images.dtype)):
        torch.manual_seed(seed)
        actual.append(chain(images))
        after.append(torch.get_rng_state())
    assert torch.equal(*after)
    assert actual[0].shape == actual[1].shape and actual[0].dtype == actual[1].dtype and actual[0].is_contiguous()
    return actual


@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
@pytest.mark.parametrize('shape, size', [
    ((24, 32, 32), 32), ((6, 224, 224), 112), ((8, 64, 90), 32), ((4, 20, 20), 112)], ids=str)
def test_default_chain(shape, size, dtype):
    images = torch.rand(shape[0], 3, *shape[1:], dtype=dtype)
    for seed in range(4):
        torch.testing.assert_close(*both(DEFAULT_AUGMENTATIONS, images, size, seed), rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
@pytest.mark.parametrize('configs', [
    [dict(CROP, align_corners=False)],
    [dict(CROP, size=(1, 7))],
    [dict(CROP, size=(22, 30), scale=(1., 1.), ratio=(1., 1.)), dict(CROP, scale=(.01, .02))],
    [dict(CROP, scale=(.05, 2.), ratio=(.2, 5.), same_on_batch=True)],
    [dict(ROTATION, degrees=(30., 180.), align_corners=False, p=.3)],
    [dict(ROTATION, resample='nearest', p=1.)],
    [dict(ROTATION, p=0.)],
    [STRONG],
    [dict(STRONG, p=.4)],
    [dict(type='ColorJiggle', saturation=(2., 3.))],
    [dict(type='ColorJiggle', contrast=.5, hue=(.5, .5))],
    [dict(type='ColorJiggle')],
    [COLOR, ROTATION, FLIP, CROP, FLIP],
    [CROP, ERASING, FLIP, ROTATION, dict(type='RandomGaussianBlur', kernel_size=(3, 3), sigma=(.1, 2.)), COLOR],
    [dict(STRONG, order=[3, 0])],
    [dict(CROP, cropping_mode='resample')],
    [dict(CROP, resample='nearest')],
], ids=str)
def test_options(configs, dtype):
    images = torch.rand(20, 3, 22, 30, dtype=dtype)
    for seed in range(5):
        torch.testing.assert_close(*both(configs, images, 16, seed), rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize('config', [FLIP, dict(FLIP, p=1.), dict(FLIP, p=0.), ROTATION, dict(ROTATION, p=1.)], ids=str)
def test_flips_and_rotations_keep_kornias_bits(config):
    images = torch.rand(20, 3, 22, 30)
    for seed in range(5):
        actual, expected = both([config], images, 16, seed)
        assert torch.equal(actual, expected)


def test_colours_at_the_edges_of_the_cube():
    """Black, white, gray and the pure colours, whose hue or saturation is undefined or jumps."""
    levels = torch.tensor([0., 1e-9, .25, .5, 1.], dtype=torch.float64)
    images = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 5, 25).repeat(8, 1, 1, 1)
    for seed in range(12):
        torch.testing.assert_close(*both([STRONG], images, 16, seed), rtol=0, atol=1e-12)
    gray = torch.rand(8, 1, 6, 6).expand(8, 3, 6, 6)
    views = build_augmentations([dict(STRONG, brightness=0., contrast=0.)], 16)(gray)
    torch.testing.assert_close(views, gray.contiguous(), rtol=0, atol=1e-6)


def test_float32_is_as_near_to_float64_as_kornia_is():
    images = torch.rand(20, 3, 32, 32)
    errors = []
    for chain in (build_augmentations([STRONG], 32), kornia_chain([STRONG], 32, torch.float32)):
        torch.manual_seed(0)
        views = chain(images)
        if not errors:  # the same factors in float64: drawn in float32
            exact = copy.deepcopy(kornia_chain([STRONG], 32, torch.float32))
            torch.manual_seed(0)
            exact = exact(images.double())
        errors.append((views.double() - exact).abs().mean().item())
    assert errors[0] <= errors[1] < 1e-6


def test_views_come_set_by_set():
    images = torch.rand(3, 3, 8, 8)
    views = augmentation_sets(images, 4, build_augmentations([], 8))
    assert torch.equal(views, torch.cat([images[i:i + 1].expand(4, -1, -1, -1) for i in range(3)]))


def test_autocast_changes_nothing():
    images, augmentations = torch.rand(6, 3, 16, 16), build_augmentations(DEFAULT_AUGMENTATIONS, 16)
    torch.manual_seed(0)
    expected = augmentations(images)
    torch.manual_seed(0)
    with torch.autocast('cpu', torch.bfloat16):
        actual = augmentations(images)
    assert torch.equal(actual, expected)


def test_half_precision_is_refused():
    with pytest.raises(TypeError, match='torch.bfloat16 cannot be augmented: convert them to float32'):
        build_augmentations([FLIP], 16)(torch.rand(2, 3, 8, 8).bfloat16())


def device_calls(configs, images, size):
    """The second call's: constants have been made by then."""
    augmentations = build_augmentations(configs, size)
    augmentations(images)
    with DeviceCalls() as calls:
        views = augmentations(images)
    assert views.device == images.device and views.shape == (len(images), 3, size, size)
    return calls


@pytest.mark.parametrize('number, pixels, size', [(1, 32, 32), (400, 32, 32), (40, 64, 112)])
def test_default_chain_on_a_device(number, pixels, size):
    """One copy of all random numbers to the device, no read from it, few operations whatever the number of images."""
    images = torch.rand(number, 3, pixels, pixels).to('meta')
    for seed in range(3):  # the order of the colour steps does not matter
        torch.manual_seed(seed)
        calls = device_calls(DEFAULT_AUGMENTATIONS, images, size)
        assert len(calls.copied) == 1
        assert len(calls.computed) <= 56, calls.computed


def test_no_host_reads_but_of_the_colour_steps_order():
    augmentations = build_augmentations(DEFAULT_AUGMENTATIONS, 16)
    with no_host_reads(allowed=['color_jiggle']):  # reads what was drawn on the host
        augmentations(torch.rand(5, 3, 20, 20))


def test_a_device_gets_the_numbers_that_the_host_draws():
    states = []
    for device in ('cpu', 'meta'):
        augmentations = build_augmentations(DEFAULT_AUGMENTATIONS, 16)
        torch.manual_seed(3)
        augmentations(torch.rand(5, 3, 20, 20).to(device))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_a_chain_follows_the_images_to_another_dtype():
    """What kornia applies itself, too, and back again."""
    used, images = build_augmentations([CROP, ERASING], 16), torch.rand(6, 3, 16, 16, dtype=torch.float64)
    for dtype in (torch.float32, torch.float64, torch.float32):
        actual = []
        for augmentations in (used, build_augmentations([CROP, ERASING], 16)):
            torch.manual_seed(0)
            actual.append(augmentations(images.to(dtype)))
        assert actual[0].dtype == dtype and torch.equal(*actual)


def test_a_log_line_for_each_augmentation_that_kornia_applies(monkeypatch):
    actual = []
    monkeypatch.setattr('imtnas_mm.transfer.augmentation.print_log',
                        lambda text, level, **_: actual.append((level, text)))
    build_augmentations(DEFAULT_AUGMENTATIONS, 16)
    assert not actual
    build_augmentations([CROP, ERASING, dict(STRONG, order=[0, 1])], 16)
    assert [level for level, _ in actual] == [logging.WARNING] * 2
    assert 'transfer.augmentations[1] (RandomErasing(' in actual[0][1] and 'applied by kornia itself' in actual[0][1]
    assert 'transfer.augmentations[2] (ColorJiggle(' in actual[1][1]


def test_a_model_neither_stores_nor_moves_them():
    transfer = MMDTransfer(num_examples=2, num_augmentations=2, image_size=8)
    copied = copy.deepcopy(transfer).double()
    assert not copied.state_dict() and not list(copied.modules())[1:]
    images = torch.rand(2, 3, 8, 8)
    torch.manual_seed(0)
    expected = transfer.views(images)
    torch.manual_seed(0)
    assert torch.equal(copied.views(images), expected)


@pytest.mark.parametrize('pixels, size', [(32, 32), (64, 112)])
def test_a_gpu_makes_the_views_that_a_cpu_makes(pixels, size, real_gpu):
    """And the host never waits for it once the constants are there."""
    images, augmentations = torch.rand(40, 3, pixels, pixels), build_augmentations(DEFAULT_AUGMENTATIONS, size)
    on_gpu = images.to(real_gpu)
    augmentations(on_gpu)
    for seed in range(4):
        torch.manual_seed(seed)
        expected = augmentations(images)
        augmentations.prepare(on_gpu.device, on_gpu.dtype)
        torch.manual_seed(seed)
        torch.cuda.set_sync_debug_mode('error')
        try:
            actual = augmentations(on_gpu)
        finally:
            torch.cuda.set_sync_debug_mode('default')
        torch.testing.assert_close(actual.cpu(), expected, rtol=0, atol=1e-4)
