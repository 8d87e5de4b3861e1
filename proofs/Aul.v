(** * Asymmetric unhinged loss: ALF Corollary 2

    [L(u, y) = ((a - u_y)^p - (a - 1)^p) / p] with [a > 1] and [p > 0]. The theorems about slopes hold for [a = 1], too. *)

From Coq Require Import Reals Lra Lia Ranalysis.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power.
Open Scope R_scope.

Definition aul (a p x : R) : R := (power (a - x) p - power (a - 1) p) / p.

Section Aul.

Variables a p : R.
Hypothesis Ha : 1 <= a.
Hypothesis Hp : 0 < p.

Lemma aul_decreasing : nonincreasing01 (aul a p).
Proof.
  intros x y _ [_ Hy] H. unfold aul, Rdiv. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat |].
  pose proof (power_le (a - y) (a - x) p ltac:(lra) ltac:(lra) ltac:(lra)). lra.
Qed.

Lemma aul_falls : aul a p 1 < aul a p 0.
Proof.
  unfold aul, Rdiv. apply Rmult_lt_compat_r; [now apply Rinv_0_lt_compat |].
  pose proof (power_lt (a - 1) (a - 0) p ltac:(lra) ltac:(lra) Hp). lra.
Qed.

Lemma aul_continuous x : continuity_pt (aul a p) x.
Proof.
  apply continuity_pt_mult; [| apply continuity_pt_const; easy].
  apply continuity_pt_minus; [now apply power_minus_continuous | apply continuity_pt_const; easy].
Qed.

Lemma aul_derivative x : 0 < a - x -> derivable_pt_lim (aul a p) x (- power (a - x) (p - 1)).
Proof.
  intros H.
  replace (- power (a - x) (p - 1))
    with ((- (p * power (a - x) (p - 1)) - 0) * / p + (power (a - x) p - power (a - 1) p) * 0) by (field; lra).
  apply (derivable_pt_lim_mult (fun x => power (a - x) p - power (a - 1) p) (fun _ => / p));
    [| apply derivable_pt_lim_const].
  apply derivable_pt_lim_minus; [now apply power_minus_derivative | apply derivable_pt_lim_const].
Qed.

Lemma aul_slope_1 : 1 < a \/ (a = 1 /\ 1 < p) -> slope_at_1 (aul a p) (- power (a - 1) (p - 1)).
Proof.
  intros H. pose proof (slope_at_1_linear_combination _ _ _ _ (/ p) (- / p) (power_minus_slope_1 a p H)
    (slope_at_1_of_derivative _ _ (derivable_pt_lim_const (power (a - 1) p) 1))) as S.
  replace (- power (a - 1) (p - 1)) with (/ p * - (p * power (a - 1) (p - 1)) + - / p * 0) by (field; lra).
  revert S. apply slope_at_1_ext. intros x _. unfold aul, fct_cte. field. lra.
Qed.

