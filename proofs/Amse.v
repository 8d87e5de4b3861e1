(** * Asymmetric mean square error: JAL Theorem 4.1

    [L(u, y) = (1/K) sum_k |a e_yk - u_k|^q] with [a >= 1] and [q > 0] (JAL Eq. 7). *)

From Coq Require Import Reals Lra Lia PeanoNat Ranalysis.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power.
Open Scope R_scope.

Definition amse (K : nat) (a q : R) : loss :=
  fun u y => / INR K * total K (fun k => power (Rabs (a * vertex y k - u k)) q).

Lemma amse_is_separable K a q u y : 1 <= a -> simplex K u -> (y < K)%nat ->
  amse K a q u y = / INR K * separable K (fun x => power (a - x) q) (fun x => power x q) u y.
Proof.
  intros Ha Hu Hy. unfold amse, separable. f_equal.
  rewrite (total_split K _ y Hy). rewrite vertex_same, Rmult_1_r.
  pose proof (simplex_le1 K u y Hu Hy). rewrite Rabs_pos_eq by lra. f_equal.
  apply total_ext. intros k Hk. destruct (Nat.eq_dec k y) as [| N]; [reflexivity |].
  rewrite vertex_other, Rmult_0_r, Rminus_0_l, Rabs_Ropp, Rabs_pos_eq; [reflexivity | now apply Hu | easy].
Qed.

Section Amse.

Variables (K : nat) (w : nat -> R) (m n : nat) (a q : R).
Hypothesis Hw : weights K w.
Hypothesis Hm : unique_largest K w m.
Hypothesis Hn : runner_up K w m n.
Hypothesis Ha : 1 <= a.
Hypothesis Hq : 0 < q.

Let active (x : R) : R := power (a - x) q.
Let passive (x : R) : R := power x q.

Lemma amse_decreasing : nonincreasing01 active.
Proof. intros x y [Hx _] [_ Hy] H. apply power_le; lra. Qed.

Lemma amse_increasing : nondecreasing01 passive.
Proof. intros x y [Hx _] _ H. apply power_le; lra. Qed.

Lemma rest_nonneg k : (k < K)%nat -> 0 <= total K w - w k.
Proof. intros Hk. pose proof (weight_le_total K w k Hw Hk). lra. Qed.

Lemma amse_scaled : asymmetric K (amse K a q) w m <-> asymmetric K (separable K active passive) w m.
Proof.
  apply asymmetric_scaled with (c := / INR K).
  - apply Rinv_0_lt_compat, lt_0_INR. destruct Hm. lia.
  - intros u y Hu Hy. now apply amse_is_separable.
Qed.

Lemma active_slope_0 : slope_at_0 active (- (q * power a (q - 1))).
Proof.
  replace (power a (q - 1)) with (power (a - 0) (q - 1)) by (f_equal; ring).
  apply slope_at_0_of_derivative, power_minus_derivative. lra.
Qed.

Lemma passive_slope_1 : slope_at_1 passive q.
Proof.
  replace q with (q * power 1 (q - 1)) by (rewrite power_base_1; ring).
  apply slope_at_1_of_derivative, power_derivative. lra.
Qed.

Lemma phi_amse_convex k : 1 < q -> (k < K)%nat -> convex01 (phi (total K w) (w k) active passive).
Proof.
  intros H Hk. apply convex01_combination; [now apply Hw | now apply rest_nonneg | |].
  - apply power_minus_convex; lra.
  - apply power_convex; lra.
Qed.

(** [q <= 1]: a unique largest weight suffices. *)
Theorem amse_concave : q <= 1 -> asymmetric K (amse K a q) w m.
Proof.
  intros H. apply amse_scaled.
  apply (concave_only_minimiser K w m n active passive Hm Hn amse_decreasing amse_increasing).
  - intros k Hk. apply concave01_combination; [now apply Hw | now apply rest_nonneg | |].
    + apply power_minus_concave; lra.
    + apply power_concave; lra.
  - unfold drop, active, passive. rewrite power_0, power_base_1.
    pose proof (power_le (a - 1) (a - 0) q ltac:(lra) ltac:(lra) ltac:(lra)). lra.
Qed.

