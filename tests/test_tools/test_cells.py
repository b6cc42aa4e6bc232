"""Retraining of a cell architecture on CIFAR, by the configs in configs/retrain/ at a test's scale."""
import pytest

from helpers import tiny_run as tiny
from helpers.cifar_files import write_cifar
from imtnas_mm.datasets import DataError
from imtnas_mm.genotype import GenotypeError


def small_fields(root, epochs=3):
    files = dict(data_root=str(root), check_md5=False)
    loader = dict(batch_size=20, num_workers=0, persistent_workers=False, dataset=files)
    return dict(
        model=dict(
            backbone=dict(channels=4, layers=3, norm_cfg=dict(type='BN', momentum=.5)), head=dict(in_channels=64)),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        train_cfg=dict(max_epochs=epochs, val_interval=1),
        param_scheduler=[dict(type='CosineAnnealingLR', T_max=epochs, eta_min=0., by_epoch=True)],
        default_hooks=dict(logger=dict(interval=1)),
        log_processor=dict(window_size=1))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Config and work dir of 3 epochs of 5 iterations on 5 files of 20 images, 2 classes of 10."""
    folder = tmp_path_factory.mktemp('cells')
    write_cifar(folder / 'cifar', classes=2)
    config = tiny.write_config(folder / 'cells.py', 'retrain/cells_cifar10.py', **small_fields(folder / 'cifar'))
    tiny.run('train', config, '--work-dir', folder / 'work', '--architecture', 'pr_darts')
    return config, folder / 'work'


def test_losses_and_drop_path(trained):
    lines = [line for line in tiny.scalars(trained[1]) if 'loss' in line]
    assert len(lines) == 15
    assert [line['drop_path'] for line in lines] == pytest.approx([0.] * 5 + [.2 / 3] * 5 + [.4 / 3] * 5)
    for line in lines:
        assert line['loss'] == pytest.approx(line['loss_cls'] + line['loss_auxiliary'], abs=2e-4)
        assert 0 < line['loss_auxiliary'] < line['loss_cls']
    assert lines[-1]['loss'] < lines[0]['loss']
    assert all(0 <= value <= 100 for value in tiny.logged(trained[1], 'accuracy/top1'))


@pytest.mark.parametrize('options', [(), ('model.head.auxiliary=None', 'model.backbone.auxiliary=False')])
def test_tested_with_and_without_the_auxiliary_classifier(trained, tmp_path, options):
    config, work = trained
    tiny.run('test', config, work / 'epoch_3.pth', '--architecture', 'pr_darts', '--work-dir', tmp_path,
             options=options)
    assert tiny.tested(tmp_path)['accuracy/top1'] == tiny.logged(work, 'accuracy/top1')[-1]


def test_weights_of_another_architecture_are_refused(trained, tmp_path):
    config, work = trained
    with pytest.raises(GenotypeError, match="--architecture pdarts: contradicts the architecture in .*epoch_3.pth, .*"
                                            "space: 'pdarts', there 'prdarts'"):
        tiny.run('test', config, work / 'epoch_3.pth', '--architecture', 'pdarts', '--work-dir', tmp_path)


def test_drop_path_goes_on_after_a_resume(trained, tmp_path):
    config, work = trained
    tiny.run('train', config, '--work-dir', tmp_path, '--architecture', 'pr_darts', '--resume', work / 'epoch_2.pth')
    assert tiny.logged(tmp_path, 'drop_path') == pytest.approx([.4 / 3] * 5)


def test_top5_of_100_classes(tmp_path):
    write_cifar(tmp_path / 'cifar', 'cifar100', number=40, classes=20)
    config = tiny.write_config(tmp_path / 'cells.py', 'retrain/cells_pdarts_cifar100.py',
                               **small_fields(tmp_path / 'cifar', epochs=1))
    tiny.run('train', config, '--work-dir', tmp_path / 'work')
    line = tiny.scalars(tmp_path / 'work')[-1]
    assert 0 <= line['accuracy/top1'] <= line['accuracy/top5'] <= 100


def test_other_files_are_refused(trained, tmp_path):
    config, _ = trained
    with pytest.raises(DataError, match='data_batch_1: its md5 sum is .*set check_md5=False'):
        tiny.run('train', config, '--work-dir', tmp_path, options=['train_dataloader.dataset.check_md5=True'])


def test_drop_path_of_another_network(data, tmp_path):
    config = tiny.write_config(tmp_path / 'classifier.py', None,
                               custom_hooks=[dict(type='imtnas_mm.DropPathHook')], **tiny.retrain_fields(data, 'cls'))
    with pytest.raises(ValueError, match='DropPathHook: no part of ImageClassifier has a drop path'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work')
