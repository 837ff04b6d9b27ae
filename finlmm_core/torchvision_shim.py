"""Make torchvision importable beside a torch that its wheel was not built for.

A torchvision built for CUDA cannot load its compiled operators beside a CPU-only torch; ``import torchvision`` then
fails with ``operator torchvision::nms does not exist``, and transformers fails with it for every vision model.
Declaring the missing operators first lets the import succeed: the Python parts (transforms, models) work.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

_KEPT: list[Any] = []  # a torch Library undoes its declarations when it is collected


def ensure_torchvision() -> None:
    """Make ``import torchvision`` work; do nothing where it does already, or where it is not installed.

    Call before the first import of transformers or easyocr.

    Raises:
        RuntimeError: torchvision fails for another reason.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]

    import torch

    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", _non_maximum_suppression, "CPU")
    _KEPT.append(library)
    import torchvision  # noqa: F401


def _non_maximum_suppression(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Return the indices of the kept boxes, best score first; boxes are ``(n, 4)`` as x0, y0, x1, y1."""
    import torch

    order = scores.argsort(descending=True)
    x0, y0, x1, y1 = boxes.unbind(1)
    area = (x1 - x0).clamp(min=0) * (y1 - y0).clamp(min=0)
    kept = []
    while order.numel():
        best, rest = order[0], order[1:]
        kept.append(best)
        width = (torch.minimum(x1[best], x1[rest]) - torch.maximum(x0[best], x0[rest])).clamp(min=0)
        height = (torch.minimum(y1[best], y1[rest]) - torch.maximum(y0[best], y0[rest])).clamp(min=0)
        shared = width * height
        order = rest[shared / (area[best] + area[rest] - shared) <= iou_threshold]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.long)
