(** * Real powers of numbers that are not negative

    [power x q] is [x^q] for [x >= 0] and [q > 0], with [0^q = 0]. (Coq's [Rpower 0 q] is 1.) *)

From Coq Require Import Reals Lra Lia Ranalysis Rpower.
From Asymtheory Require Import Slopes.
Open Scope R_scope.

Definition power (x q : R) : R := if Rle_dec x 0 then 0 else Rpower x q.

Lemma power_pos x q : 0 < x -> power x q = Rpower x q.
Proof. intros H. unfold power. destruct (Rle_dec x 0); [lra | reflexivity]. Qed.

Lemma power_0 q : power 0 q = 0.
Proof. unfold power. destruct (Rle_dec 0 0); [reflexivity | lra]. Qed.

Lemma Rpower_pos x q : 0 < Rpower x q.
Proof. apply exp_pos. Qed.

(** [(x^(1/q))^q = x]. *)
Lemma Rpower_root x q : 0 < x -> q <> 0 -> Rpower (Rpower x (/ q)) q = x.
Proof. intros Hx Hq. rewrite Rpower_mult, Rinv_l by easy. now apply Rpower_1. Qed.

Lemma Rpower_lt x y q : 0 < x -> x < y -> 0 < q -> Rpower x q < Rpower y q.
Proof. intros Hx H Hq. unfold Rpower. apply exp_increasing, Rmult_lt_compat_l; [easy |]. now apply ln_increasing. Qed.

Lemma Rpower_lt_inverse x y q : 0 < x -> x < y -> q < 0 -> Rpower y q < Rpower x q.
Proof.
  intros Hx H Hq. unfold Rpower. apply exp_increasing.
  assert (ln x < ln y) by (now apply ln_increasing).
  assert (0 < - q * (ln y - ln x)) by (apply Rmult_lt_0_compat; lra). lra.
Qed.

Lemma power_gt_0 x q : 0 < x -> 0 < power x q.
Proof. intros H. rewrite power_pos by easy. apply Rpower_pos. Qed.

Lemma power_nonneg x q : 0 <= power x q.
Proof. unfold power. destruct (Rle_dec x 0); [lra | left; apply Rpower_pos]. Qed.

Lemma power_base_1 q : power 1 q = 1.
Proof. rewrite power_pos by lra. unfold Rpower. rewrite ln_1, Rmult_0_r. apply exp_0. Qed.

Lemma power_exponent_1 x : 0 <= x -> power x 1 = x.
Proof. intros [H | <-]; [rewrite power_pos by easy; now apply Rpower_1 | apply power_0]. Qed.

Lemma power_exponent_0 x : 0 < x -> power x 0 = 1.
Proof. intros H. rewrite power_pos by easy. now apply Rpower_O. Qed.

Lemma power_whole x (k : nat) : 0 <= x -> (0 < k)%nat -> power x (INR k) = x ^ k.
Proof.
  intros [H | <-] Hk; [rewrite power_pos by easy; now apply Rpower_pow |].
  rewrite power_0. now rewrite pow_ne_zero by lia.
Qed.

Lemma power_2 x : 0 <= x -> power x 2 = x ^ 2.
Proof. intros H. replace 2 with (INR 2) by (simpl; ring). apply power_whole; [easy | lia]. Qed.

(** [x^q = x * x^(q-1)]. *)
Lemma power_step x q : 0 < x -> power x q = x * power x (q - 1).
Proof.
  intros H. rewrite !power_pos by easy. rewrite <- (Rpower_1 x) at 2 by easy. rewrite <- Rpower_plus. f_equal. ring.
Qed.

(** ** Monotone in the base *)

Lemma power_lt x y q : 0 <= x -> x < y -> 0 < q -> power x q < power y q.
Proof.
  intros [Hx | <-] Hxy Hq; [| rewrite power_0; apply power_gt_0; lra].
  rewrite !power_pos by lra. now apply Rpower_lt.
Qed.

Lemma power_le x y q : 0 <= x -> x <= y -> 0 <= q -> power x q <= power y q.
Proof.
  intros Hx [Hxy | <-] [Hq | <-]; try (right; reflexivity); [left; now apply power_lt |].
  destruct Hx as [Hx | <-]; [rewrite !power_exponent_0 by lra; lra |]. rewrite power_0. apply power_nonneg.
Qed.

Lemma power_lt_inverse x y q : 0 < x -> x < y -> q < 0 -> power y q < power x q.
Proof.
  intros Hx Hxy Hq. rewrite !power_pos by lra. now apply Rpower_lt_inverse.
Qed.

Lemma power_le_inverse x y q : 0 < x -> x <= y -> q <= 0 -> power y q <= power x q.
Proof.
  intros Hx [Hxy | <-] [Hq | ->]; try (right; reflexivity); [left; now apply power_lt_inverse |].
  rewrite !power_exponent_0 by lra. lra.
Qed.

(** ** Continuous everywhere, with derivative [q x^(q-1)] at [x > 0] *)

Lemma power_derivative x q : 0 < x -> derivable_pt_lim (fun y => power y q) x (q * power x (q - 1)).
Proof.
  intros H. rewrite power_pos by easy. intros eps He.
  destruct (derivable_pt_lim_power x q H eps He) as (delta & D).
  assert (P : 0 < Rmin delta x) by (apply Rmin_pos; [apply cond_pos | easy]).
  exists (mkposreal _ P). simpl. intros h N Hh.
  pose proof (Rmin_l delta x). pose proof (Rmin_r delta x).
  assert (- x < h) by (apply Rabs_def2 in Hh; lra).
  rewrite !power_pos by lra. apply D; [easy | lra].
Qed.

Lemma power_continuous x q : 0 < q -> continuity_pt (fun y => power y q) x.
Proof.
  intros Hq. destruct (Rtotal_order x 0) as [H | [-> | H]].
  - apply continuity_pt_locally_ext with (f := fun _ => 0) (a := - x); [lra | | apply continuity_pt_const; easy].
    intros y Hy. unfold R_dist in Hy. apply Rabs_def2 in Hy. unfold power. destruct (Rle_dec y 0); [reflexivity | lra].
  - intros eps He. exists (Rpower eps (/ q)). split; [apply Rpower_pos |].
    intros y [_ Hy]. simpl in *. unfold R_dist in *. rewrite power_0, Rminus_0_r in *.
    rewrite Rabs_pos_eq by apply power_nonneg.
    unfold power. destruct (Rle_dec y 0); [lra |]. rewrite Rabs_pos_eq in Hy by lra.
    rewrite <- (Rpower_root eps q) by lra. apply Rpower_lt; lra.
  - apply derivable_continuous_pt. eexists. now apply power_derivative.
Qed.

(** ** Shifted powers, as the losses use them *)

(** [(b + x)^q]. *)
Lemma power_plus_derivative b x q : 0 < b + x ->
  derivable_pt_lim (fun y => power (b + y) q) x (q * power (b + x) (q - 1)).
Proof.
  intros H. rewrite <- (Rmult_1_r (q * power (b + x) (q - 1))).
  apply (derivable_pt_lim_comp (fun y => b + y) (fun z => power z q)); [| now apply power_derivative].
  rewrite <- (Rplus_0_l 1). apply derivable_pt_lim_plus; [apply derivable_pt_lim_const | apply derivable_pt_lim_id].
Qed.

(** [(b - x)^q]. *)
Lemma power_minus_derivative b x q : 0 < b - x ->
  derivable_pt_lim (fun y => power (b - y) q) x (- (q * power (b - x) (q - 1))).
Proof.
  intros H. replace (- (q * power (b - x) (q - 1))) with ((q * power (b - x) (q - 1)) * (0 - 1)) by ring.
  apply (derivable_pt_lim_comp (fun y => b - y) (fun z => power z q)); [| now apply power_derivative].
  apply derivable_pt_lim_minus; [apply derivable_pt_lim_const | apply derivable_pt_lim_id].
Qed.

Lemma power_plus_continuous b x q : 0 < q -> continuity_pt (fun y => power (b + y) q) x.
Proof.
  intros Hq. apply (continuity_pt_comp (fun y => b + y) (fun z => power z q)); [| now apply power_continuous].
  apply continuity_pt_plus; [apply continuity_pt_const; easy | apply derivable_continuous_pt, derivable_pt_id].
Qed.

Lemma power_minus_continuous b x q : 0 < q -> continuity_pt (fun y => power (b - y) q) x.
Proof.
  intros Hq. apply (continuity_pt_comp (fun y => b - y) (fun z => power z q)); [| now apply power_continuous].
  apply continuity_pt_minus; [apply continuity_pt_const; easy | apply derivable_continuous_pt, derivable_pt_id].
Qed.

(** The right slope of [x^q] at 0, for [q > 1]. *)
Lemma power_flat_at_0 q : 1 < q -> slope_at_0 (fun x => power x q) 0.
Proof.
  intros Hq eps He. exists (Rpower eps (/ (q - 1))). split; [apply Rpower_pos |]. intros t Ht.
  rewrite power_0, !Rminus_0_r. rewrite (power_step t q) by lra.
  replace (t * power t (q - 1) / t) with (power t (q - 1)) by (field; lra).
  rewrite Rabs_pos_eq by apply power_nonneg. rewrite power_pos by lra.
  rewrite <- (Rpower_root eps (q - 1)) by lra. apply Rpower_lt; lra.
Qed.

(** The left slope of [(b - x)^q] at 1, for [b > 1], or [b = 1] and [q > 1]. *)
Lemma power_minus_slope_1 b q : 1 < b \/ (b = 1 /\ 1 < q) ->
  slope_at_1 (fun x => power (b - x) q) (- (q * power (b - 1) (q - 1))).
Proof.
  intros [H | [-> H]].
  - apply slope_at_1_of_derivative, power_minus_derivative. lra.
  - replace (1 - 1) with 0 by ring. rewrite power_0. apply slope_at_1_reflect.
    replace (- - (q * 0)) with 0 by ring.
    apply slope_at_0_ext with (f := fun x => power x q); [| now apply power_flat_at_0].
    intros x _. f_equal. ring.
Qed.

(** [x^q] falls below every line through 0 for [q < 1]. *)
Lemma power_steep_at_0 q : 0 < q < 1 -> slope_at_0_minus_infinity (fun x => - power x q).
Proof.
  intros Hq M. set (N := Rabs M + 1). assert (HN : 0 < N) by (unfold N; pose proof (Rabs_pos M); lra).
  exists (Rpower N (/ (q - 1))). split; [apply Rpower_pos |]. intros t Ht.
  rewrite power_0. rewrite (power_step t q) by lra.
  replace ((- (t * power t (q - 1)) - - 0) / t) with (- power t (q - 1)) by (field; lra).
  rewrite power_pos by lra.
  assert (N < Rpower t (q - 1)).
  { rewrite <- (Rpower_root N (q - 1)) by lra. apply Rpower_lt_inverse; lra. }
  unfold N in *. pose proof (Rle_abs (- M)). rewrite Rabs_Ropp in *. lra.
Qed.

(** [x^q] is convex on [0, 1] for [q >= 1] and concave for [q <= 1]. *)
Lemma power_convex q : 1 <= q -> convex01 (fun x => power x q).
Proof.
  intros Hq. apply convex01_of_derivative with (f' := fun x => q * power x (q - 1)).
  - intros x _. apply power_continuous. lra.
  - intros x Hx. apply power_derivative. lra.
  - intros x y Hx Hxy Hy. apply Rmult_le_compat_l; [lra |]. apply power_le; lra.
Qed.

Lemma power_concave q : 0 < q <= 1 -> concave01 (fun x => power x q).
Proof.
  intros Hq. apply concave01_of_derivative with (f' := fun x => q * power x (q - 1)).
  - intros x _. apply power_continuous. lra.
  - intros x Hx. apply power_derivative. lra.
  - intros x y Hx Hxy Hy. apply Rmult_le_compat_l; [lra |]. apply power_le_inverse; lra.
Qed.

(** [(b - x)^q] on [0, 1], for [b >= 1]: convex for [q >= 1], strictly so for [q > 1], and concave for [q <= 1]. *)
Lemma power_minus_convex b q : 1 <= b -> 1 <= q -> convex01 (fun x => power (b - x) q).
Proof.
  intros Hb Hq. apply convex01_of_derivative with (f' := fun x => - (q * power (b - x) (q - 1))).
  - intros x _. apply power_minus_continuous. lra.
  - intros x Hx. apply power_minus_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_le_contravar, Rmult_le_compat_l; [lra |]. apply power_le; lra.
Qed.

Lemma power_minus_strictly_convex b q : 1 <= b -> 1 < q -> strictly_convex_next_to_1 (fun x => power (b - x) q).
Proof.
  intros Hb Hq. apply strictly_convex_of_derivative with (f' := fun x => - (q * power (b - x) (q - 1))).
  - intros x _. apply power_minus_continuous. lra.
  - intros x Hx. apply power_minus_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_lt_contravar, Rmult_lt_compat_l; [lra |]. apply power_lt; lra.
Qed.

Lemma power_minus_concave b q : 1 <= b -> 0 < q <= 1 -> concave01 (fun x => power (b - x) q).
Proof.
  intros Hb Hq. apply concave01_of_derivative with (f' := fun x => - (q * power (b - x) (q - 1))).
  - intros x _. apply power_minus_continuous. lra.
  - intros x Hx. apply power_minus_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_le_contravar, Rmult_le_compat_l; [lra |]. apply power_le_inverse; lra.
Qed.

(** [(b + x)^q] on [0, 1], for [b >= 0]. *)
Lemma power_plus_convex b q : 0 <= b -> 1 <= q -> convex01 (fun x => power (b + x) q).
Proof.
  intros Hb Hq. apply convex01_of_derivative with (f' := fun x => q * power (b + x) (q - 1)).
  - intros x _. apply power_plus_continuous. lra.
  - intros x Hx. apply power_plus_derivative. lra.
  - intros x y Hx Hxy Hy. apply Rmult_le_compat_l; [lra |]. apply power_le; lra.
Qed.

Lemma power_plus_concave b q : 0 <= b -> 0 < q <= 1 -> concave01 (fun x => power (b + x) q).
Proof.
  intros Hb Hq. apply concave01_of_derivative with (f' := fun x => q * power (b + x) (q - 1)).
  - intros x _. apply power_plus_continuous. lra.
  - intros x Hx. apply power_plus_derivative. lra.
  - intros x y Hx Hxy Hy. apply Rmult_le_compat_l; [lra |]. apply power_le_inverse; lra.
Qed.

Lemma power_plus_strictly_concave b q : 0 <= b -> 0 < q < 1 ->
  strictly_convex_next_to_1 (fun x => - power (b + x) q).
Proof.
  intros Hb Hq. apply strictly_convex_of_derivative with (f' := fun x => - (q * power (b + x) (q - 1))).
  - intros x _. apply continuity_pt_opp, power_plus_continuous. lra.
  - intros x Hx. apply derivable_pt_lim_opp, power_plus_derivative. lra.
  - intros x y Hx Hxy Hy. apply Ropp_lt_contravar, Rmult_lt_compat_l; [lra |]. apply power_lt_inverse; lra.
Qed.
