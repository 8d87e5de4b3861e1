"""Words of the field, explained beneath an answer that uses them."""

from __future__ import annotations

from ..layout import GAP

WORDS = {
    "phi_k": "what class k adds to the noisy risk, as a function of its probability u_k alone",
    "e_m": "the vertex: all probability on the true class m",
    "binding": "the class on which the condition is hardest to meet",
    "clean level": "c = w_m / w_n, the weight of the true class over that of the likeliest wrong one",
    "margin": "(w_m - w_n) / W, their difference in the total weight W",
    "slack": "what is left of the condition: asymmetric where it is not negative",
    "excess risk": "the noisy risk above the least that it can be",
}


def explained(answer: str) -> str:
    """An answer, and the words in it that need it."""
    found = [word for word in WORDS if word in answer]
    if not found:
        return answer
    wide = max(map(len, found))
    return "\n".join([answer, "words:", *(f"  {word:<{wide}}{GAP}{WORDS[word]}" for word in found)])
