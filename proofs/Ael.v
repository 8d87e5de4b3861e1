(** * Asymmetric exponential loss: ALF Corollary 3

    [L(u, y) = exp(- u_y / a)] with [a > 0]. *)

From Coq Require Import Reals Lra Lia Ranalysis.
From Asymtheory Require Import Simplex Risk Slopes Kkt.
Open Scope R_scope.

Definition ael (a x : R) : R := exp (- x / a).

Section Ael.

Variable a : R.
Hypothesis Ha : 0 < a.

Lemma ael_increasing_argument x y : x < y -> - y / a < - x / a.
Proof. intros H. unfold Rdiv. apply Rmult_lt_compat_r; [now apply Rinv_0_lt_compat | lra]. Qed.

Lemma ael_strictly_decreasing x y : x < y -> ael a y < ael a x.
Proof. intros H. apply exp_increasing. now apply ael_increasing_argument. Qed.

Lemma ael_decreasing : nonincreasing01 (ael a).
Proof. intros x y _ _ [H | <-]; [left; now apply ael_strictly_decreasing | lra]. Qed.

Lemma ael_derivative x : derivable_pt_lim (ael a) x (- / a * ael a x).
Proof.
  replace (- / a * ael a x) with (ael a x * (- / a)) by ring.
  apply (derivable_pt_lim_comp (fun x => - x / a) exp); [| apply derivable_pt_lim_exp].
  replace (- / a) with (-1 * / a + - x * 0) by ring.
  apply (derivable_pt_lim_mult (fun x => - x) (fun _ => / a)); [| apply derivable_pt_lim_const].
  apply derivable_pt_lim_opp, derivable_pt_lim_id.
Qed.

Lemma ael_continuous x : continuity_pt (ael a) x.
Proof. apply derivable_continuous_pt. eexists. apply ael_derivative. Qed.

Lemma ael_slope_increases x y : x < y -> - / a * ael a x < - / a * ael a y.
Proof.
  intros H. pose proof (Rinv_0_lt_compat a Ha). pose proof (ael_strictly_decreasing x y H).
  apply (Rmult_lt_compat_l (/ a)) in H1; lra.
Qed.

Lemma ael_convex : convex01 (ael a).
Proof.
  apply convex01_of_derivative with (f' := fun x => - / a * ael a x).
  - intros x _. apply ael_continuous.
  - intros x _. apply ael_derivative.
  - intros x y _ H _. left. now apply ael_slope_increases.
Qed.

Lemma ael_strictly_convex : strictly_convex_next_to_1 (ael a).
Proof.
  apply strictly_convex_of_derivative with (f' := fun x => - / a * ael a x).
  - intros x _. apply ael_continuous.
  - intros x _. apply ael_derivative.
  - intros x y _ H _. now apply ael_slope_increases.
Qed.

End Ael.

(** ALF Corollary 3, for all weights (also [w_n = 0]). *)
Theorem corollary_3 K w m n a :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < a ->
  (asymmetric K (active_loss (ael a)) w m <-> w n * exp (1 / a) <= w m).
Proof.
  intros Hw Hm Hn Ha.
  rewrite (active_convex_iff K w m n (ael a) Hw Hm Hn) with (d0 := - / a * ael a 0) (d1 := - / a * ael a 1).
  - assert (ael a 0 = 1) as -> by (unfold ael; rewrite <- exp_0; f_equal; field; lra).
    assert (ael a 1 = / exp (1 / a)) as -> by (unfold ael; rewrite <- exp_Ropp; f_equal; field; lra).
    pose proof (exp_pos (1 / a)) as E. pose proof (Rinv_0_lt_compat a Ha) as I. split; intros H.
    + apply Rmult_le_reg_l with (/ a * / exp (1 / a)); [apply Rmult_lt_0_compat; [easy | now apply Rinv_0_lt_compat] |].
      replace (/ a * / exp (1 / a) * (w n * exp (1 / a))) with (w n * / a) by (field; lra). lra.
    + apply (Rmult_le_compat_l (/ a * / exp (1 / a))) in H;
        [| left; apply Rmult_lt_0_compat; [easy | now apply Rinv_0_lt_compat]].
      replace (/ a * / exp (1 / a) * (w n * exp (1 / a))) with (w n * / a) in H by (field; lra). lra.
  - now apply ael_decreasing.
  - now apply ael_convex.
  - now apply ael_strictly_convex.
  - apply slope_at_0_of_derivative, ael_derivative.
  - apply slope_at_1_of_derivative, ael_derivative.
Qed.

(** ALF Corollary 3 as printed: with the quotient [w_m / w_n]. *)
Theorem corollary_3_as_printed K w m n a :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> 0 < a ->
  (asymmetric K (active_loss (ael a)) w m <-> w m / w n >= exp (1 / a)).
Proof.
  intros Hw Hm Hn P Ha. rewrite corollary_3 with (n := n) by easy. now apply quotient_ge.
Qed.

(** ALF after Corollary 3: never completely asymmetric. *)
Theorem ael_never_completely K a : (2 <= K)%nat -> 0 < a -> ~ completely_asymmetric K (active_loss (ael a)).
Proof.
  intros HK Ha C.
  set (e := exp (1 / a)). assert (E : 1 < e).
  { unfold e. rewrite <- exp_0 at 1. apply exp_increasing, Rdiv_lt_0_compat; lra. }
  set (w := fun k => match k with 0%nat => (1 + e) / 2 | 1%nat => 1 | _ => 0 end).
  assert (Hw : weights K w) by (intros [| [| k]] _; simpl; lra).
  assert (Hm : unique_largest K w 0) by (split; [lia |]; intros [| [| k]] _ N; simpl; lra || lia).
  assert (Hn : runner_up K w 0 1) by (repeat split; try lia; intros [| [| k]] _ N; simpl; lra || lia).
  specialize (C w 0%nat Hw Hm). apply (corollary_3 K w 0 1 a Hw Hm Hn Ha) in C. simpl in C. fold e in C. lra.
Qed.