Lemma aul_convex : 1 <= p -> convex01 (aul a p).
Proof.
  intros H. apply convex01_of_derivative with (f' := fun x => - power (a - x) (p - 1)).
  - intros x _. apply aul_continuous.
  - intros x Hx. apply aul_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_le_contravar, power_le; lra.
Qed.

Lemma aul_strictly_convex : 1 < p -> strictly_convex_next_to_1 (aul a p).
Proof.
  intros H. apply strictly_convex_of_derivative with (f' := fun x => - power (a - x) (p - 1)).
  - intros x _. apply aul_continuous.
  - intros x Hx. apply aul_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_lt_contravar, power_lt; lra.
Qed.

Lemma aul_concave : p <= 1 -> concave01 (aul a p).
Proof.
  intros H. apply concave01_of_derivative with (f' := fun x => - power (a - x) (p - 1)).
  - intros x _. apply aul_continuous.
  - intros x Hx. apply aul_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_le_contravar, power_le_inverse; lra.
Qed.

End Aul.

(** ** Corollary 2 *)

(** [p <= 1]: completely asymmetric. *)
Theorem aul_completely_asymmetric K a p : (2 <= K)%nat -> 1 <= a -> 0 < p <= 1 ->
  completely_asymmetric K (active_loss (aul a p)).
Proof.
  intros HK Ha Hp w m Hw Hm. destruct (runner_up_exists K w m HK (proj1 Hm)) as [n Hn].
  apply (active_concave K w m n); try easy; [apply aul_decreasing | apply aul_concave | apply aul_falls]; lra.
Qed.

(** [p > 1]: the slopes at the ends decide. At [a = 1] the condition is [w_n = 0]. *)
Theorem aul_convex_iff K w m n a p :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 1 <= a -> 1 < p ->
  (asymmetric K (active_loss (aul a p)) w m <-> w n * power a (p - 1) <= w m * power (a - 1) (p - 1)).
Proof.
  intros Hw Hm Hn Ha Hp.
  rewrite (active_convex_iff K w m n (aul a p) Hw Hm Hn) with
    (d0 := - power (a - 0) (p - 1)) (d1 := - power (a - 1) (p - 1)).
  - rewrite Rminus_0_r. split; lra.
  - apply aul_decreasing; lra.
  - apply aul_convex; lra.
  - apply aul_strictly_convex; lra.
  - apply slope_at_0_of_derivative, aul_derivative; lra.
  - apply aul_slope_1; lra.
Qed.

(** The printed threshold [(a/(a-1))^(p-1) I(p > 1) + I(p <= 1)]. *)
Definition aul_threshold (a p : R) : R := if Rle_dec p 1 then 1 else Rpower (a / (a - 1)) (p - 1).

Lemma aul_threshold_form a p : 1 < a -> Rpower (a / (a - 1)) (p - 1) = Rpower a (p - 1) / Rpower (a - 1) (p - 1).
Proof.
  intros Ha. unfold Rpower, Rdiv. rewrite <- exp_Ropp, <- exp_plus, ln_mult, ln_Rinv;
    [f_equal; ring | lra | lra | apply Rinv_0_lt_compat; lra].
Qed.

(** ALF Corollary 2, for all weights (also [w_n = 0]). *)
Theorem corollary_2 K w m n a p :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 1 < a -> 0 < p ->
  (asymmetric K (active_loss (aul a p)) w m <-> w n * aul_threshold a p <= w m).
Proof.
  intros Hw Hm Hn Ha Hp. pose proof (largest_pos K w m n Hw Hm Hn) as P. unfold aul_threshold.
  destruct (Rle_dec p 1) as [LE | GT].
  - split; [intros _; lra | intros _]. apply aul_completely_asymmetric; try easy; try lra.
    destruct Hm, Hn as (? & ? & _). lia.
  - rewrite aul_convex_iff with (n := n) by (try easy; lra). rewrite aul_threshold_form, !power_pos by lra.
    pose proof (Rpower_pos (a - 1) (p - 1)). split; intros H'.
    + apply Rmult_le_reg_r with (Rpower (a - 1) (p - 1)); [easy |].
      replace (w n * (Rpower a (p - 1) / Rpower (a - 1) (p - 1)) * Rpower (a - 1) (p - 1))
        with (w n * Rpower a (p - 1)) by (field; lra). easy.
    + apply (Rmult_le_compat_r (Rpower (a - 1) (p - 1))) in H'; [| lra].
      replace (w n * (Rpower a (p - 1) / Rpower (a - 1) (p - 1)) * Rpower (a - 1) (p - 1))
        with (w n * Rpower a (p - 1)) in H' by (field; lra). easy.
Qed.

(** ALF Corollary 2 as printed: with the quotient [w_m / w_n]. *)
Theorem corollary_2_as_printed K w m n a p :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> 1 < a -> 0 < p ->
  (asymmetric K (active_loss (aul a p)) w m <-> w m / w n >= aul_threshold a p).
Proof.
  intros Hw Hm Hn P Ha Hp. rewrite corollary_2 with (n := n) by easy. now apply quotient_ge.
Qed.