(** [q > 1]: the slopes at the ends decide; at [a = 1] (MSE for q = 2) the condition is that all other weights are 0. *)
Theorem amse_convex_iff : 1 < q ->
  (asymmetric K (amse K a q) w m <->
   w n * power a (q - 1) + (total K w - w m) <= w m * power (a - 1) (q - 1)).
Proof.
  intros H. rewrite amse_scaled. destruct (largest_pos K w m n Hw Hm Hn) as [Pn Pm].
  rewrite (convex_asymmetric_iff K w m n active passive Hm Hn amse_decreasing amse_increasing
             (- (q * power a (q - 1))) 0 (- (q * power (a - 1) (q - 1))) q).
  - unfold slack. split; intros S.
    + apply Rmult_le_reg_l with q; lra.
    + apply (Rmult_le_compat_l q) in S; lra.
  - intros k. now apply phi_amse_convex.
  - exact active_slope_0.
  - now apply power_flat_at_0.
  - apply power_minus_slope_1. lra.
  - exact passive_slope_1.
  - apply strictly_convex_combination; [lra | apply rest_nonneg, Hm | |].
    + apply power_minus_strictly_convex; lra.
    + apply power_convex; lra.
Qed.

(** [F_w(u) - F_w(e_m) >= slack (1 - u_m)] with the slack of Theorem 4.1, for the risk times [K / q]. *)
Theorem amse_regret u : 1 < q -> simplex K u ->
  q * (w m * power (a - 1) (q - 1) - w n * power a (q - 1) - (total K w - w m)) * (1 - u m)
  <= INR K * (risk K w (amse K a q) u - risk K w (amse K a q) (vertex m)).
Proof.
  intros H Hu.
  assert (R : forall v, simplex K v -> INR K * risk K w (amse K a q) v = risk K w (separable K active passive) v).
  { intros v Hv. unfold risk. rewrite <- total_scal. apply total_ext. intros k Hk.
    rewrite amse_is_separable by easy. fold active passive. field.
    apply not_0_INR. lia. }
  rewrite (Rmult_minus_distr_l (INR K)), (R u Hu), (R (vertex m) (vertex_simplex K m (proj1 Hm))).
  pose proof (convex_regret K w m n active passive Hm Hn amse_decreasing amse_increasing
    (- (q * power a (q - 1))) 0 (- (q * power (a - 1) (q - 1))) q (fun k => phi_amse_convex k H)
    active_slope_0 (power_flat_at_0 q H) (power_minus_slope_1 a q ltac:(lra)) passive_slope_1 u Hu) as B.
  unfold slack in B. lra.
Qed.

(** JAL Theorem 4.1, for all weights (also [w_n = 0]) and all [a >= 1]. *)
Theorem theorem_4_1 :
  asymmetric K (amse K a q) w m <->
  (1 < q -> w n * power a (q - 1) + (total K w - w m) <= w m * power (a - 1) (q - 1)).
Proof.
  destruct (Rle_dec q 1) as [LE | GT].
  - split; [intros _; lra | intros _; now apply amse_concave].
  - rewrite amse_convex_iff by lra. split; [easy | intros S; apply S; lra].
Qed.

(** The printed threshold [(a^(q-1) + sum_{i <> m} w_i / w_n) / (a-1)^(q-1) I(q > 1) + I(q <= 1)]. *)
Definition amse_threshold : R :=
  if Rle_dec q 1 then 1
  else (Rpower a (q - 1) + total K (fun i => if Nat.eq_dec i m then 0 else w i / w n)) / Rpower (a - 1) (q - 1).

(** JAL Theorem 4.1 as printed: with the quotients, which need [w_n > 0] and, for [q > 1], [a > 1]. *)
Theorem theorem_4_1_as_printed : 0 < w n -> 1 < a ->
  (asymmetric K (amse K a q) w m <-> w m / w n >= amse_threshold).
