(** * The statement of each main theorem and what it assumes: printed by the build

    The first six groups assume what Coq's real numbers bring: [sig_forall_dec] and [sig_not_dec] (the reals),
    [functional_extensionality_dep], and [classic] (excluded middle). Where a number is evaluated by [interval], Coq's
    machine integers and floats are added ([PrimInt63], [Uint63], [PrimFloat], [FloatAxioms]). *)

From Coq Require Import Reals.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power Agce Aul Ael Amse Tolerance Ratio Normalised Parts Certificate Refuted.
Open Scope R_scope.

(** ** The separable-risk theorem (docs/theory.md, section 1) *)

Check convex_minimiser_iff.
Print Assumptions convex_minimiser_iff.
Check convex_only_minimiser.
Print Assumptions convex_only_minimiser.
Check convex_asymmetric_iff.
Print Assumptions convex_asymmetric_iff.
Check convex_regret.
Print Assumptions convex_regret.
Check infinite_slope_never.
Print Assumptions infinite_slope_never.
Check concave_only_minimiser.
Print Assumptions concave_only_minimiser.
Check concave_regret.
Print Assumptions concave_regret.
Check water_filling.
Print Assumptions water_filling.
Check slack_monotone.
Print Assumptions slack_monotone.

(** ** ALF Corollaries 1 to 3 *)

Check corollary_1.
Print Assumptions corollary_1.
Check corollary_1_as_printed.
Print Assumptions corollary_1_as_printed.
Check agce_completely_asymmetric.
Print Assumptions agce_completely_asymmetric.
Check gce_never.
Print Assumptions gce_never.
Check corollary_2.
Print Assumptions corollary_2.
Check corollary_2_as_printed.
Print Assumptions corollary_2_as_printed.
Check aul_completely_asymmetric.
Print Assumptions aul_completely_asymmetric.
Check corollary_3.
Print Assumptions corollary_3.
Check corollary_3_as_printed.
Print Assumptions corollary_3_as_printed.
Check ael_never_completely.
Print Assumptions ael_never_completely.

(** ** JAL Theorem 4.1 *)

Check theorem_4_1.
Print Assumptions theorem_4_1.
Check theorem_4_1_as_printed.
Print Assumptions theorem_4_1_as_printed.
Check amse_2_iff.
Print Assumptions amse_2_iff.
Check mse_never.
Print Assumptions mse_never.
Check amse_regret.
Print Assumptions amse_regret.
Check amse_2_projection.
Print Assumptions amse_2_projection.
Check amse_2_minimiser.
Print Assumptions amse_2_minimiser.

(** ** Noise tolerance *)

Check theorem_4.
Print Assumptions theorem_4.
Check theorem_5.
Print Assumptions theorem_5.
Check lemma_1.
Print Assumptions lemma_1.
Check tolerance_constant.
Print Assumptions tolerance_constant.
Check tolerance_of_instances.
Print Assumptions tolerance_of_instances.
Check amse_2_tolerance_constant.
Print Assumptions amse_2_tolerance_constant.

(** ** The three ratios *)

Check eq_8.
Print Assumptions eq_8.
Check theorem_8.
Print Assumptions theorem_8.
Check theorem_6_corrected.
Print Assumptions theorem_6_corrected.
Check theorem_6_as_printed_is_false.
Print Assumptions theorem_6_as_printed_is_false.
Check convex_ratios.
Print Assumptions convex_ratios.
Check concave_ratios.
Print Assumptions concave_ratios.
Check agce_ratio.
Print Assumptions agce_ratio.
Check aul_ratio.
Print Assumptions aul_ratio.
Check ael_ratio.
Print Assumptions ael_ratio.
Check mae_ratio.
Print Assumptions mae_ratio.

(** ** Normalised losses *)

Check nce_not_asymmetric.
Print Assumptions nce_not_asymmetric.
Check nce_two_classes.
Print Assumptions nce_two_classes.
Check nfl_not_asymmetric.
Print Assumptions nfl_not_asymmetric.
Check normalised_infimum.
Print Assumptions normalised_infimum.
Check sum_threshold_convex.
Print Assumptions sum_threshold_convex.
Check sum_threshold_concave.
Print Assumptions sum_threshold_concave.
Check jal_ce_threshold.
Print Assumptions jal_ce_threshold.
Check jal_fl_threshold.
Print Assumptions jal_fl_threshold.
Check negative_asymmetric.
Print Assumptions negative_asymmetric.
Check infinite_never.
Print Assumptions infinite_never.

(** ** Certificates *)

Check yes_convex.
Print Assumptions yes_convex.
Check no_better.
Print Assumptions no_better.

(** ** Refuted statements without and with interval arithmetic *)

Check theorem_3_as_printed_is_false.
Print Assumptions theorem_3_as_printed_is_false.
Check theorem_7_as_printed_is_false.
Print Assumptions theorem_7_as_printed_is_false.
Check a_473_exact.
Print Assumptions a_473_exact.
Check anl_tolerance.
Print Assumptions anl_tolerance.
