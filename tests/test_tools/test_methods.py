"""The search methods by ``model.type`` alone, end to end: search, resume, derive."""
import pytest
import tiny_run as tiny
import torch

from imtnas_mm.genotype import load_genotype


@pytest.fixture(scope='module')
def config(data, tmp_path_factory):
    fields = tiny.search_fields(data, rounds=2, max_epochs=2, val_begin=2)
    return tiny.write_config(tmp_path_factory.mktemp('methods') / 'tiny.py', 'imtnas_demo.py', **fields)


@pytest.mark.parametrize('method', ['MTLSAO', 'MTLSWS', 'MTLHWS', 'MinibatchInterleaving', 'RandomSearch'])
def test_a_method_searches_resumes_and_derives(config, tmp_path, method):
    options = [f'model.type={method}']
    whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
    tiny.run('train', config, '--work-dir', whole, options=options)
    assert load_genotype(whole / 'architecture.json').source['method'] == method
    tiny.run('train', config, '--work-dir', resumed, '--resume', whole / 'epoch_1.pth', options=options)
    one, other = (tiny.checkpoint(folder / 'epoch_2.pth')['state_dict'] for folder in (whole, resumed))
    # the loss scale of what never judged A is NaN
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
