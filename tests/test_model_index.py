"""model-index.yml and the metafiles; helpers/model_index.py checks what they say of a config where a test loads it."""
from collections import Counter

from mmpretrain.apis.model import ModelHub

from helpers.model_index import METAFILES, MODELS, ROOT

CONFIGS = {str(path.relative_to(ROOT)) for path in (ROOT / 'configs').rglob('*.py')
           if not {'_base_', 'experiments', 'custom_data'} & set(path.parts)}  # no model, or not without data
COLLECTIONS = {entry['Name']: entry for metafile in METAFILES.values() for entry in metafile.get('Collections', ())}


def test_each_config_is_listed_once():
    assert set(METAFILES) == {str(path.relative_to(ROOT)) for path in (ROOT / 'configs').rglob('metafile.yml')}
    assert Counter(model['Config'] for model in MODELS) == Counter(CONFIGS)
    for name, metafile in METAFILES.items():  # each in the metafile beside it
        assert all(model['Config'].rpartition('/')[0] == name.rpartition('/')[0] for model in metafile['Models'])
    assert [model['Name'] for model in MODELS] == [model['Config'].rpartition('/')[2][:-3] for model in MODELS]
    assert max(Counter(model['Name'] for model in MODELS).values()) == 1


def test_each_model_is_of_a_collection_with_paper_and_code():
    assert {model['In Collection'] for model in MODELS} == set(COLLECTIONS)
    for name, collection in COLLECTIONS.items():
        assert collection['Paper']['Title'], name
        for path in (collection['README'], collection['Code']['URL']):
            assert (ROOT / path).is_file(), (name, path)


def test_it_says_nothing_that_was_not_measured():
    """Weights and results of configs at full scale don't exist."""
    assert not any({'Weights', 'Results'} & set(model) for model in MODELS)


def test_mmpretrain_reads_it(monkeypatch):
    """By its own reader of such files, which `mim` has, too."""
    monkeypatch.setattr(ModelHub, '_models_dict', {})
    ModelHub.register_model_index(ROOT / 'model-index.yml', config_prefix=ROOT)
    assert len(ModelHub._models_dict) == len(CONFIGS)
    model = ModelHub.get('imtnas_digits')
    assert model.config.model.type == 'IMTNAS' and model.in_collection == 'IMTNAS'
    assert model.full_model.data['Paper']['Title'] == 'Interleaving Multi-Task Neural Architecture Search'