Proof.
  intros P Pa. rewrite theorem_4_1. unfold amse_threshold.
  destruct (Rle_dec q 1) as [LE | GT].
  - split; [intros _ | lra]. destruct (largest_pos K w m n Hw Hm Hn).
    apply quotient_ge; lra.
  - assert (E : total K (fun i => if Nat.eq_dec i m then 0 else w i / w n) = (total K w - w m) / w n).
    { rewrite (total_split K w m (proj1 Hm)).
      replace ((w m + total K (fun k => if Nat.eq_dec k m then 0 else w k) - w m) / w n)
        with (/ w n * total K (fun k => if Nat.eq_dec k m then 0 else w k)) by (field; lra).
      rewrite <- total_scal. apply total_ext. intros k _. destruct (Nat.eq_dec k m); [ring | field; lra]. }
    rewrite E, !power_pos by lra. rewrite <- quotient_ge by easy.
    pose proof (Rpower_pos (a - 1) (q - 1)) as D.
    replace (w n * ((Rpower a (q - 1) + (total K w - w m) / w n) / Rpower (a - 1) (q - 1)))
      with ((w n * Rpower a (q - 1) + (total K w - w m)) / Rpower (a - 1) (q - 1)) by (field; lra).
    split; intros H.
    + specialize (H ltac:(lra)). apply Rmult_le_reg_r with (Rpower (a - 1) (q - 1)); [easy |].
      unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
    + intros _. apply (Rmult_le_compat_r (Rpower (a - 1) (q - 1))) in H; [| lra].
      unfold Rdiv in H. rewrite Rmult_assoc, Rinv_l in H by lra. lra.
Qed.

End Amse.

(** ** [q = 2]: one over the margin *)

Theorem amse_2_iff K w m n a :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 1 <= a ->
  (asymmetric K (amse K a 2) w m <-> total K w / (w m - w n) <= a).
Proof.
  intros Hw Hm Hn Ha. rewrite (amse_convex_iff K w m n a 2 Hw Hm Hn Ha) by lra.
  destruct (largest_pos K w m n Hw Hm Hn).
  replace (2 - 1) with 1 by ring. rewrite !power_exponent_1 by lra. split; intros H'.
  - apply Rmult_le_reg_r with (w m - w n); [lra |].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
  - apply (Rmult_le_compat_r (w m - w n)) in H'; [| lra].
    unfold Rdiv in H'. rewrite Rmult_assoc, Rinv_l in H' by lra. lra.
Qed.

(** MSE is AMSE at [a = 1]: never asymmetric while [w_n > 0]. *)
Theorem mse_never K w m n :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> ~ asymmetric K (amse K 1 2) w m.
Proof.
  intros Hw Hm Hn P A. apply (amse_2_iff K w m n 1 Hw Hm Hn ltac:(lra)) in A.
  destruct (largest_pos K w m n Hw Hm Hn). pose proof (weight_le_total K w m Hw (proj1 Hm)).
  apply (Rmult_le_compat_r (w m - w n)) in A; [| lra].
  unfold Rdiv in A. rewrite Rmult_assoc, Rinv_l in A by lra. lra.
Qed.

(** ** [q = 2], at and below the threshold: the minimiser is a projection on the simplex *)

Definition squared_distance (K : nat) (u v : nat -> R) : R := total K (fun k => (u k - v k) ^ 2).

Lemma amse_2_form K w a u : weights K w -> 0 < total K w -> 1 <= a -> simplex K u ->
  risk K w (amse K a 2) u =
  total K w / INR K * squared_distance K u (fun k => a * w k / total K w)
  + a ^ 2 / INR K * (total K w - total K (fun k => w k ^ 2) / total K w).
Proof.
  intros Hw HW Ha Hu. set (W := total K w) in *.
  assert (HK : (0 < K)%nat).
  { destruct K; [unfold W in HW; simpl in HW; lra | lia]. }
  assert (NK : INR K <> 0) by (apply not_0_INR; lia).
  unfold risk. rewrite (total_ext K _ (fun k => / INR K * (w k * separable K (fun x => power (a - x) 2) (fun x => power x 2) u k)))
    by (intros k Hk; rewrite amse_is_separable by easy; ring).
  rewrite total_scal. fold (risk K w (separable K (fun x => power (a - x) 2) (fun x => power x 2)) u).
  rewrite risk_separates. fold W. unfold squared_distance.
  rewrite (total_ext K (fun k => phi W (w k) _ _ (u k))
             (fun k => W * (u k - a * w k / W) ^ 2 + a ^ 2 * (w k - / W * w k ^ 2))).
  - rewrite total_plus, !total_scal, total_minus, total_scal. fold W. field. lra.
  - intros k Hk. pose proof (proj1 Hu k Hk). pose proof (simplex_le1 K u k Hu Hk). unfold phi.
    rewrite !power_2 by lra. field. lra.
