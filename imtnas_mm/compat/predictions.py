"""Undocumented methods by which mmdet's and mmpretrain's heads make predictions of their outputs."""
from typing import Any

from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmpretrain.models.heads import ClsHead


def decodes_plainly(head: Any) -> bool:
    """Whether a head of mmdet makes boxes of its outputs by the rules of BaseDenseHead."""
    return isinstance(head, BaseDenseHead) and all(
        getattr(type(head), name) is getattr(BaseDenseHead, name)
        for name in ('predict_by_feat', '_predict_by_feat_single', '_bbox_post_process'))


def gives_softmax(head: Any) -> bool:
    """Whether the scores of a head of mmpretrain are the softmax of its outputs."""
    return isinstance(head, ClsHead) and type(head)._get_predictions is ClsHead._get_predictions
