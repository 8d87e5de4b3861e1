(** * Asymmetric generalised cross entropy: ALF Corollary 1

    [L(u, y) = ((a+1)^q - (a+u_y)^q) / q] with [a > 0] and [q > 0]; at [a = 0] it is GCE. *)

From Coq Require Import Reals Lra Lia Ranalysis.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power.
Open Scope R_scope.

Definition agce (a q x : R) : R := (power (a + 1) q - power (a + x) q) / q.

(** The GCE loss [(1 - u_y^q) / q]. *)
Definition gce (q x : R) : R := (1 - power x q) / q.

Lemma agce_0_is_gce q x : agce 0 q x = gce q x.
Proof. unfold agce, gce. rewrite !Rplus_0_l, power_base_1. reflexivity. Qed.

Section Agce.

Variables a q : R.
Hypothesis Ha : 0 <= a.
Hypothesis Hq : 0 < q.

Lemma agce_form x : agce a q x = / q * (- power (a + x) q) + / q * power (a + 1) q.
Proof. unfold agce. field. lra. Qed.

Lemma agce_decreasing : nonincreasing01 (agce a q).
Proof.
  intros x y [Hx _] _ H. unfold agce, Rdiv. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat |].
  pose proof (power_le (a + x) (a + y) q ltac:(lra) ltac:(lra) ltac:(lra)). lra.
Qed.

Lemma agce_falls : agce a q 1 < agce a q 0.
Proof.
  unfold agce, Rdiv. apply Rmult_lt_compat_r; [now apply Rinv_0_lt_compat |].
  pose proof (power_lt (a + 0) (a + 1) q ltac:(lra) ltac:(lra) Hq). lra.
Qed.

Lemma agce_continuous x : continuity_pt (agce a q) x.
Proof.
  apply continuity_pt_mult; [| apply continuity_pt_const; easy].
  apply continuity_pt_minus; [apply continuity_pt_const; easy | now apply power_plus_continuous].
Qed.

Lemma agce_derivative x : 0 < a + x -> derivable_pt_lim (agce a q) x (- power (a + x) (q - 1)).
Proof.
  intros H. replace (- power (a + x) (q - 1)) with ((0 - q * power (a + x) (q - 1)) * / q + (power (a + 1) q - power (a + x) q) * 0)
    by (field; lra).
  apply (derivable_pt_lim_mult (fun x => power (a + 1) q - power (a + x) q) (fun _ => / q));
    [| apply derivable_pt_lim_const].
  apply derivable_pt_lim_minus; [apply derivable_pt_lim_const | now apply power_plus_derivative].
Qed.