Qed.

(** A point minimises the risk iff it is the projection of [a w / W] on the simplex. *)
Theorem amse_2_projection K w a u : weights K w -> 0 < total K w -> 1 <= a ->
  (minimises K (risk K w (amse K a 2)) u <->
   minimises K (fun v => squared_distance K v (fun k => a * w k / total K w)) u).
Proof.
  intros Hw HW Ha.
  assert (P : 0 < total K w / INR K).
  { apply Rdiv_lt_0_compat; [easy |]. apply lt_0_INR. destruct K; [simpl in HW; lra | lia]. }
  split; intros [Hu M]; split; try easy; intros v Hv; specialize (M v Hv).
  - rewrite !amse_2_form in M by easy. apply Rmult_le_reg_l with (total K w / INR K); lra.
  - rewrite !amse_2_form by easy. apply (Rmult_le_compat_l (total K w / INR K)) in M; lra.
Qed.

(** The projection of [x] has the form [max(x_k - lambda, 0)], and a point of this form is the only nearest one. *)
Theorem projection K x u lambda : simplex K u -> (forall k, (k < K)%nat -> u k = Rmax (x k - lambda) 0) ->
  forall v, simplex K v -> squared_distance K u x + squared_distance K v u <= squared_distance K v x.
Proof.
  intros Hu E v Hv. unfold squared_distance. rewrite <- total_plus.
  assert (Z : total K (fun k => -2 * lambda * (v k - u k)) = 0).
  { rewrite total_scal, total_minus, (proj2 Hu), (proj2 Hv). ring. }
  assert (total K (fun k => (u k - x k) ^ 2 + (v k - u k) ^ 2 + -2 * lambda * (v k - u k))
          <= total K (fun k => (v k - x k) ^ 2)); [| rewrite (total_plus K (fun k => (u k - x k) ^ 2 + (v k - u k) ^ 2)) in H; lra].
  apply total_le. intros k Hk. pose proof (proj1 Hv k Hk) as V. specialize (E k Hk).
  assert (0 <= (v k - u k) * (u k - x k + lambda)); [| lra].
  destruct (Rle_dec 0 (x k - lambda)) as [LE | GT].
  - rewrite Rmax_left in E by easy. rewrite E. lra.
  - rewrite Rmax_right in E by lra. rewrite E. apply Rmult_le_pos; lra.
Qed.

(** The minimiser of AMSE (q = 2), above or below the threshold: [u_k = max(a w_k / W - lambda, 0)]. *)
Theorem amse_2_minimiser K w a u lambda : weights K w -> 0 < total K w -> 1 <= a -> simplex K u ->
  (forall k, (k < K)%nat -> u k = Rmax (a * w k / total K w - lambda) 0) ->
  only_minimiser K (risk K w (amse K a 2)) u.
Proof.
  intros Hw HW Ha Hu E v Hv. rewrite amse_2_projection by easy.
  pose proof (projection K (fun k => a * w k / total K w) u lambda Hu E) as P. split.
  - intros [_ M]. specialize (M u Hu). specialize (P v Hv).
    assert (D : squared_distance K v u <= 0) by lra. intros k Hk.
    assert ((v k - u k) ^ 2 <= squared_distance K v u).
    { apply (total_ge_term K (fun k => (v k - u k) ^ 2)); [easy |]. intros j _. apply pow2_ge_0. }
    pose proof (pow2_ge_0 (v k - u k)).
    assert (Q : (v k - u k) ^ 2 = 0) by lra. replace ((v k - u k) ^ 2) with (Rsqr (v k - u k)) in Q by (unfold Rsqr; ring).
    apply Rsqr_0_uniq in Q. lra.
  - intros S. split; [easy |]. intros z Hz. specialize (P z Hz).
    replace (squared_distance K v (fun k => a * w k / total K w))
      with (squared_distance K u (fun k => a * w k / total K w))
      by (apply total_ext; intros k Hk; now rewrite S).
    assert (0 <= squared_distance K z u) by (apply total_nonneg; intros k _; apply pow2_ge_0). lra.
Qed.
