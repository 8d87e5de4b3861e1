"""Jacobian regularisation: a penalty on how fast the logits change with the input.

    (strength / 2) * mean over the batch of ||J(x)||_F^2,    J(x) = d logits / d input    (K x inputs)

(Hoffman, Roberts, Yaida 2019, arXiv 1908.02729, Eq. 4). The norm is estimated with one direction an image, as they recommend: for v
uniform on the unit sphere of R^K, K * E ||v^T J||^2 = ||J||_F^2. One more backward pass gives v^T J of the whole batch, and the
gradient of the penalty goes through that pass. With batch norms the logits of an image depend on the whole batch; what is
differentiated then is the batch's sum of v^T logits, as in their code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asymtheory.errors import InputError


def watched(inputs: Tensor) -> Tensor:
    """Inputs that the logits can be differentiated by. InputError for inputs that are not floating-point, such as tokens."""
    if not inputs.is_floating_point():
        raise InputError(f"regularisation 'jacobian': inputs of {inputs.dtype} have no derivative; name none, l1 or l2")
    return inputs.detach().requires_grad_(True)


def directions(logits: Tensor, random: torch.Generator) -> Tensor:
    """One direction an image, (N, K), uniform on the unit sphere."""
    drawn = torch.randn(logits.shape, generator=random, device=logits.device, dtype=logits.dtype)
    return drawn / torch.linalg.vector_norm(drawn, dim=-1, keepdim=True)


def squared_norm(logits: Tensor, inputs: Tensor, along: Tensor) -> Tensor:
    """``K * mean_n ||v_n^T J_n||^2`` of logits (N, K) of :func:`watched` inputs (N, ...); differentiable."""
    (slopes,) = torch.autograd.grad((logits * along).sum(), inputs, create_graph=True)
    return logits.shape[-1] * slopes.square().sum() / len(logits)
