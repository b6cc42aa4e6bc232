"""Loops of mmengine's Runner: search, joint training, retraining, and their evaluation."""
from .evaluation_loop import JointTestLoop, JointValLoop, SearchTestLoop, SearchValLoop
from .joint_loop import JointTrainLoop
from .retrain_loop import RetrainLoop
from .search_loop import InterleavedSearchLoop

__all__ = [
    'InterleavedSearchLoop', 'JointTestLoop', 'JointTrainLoop', 'JointValLoop', 'RetrainLoop', 'SearchTestLoop',
    'SearchValLoop'
]
