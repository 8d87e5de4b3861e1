(** * What each main theorem assumes: printed by the build *)

From Asymtheory Require Import Kkt.

Print Assumptions convex_minimiser_iff.
Print Assumptions convex_only_minimiser.
Print Assumptions convex_asymmetric_iff.
Print Assumptions convex_regret.
Print Assumptions infinite_slope_never.
Print Assumptions concave_only_minimiser.
Print Assumptions concave_regret.