Lemma agce_convex : q <= 1 -> convex01 (agce a q).
Proof.
  intros H. apply convex01_of_derivative with (f' := fun x => - power (a + x) (q - 1)).
  - intros x _. apply agce_continuous.
  - intros x Hx. apply agce_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_le_contravar, power_le_inverse; lra.
Qed.

Lemma agce_strictly_convex : q < 1 -> strictly_convex_next_to_1 (agce a q).
Proof.
  intros H. apply strictly_convex_of_derivative with (f' := fun x => - power (a + x) (q - 1)).
  - intros x _. apply agce_continuous.
  - intros x Hx. apply agce_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_lt_contravar, power_lt_inverse; lra.
Qed.

Lemma agce_concave : 1 <= q -> concave01 (agce a q).
Proof.
  intros H. apply concave01_of_derivative with (f' := fun x => - power (a + x) (q - 1)).
  - intros x _. apply agce_continuous.
  - intros x Hx. apply agce_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_le_contravar, power_le; lra.
Qed.

End Agce.

(** ** Corollary 1 *)

(** [q >= 1]: completely asymmetric. *)
Theorem agce_completely_asymmetric K a q : (2 <= K)%nat -> 0 <= a -> 1 <= q ->
  completely_asymmetric K (active_loss (agce a q)).
Proof.
  intros HK Ha Hq w m Hw Hm. destruct (runner_up_exists K w m HK (proj1 Hm)) as [n Hn].
  apply (active_concave K w m n); try easy;
    [apply agce_decreasing | apply agce_concave | apply agce_falls]; lra.
Qed.

(** [q < 1]: the slopes at the ends decide. *)
Theorem agce_convex_iff K w m n a q :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < a -> 0 < q < 1 ->
  (asymmetric K (active_loss (agce a q)) w m <-> w n * Rpower a (q - 1) <= w m * Rpower (a + 1) (q - 1)).
Proof.
  intros Hw Hm Hn Ha Hq.
  rewrite (active_convex_iff K w m n (agce a q) Hw Hm Hn) with
    (d0 := - power (a + 0) (q - 1)) (d1 := - power (a + 1) (q - 1)).
  - rewrite Rplus_0_r, !power_pos by lra. split; lra.
  - apply agce_decreasing; lra.
  - apply agce_convex; lra.
  - apply agce_strictly_convex; lra.
  - apply slope_at_0_of_derivative, agce_derivative; lra.
  - apply slope_at_1_of_derivative, agce_derivative; lra.
Qed.

(** The printed threshold [((a+1)/a)^(1-q) I(q <= 1) + I(q > 1)]. *)
Definition agce_threshold (a q : R) : R := if Rle_dec q 1 then Rpower ((a + 1) / a) (1 - q) else 1.

Lemma agce_threshold_form a q : 0 < a -> Rpower ((a + 1) / a) (1 - q) = Rpower a (q - 1) / Rpower (a + 1) (q - 1).
Proof.
  intros Ha. unfold Rpower, Rdiv. rewrite <- exp_Ropp, <- exp_plus, ln_mult, ln_Rinv;
    [f_equal; ring | easy | lra | now apply Rinv_0_lt_compat].
Qed.

(** ALF Corollary 1, for all weights (also [w_n = 0]). *)
Theorem corollary_1 K w m n a q :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < a -> 0 < q ->
  (asymmetric K (active_loss (agce a q)) w m <-> w n * agce_threshold a q <= w m).
Proof.
  intros Hw Hm Hn Ha Hq. pose proof (largest_pos K w m n Hw Hm Hn) as P. unfold agce_threshold.
  assert (always : 1 <= q -> asymmetric K (active_loss (agce a q)) w m).
  { intros H. apply agce_completely_asymmetric; try easy; [| lra]. destruct Hm, Hn as (? & ? & _). lia. }
  destruct (Rle_dec q 1) as [LE | GT].
  - destruct (Req_dec q 1) as [-> | N].
    + replace (1 - 1) with 0 by ring. rewrite Rpower_O by (apply Rdiv_lt_0_compat; lra).
      split; [intros _; lra | intros _; apply always; lra].
    + rewrite agce_convex_iff with (n := n) by (try easy; lra). rewrite agce_threshold_form by easy.
      pose proof (Rpower_pos (a + 1) (q - 1)). split; intros H'.
      * apply Rmult_le_reg_r with (Rpower (a + 1) (q - 1)); [easy |].
        replace (w n * (Rpower a (q - 1) / Rpower (a + 1) (q - 1)) * Rpower (a + 1) (q - 1))
          with (w n * Rpower a (q - 1)) by (field; lra). easy.
      * apply (Rmult_le_compat_r (Rpower (a + 1) (q - 1))) in H'; [| lra].
        replace (w n * (Rpower a (q - 1) / Rpower (a + 1) (q - 1)) * Rpower (a + 1) (q - 1))
          with (w n * Rpower a (q - 1)) in H' by (field; lra). easy.
  - split; [intros _; lra | intros _; apply always; lra].
Qed.

(** ALF Corollary 1 as printed: with the quotient [w_m / w_n]. *)
Theorem corollary_1_as_printed K w m n a q :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> 0 < a -> 0 < q ->
  (asymmetric K (active_loss (agce a q)) w m <-> w m / w n >= agce_threshold a q).
Proof.
  intros Hw Hm Hn P Ha Hq. rewrite corollary_1 with (n := n) by easy. now apply quotient_ge.
Qed.

(** ** GCE *)

(** ALF after Corollary 1: GCE with [q < 1] is not asymmetric, while [w_n > 0]. *)
Theorem gce_never K w m n q :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> 0 < q < 1 ->
  ~ asymmetric K (active_loss (gce q)) w m.
Proof.
  intros Hw Hm Hn P Hq. apply (active_infinite_never K w m n (gce q)) with (d1 := - power (0 + 1) (q - 1)); try easy.
  - intros M. destruct (power_steep_at_0 q Hq (q * M)) as (delta & Hd & H). exists delta. split; [easy |].
    intros t Ht. specialize (H t Ht). unfold gce.
    replace (((1 - power t q) / q - (1 - power 0 q) / q) / t) with (/ q * ((- power t q - - power 0 q) / t)) by (field; lra).
    apply Rmult_lt_reg_l with q; [lra |]. rewrite <- Rmult_assoc, Rinv_r by lra. lra.
  - apply slope_at_1_ext with (f := agce 0 q); [intros x _; apply agce_0_is_gce |].
    apply slope_at_1_of_derivative, agce_derivative; lra.
Qed.
