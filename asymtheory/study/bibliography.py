"""What a study rests on, as BibTeX: definitions, ratios, and the papers of the parts of the loss."""

from __future__ import annotations

from ..losses.base import Normalised, NormalisedNegative
from ..losses.papers import AMSE
from .facts import Facts

ENTRIES = {
    "ALF": """@inproceedings{zhou2021asymmetric,
  title     = {Asymmetric Loss Functions for Learning with Noisy Labels},
  author    = {Zhou, Xiong and Liu, Xianming and Jiang, Junjun and Gao, Xin and Ji, Xiangyang},
  booktitle = {International Conference on Machine Learning},
  year      = {2021}
}""",
    "APL": """@inproceedings{ma2020normalized,
  title     = {Normalized Loss Functions for Deep Learning with Noisy Labels},
  author    = {Ma, Xingjun and Huang, Hanxun and Wang, Yisen and Romano, Simone and Erfani, Sarah and Bailey, James},
  booktitle = {International Conference on Machine Learning},
  year      = {2020}
}""",
    "ANL": """@inproceedings{ye2023active,
  title     = {Active Negative Loss Functions for Learning with Noisy Labels},
  author    = {Ye, Xichen and Li, Xiaoqiang and Dai, Songmin and Liu, Tong and Sun, Yan and Tong, Weiqin},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2023}
}""",
    "JAL": """@inproceedings{wang2025joint,
  title     = {Joint Asymmetric Loss for Learning with Noisy Labels},
  author    = {Wang, Jialiang and Liu, Xianming and Zhou, Xiong and Hu, Gangfeng and
               Zhai, Deming and Jiang, Junjun and Ji, Xiangyang},
  booktitle = {International Conference on Computer Vision},
  year      = {2025}
}""",
    "CIFAR-N": """@inproceedings{wei2022learning,
  title     = {Learning with Noisy Labels Revisited: A Study Using Real-World Human Annotations},
  author    = {Wei, Jiaheng and Zhu, Zhaowei and Cheng, Hao and Liu, Tongliang and Niu, Gang and Liu, Yang},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}
}""",
}


def entries(found: Facts) -> list[str]:
    """The keys of what the study rests on: ALF for definitions and ratios, the papers of the loss's parts, the human noise."""
    atoms = [atom for _, atom in found.loss.terms()]
    kept = ["ALF"]
    kept += ["APL"] if any(isinstance(atom, Normalised) for atom in atoms) or len(atoms) > 1 else []
    kept += ["ANL"] if any(isinstance(atom, NormalisedNegative) for atom in atoms) else []
    two_sided = any(_two_sided(atom) for atom in atoms)
    kept += ["JAL"] if two_sided or any(isinstance(atom, AMSE) for atom in atoms) else []
    return [*kept, "CIFAR-N"]


def _two_sided(atom: object) -> bool:
    """A passive part that is not linear is decided as JAL's Theorem 4.1 decides AMSE."""
    curvature = getattr(atom, "curvature", None)
    return curvature is not None and curvature()[1] != 0


def bibtex(found: Facts) -> str:
    """The whole of ``references.bib``."""
    own = """@software{asymtheory,
  title  = {asymtheory},
  author = {{asymtheory contributors}}
}"""
    return "\n\n".join([*(ENTRIES[key] for key in entries(found)), own]) + "\n"
