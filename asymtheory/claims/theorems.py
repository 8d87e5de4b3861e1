"""Which theorems of the Coq development (proofs/) state a claim of the ledger, or refute it as printed."""

from __future__ import annotations

from collections.abc import Mapping

THEOREMS: Mapping[str, tuple[str, ...]] = {
    "alf-symmetric-tolerance": ("Tolerance.lemma_1",),
    "alf-symmetric-asymmetric-noise": ("Refuted.ngce_risks",),
    "alf-thm3": ("Refuted.theorem_3_as_printed_is_false",),
    "alf-thm4": ("Tolerance.theorem_4",),
    "alf-thm5": ("Tolerance.theorem_5",),
    "alf-thm6": ("Ratio.theorem_6_as_printed_is_false", "Ratio.theorem_6_corrected"),
    "alf-thm7": ("Refuted.theorem_7_as_printed_is_false",),
    "alf-thm8": ("Ratio.theorem_8",),
    "alf-eq8": ("Ratio.eq_8",),
    "alf-cor1": ("Agce.corollary_1_as_printed",),
    "alf-cor2": ("Aul.corollary_2_as_printed",),
    "alf-cor3": ("Ael.corollary_3_as_printed",),
    "alf-def3-agce": ("Refuted.definition_3_agce_is_not_1", "Ratio.agce_ratio", "Ratio.agce_ratio_concave"),
    "alf-def3-aul": ("Refuted.definition_3_aul", "Ratio.aul_ratio", "Ratio.aul_ratio_concave"),
    "alf-def3-ael": ("Ratio.ael_ratio",),
    "alf-r15": ("Refuted.r15_tie",),
    "alf-overfit-text": ("Refuted.overfit_text",),
    "alf-gce-not": ("Agce.gce_never",),
    "apl-eq4": ("Refuted.eq_4_sign",),
    "apl-eq5": ("Refuted.eq_5",),
    "apl-lemma1": ("Tolerance.lemma_1",),
    "apl-lemma2-condition": ("Refuted.lemma_2_condition",),
    "apl-lemma3": ("Refuted.lemma_3_as_printed_is_false",),
    "apl-q-term": ("Refuted.q_term",),
    "apl-nlnl": ("Refuted.nlnl",),
    "anl-eq3": ("Refuted.eq_3_sign",),
    "anl-passive": ("Refuted.flipping_nce", "Refuted.flipping_returns_nce"),
    "anl-eq15": ("Refuted.eq_15_own",),
    "anl-thm2": ("Refuted.theorem_2_boundary",),
    "anl-tolerance": ("Refuted.anl_tolerance",),
    "jal-thm41": ("Amse.theorem_4_1_as_printed",),
    "jal-thm41-concave": ("Refuted.theorem_4_1_concave_step",),
    "jal-a9": ("Amse.amse_2_iff",),
    "jal-a473": ("Refuted.a_473_fails", "Refuted.a_473_exact"),
    "jal-tolerance": ("Refuted.nce_321", "Normalised.jal_ce_threshold", "Normalised.jal_fl_threshold"),
}


def coq_theorems(identifier: str) -> tuple[str, ...]:
    """The theorems behind a claim, ``File.name``; empty where it is not in Coq."""
    return THEOREMS.get(identifier, ())
