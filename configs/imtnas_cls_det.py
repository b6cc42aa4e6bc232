"""The paper's search over two tasks: ImageNet classification and COCO detection (4.3), on 8 GPUs."""
_base_ = [
    '_base_/search_runtime.py', '_base_/models/imtnas_mbconv_cls_det.py', '_base_/datasets/imagenet_coco_search.py',
    '_base_/schedules/imtnas_40e.py'
]
