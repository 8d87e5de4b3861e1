(** * Noise tolerance: ALF Theorems 4 and 5, APL Lemma 1, and the tolerance constant

    The inputs are [i = 0, ..., N - 1] with masses [mu i]; the true class of input [i] is [y i] and its label is [k] with
    probability [eta i k]. A classifier gives every input a point of the simplex. (A distribution of finite support: Coq's
    libraries used here have no integration over a probability space. The proofs compare losses input by input.) *)

From Coq Require Import Reals Lra Lia PeanoNat Classical.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power Amse.
Open Scope R_scope.

Definition classifier := nat -> nat -> R.

Definition clean_risk (N : nat) (mu : nat -> R) (y : nat -> nat) (L : loss) (f : classifier) : R :=
  total N (fun i => mu i * L (f i) (y i)).

Definition noisy_risk (N : nat) (mu : nat -> R) (K : nat) (eta : nat -> nat -> R) (L : loss) (f : classifier) : R :=
  total N (fun i => mu i * risk K (eta i) L (f i)).

(** [f] has the least risk [R] in the class [H]. *)
Definition best (H : classifier -> Prop) (R : classifier -> R) (f : classifier) : Prop :=
  H f /\ forall g, H g -> R f <= R g.

Lemma total_lt N f g i : (i < N)%nat -> (forall j, (j < N)%nat -> f j <= g j) -> f i < g i -> total N f < total N g.
Proof.
  intros Hi H S. rewrite (total_split N f i Hi), (total_split N g i Hi).
  assert (total N (fun k => if Nat.eq_dec k i then 0 else f k) <= total N (fun k => if Nat.eq_dec k i then 0 else g k));
    [| lra].
  apply total_le. intros j Hj. destruct (Nat.eq_dec j i); [lra | auto].
Qed.

(** ** ALF Theorem 4

    Asymmetric on every row of the noise, and a class that holds a classifier which is right everywhere (Assumption 2):
    whatever has the least noisy risk is right everywhere, and so has the least clean risk. *)
Theorem theorem_4 N mu K y eta L (H : classifier -> Prop) fs :
  (forall i, (i < N)%nat -> 0 < mu i) -> (forall i, (i < N)%nat -> (y i < K)%nat) ->
  local_loss K L -> (forall t, (t < K)%nat -> only_minimiser K (fun u => L u t) (vertex t)) ->
  (forall f i, H f -> (i < N)%nat -> simplex K (f i)) ->
  (forall i, (i < N)%nat -> asymmetric K L (eta i) (y i)) ->
  H fs -> (forall i, (i < N)%nat -> same K (fs i) (vertex (y i))) ->
  forall f, best H (noisy_risk N mu K eta L) f ->
    (forall i, (i < N)%nat -> same K (f i) (vertex (y i))) /\ best H (clean_risk N mu y L) f.
Proof.
  intros Hmu Hy Hl Hmin Hs Ha Hfs Right f [Hf Least].
  assert (risks : forall i, (i < N)%nat -> risk K (eta i) L (fs i) = risk K (eta i) L (vertex (y i))).
  { intros i Hi. apply risk_local; auto. }
  assert (at_vertex : forall i, (i < N)%nat -> same K (f i) (vertex (y i))).
  { intros i Hi. apply NNPP. intros Off.
    assert (noisy_risk N mu K eta L fs < noisy_risk N mu K eta L f); [| specialize (Least fs Hfs); lra].
    apply (total_lt N _ _ i Hi).
    - intros j Hj. apply Rmult_le_compat_l; [left; auto |]. rewrite risks by easy.
      assert (M : minimises K (risk K (eta j) L) (vertex (y j))) by (apply Ha; [easy | auto using vertex_simplex | now intros k _]).
      apply M. auto.
    - apply Rmult_lt_compat_l; [auto |]. rewrite risks by easy.
      apply (proj1 (asymmetric_iff K L (eta i) (y i) (Hy i Hi) Hl) (Ha i Hi)); auto. }
  split; [easy |]. split; [easy |]. intros g Hg. apply total_le. intros i Hi.
  apply Rmult_le_compat_l; [left; auto |]. rewrite (Hl (f i) (vertex (y i)) (y i)) by auto.
  assert (M : minimises K (fun u => L u (y i)) (vertex (y i))) by (apply Hmin; [auto | auto using vertex_simplex | now intros k _]).
  apply M. auto.
Qed.

(** ** ALF Theorem 5 *)

Theorem theorem_5 K L1 L2 w m alpha beta : (m < K)%nat -> local_loss K L1 -> local_loss K L2 ->
  0 < alpha -> 0 < beta -> asymmetric K L1 w m -> asymmetric K L2 w m ->
  asymmetric K (fun u y => alpha * L1 u y + beta * L2 u y) w m.
Proof.
  intros Hm l1 l2 Ha Hb A1 A2.
  assert (l : local_loss K (fun u y => alpha * L1 u y + beta * L2 u y)).
  { intros u v y Hy E. now rewrite (l1 u v y Hy E), (l2 u v y Hy E). }
  assert (S : forall u, risk K w (fun u y => alpha * L1 u y + beta * L2 u y) u = alpha * risk K w L1 u + beta * risk K w L2 u).
  { intros u. unfold risk. rewrite <- !total_scal, <- total_plus. apply total_ext. intros; ring. }
  rewrite asymmetric_iff in * by easy. intros u Hu Off. rewrite !S.
  specialize (A1 u Hu Off). specialize (A2 u Hu Off).
  apply (Rmult_lt_compat_l alpha) in A1; [| easy]. apply (Rmult_lt_compat_l beta) in A2; [| easy]. lra.
Qed.

(** ** APL Lemma 1

    A symmetric loss, [sum_k L(u, k) = C], and symmetric noise of rate [eta < (K - 1) / K]: the noisy risk is an increasing
    affine function of the clean risk, so both have the same minimisers in every class, rich or poor. *)

Definition symmetric_noise (K : nat) (rate : R) (y : nat -> nat) (i k : nat) : R :=
  if Nat.eq_dec k (y i) then 1 - rate else rate / (INR K - 1).

Lemma lemma_1_affine N mu K y L C rate f : (2 <= K)%nat -> (forall i, (i < N)%nat -> (y i < K)%nat) ->
  (forall i, (i < N)%nat -> total K (L (f i)) = C) ->
  noisy_risk N mu K (symmetric_noise K rate y) L f =
  (1 - rate * INR K / (INR K - 1)) * clean_risk N mu y L f + rate * C / (INR K - 1) * total N mu.
Proof.
  intros HK Hy S.
  assert (2 <= INR K) by (replace 2 with (INR 2) by (simpl; ring); now apply le_INR).
  unfold noisy_risk, clean_risk. rewrite <- !total_scal, <- total_plus. apply total_ext. intros i Hi.
  assert (E : risk K (symmetric_noise K rate y i) L (f i) =
              (1 - rate * INR K / (INR K - 1)) * L (f i) (y i) + rate * C / (INR K - 1)); [| rewrite E; ring].
  unfold risk. rewrite (total_split K _ (y i) (Hy i Hi)).
  specialize (S i Hi). rewrite (total_split K _ (y i) (Hy i Hi)) in S.
  rewrite (total_ext K (fun k => if Nat.eq_dec k (y i) then 0 else symmetric_noise K rate y i k * L (f i) k)
             (fun k => rate / (INR K - 1) * (if Nat.eq_dec k (y i) then 0 else L (f i) k))).
  - rewrite total_scal. unfold symmetric_noise. destruct (Nat.eq_dec (y i) (y i)); [| easy].
    rewrite <- S. field. lra.
  - intros k _. unfold symmetric_noise. destruct (Nat.eq_dec k (y i)); ring.
Qed.

Theorem lemma_1 N mu K y L C rate (H : classifier -> Prop) :
  (2 <= K)%nat -> (forall i, (i < N)%nat -> (y i < K)%nat) -> rate < (INR K - 1) / INR K ->
  (forall f i, H f -> (i < N)%nat -> total K (L (f i)) = C) ->
  forall f, best H (noisy_risk N mu K (symmetric_noise K rate y) L) f <-> best H (clean_risk N mu y L) f.
Proof.
  intros HK Hy Hr S f.
  assert (2 <= INR K) by (replace 2 with (INR 2) by (simpl; ring); now apply le_INR).
  assert (P : 0 < 1 - rate * INR K / (INR K - 1)).
  { apply (Rmult_lt_compat_r (INR K / (INR K - 1))) in Hr; [| apply Rdiv_lt_0_compat; lra].
    replace ((INR K - 1) / INR K * (INR K / (INR K - 1))) with 1 in Hr by (field; lra).
    unfold Rdiv in *. lra. }
  split; intros [Hf M]; split; try easy; intros g Hg; specialize (M g Hg).
  - rewrite !(lemma_1_affine N mu K y L C) in M by (try easy; intros; now apply S).
    apply Rmult_le_reg_l with (1 - rate * INR K / (INR K - 1)); lra.
  - rewrite !(lemma_1_affine N mu K y L C) by (try easy; intros; now apply S).
    apply (Rmult_le_compat_l (1 - rate * INR K / (INR K - 1))) in M; lra.
Qed.

(** ** The tolerance constant

    Where [F(u) - F(e_m) >= slack (1 - u_m)], the clean error is at most [2 / slack] times the noisy excess risk: a wrong
    class needs [u_m <= 1/2]. *)

(** The class [y] is predicted: it has the one largest entry. *)
Definition predicts (K : nat) (u : nat -> R) (y : nat) : Prop := forall k, (k < K)%nat -> k <> y -> u k < u y.

(** [e] is 1 for an error and 0 else. *)
Definition error_indicator (K : nat) (u : nat -> R) (y : nat) (e : R) : Prop :=
  (predicts K u y /\ e = 0) \/ (~ predicts K u y /\ e = 1).

Lemma error_bound K u y e : (y < K)%nat -> simplex K u -> error_indicator K u y e -> e <= 2 * (1 - u y).
Proof.
  intros Hy Hu [[_ ->] | [W ->]]; [pose proof (simplex_le1 K u y Hu Hy); lra |].
  assert (exists k, (k < K)%nat /\ k <> y /\ u y <= u k) as (k & Hk & N & LE).
  { apply NNPP. intros No. apply W. intros k Hk N. apply Rnot_le_lt. intros LE. apply No. now exists k. }
  pose proof (simplex_rest K u y Hu Hy) as R.
  assert (u k <= 1 - u y); [| lra]. rewrite <- R.
  assert (T : (if Nat.eq_dec k y then 0 else u k) <= total K (fun k => if Nat.eq_dec k y then 0 else u k)).
  { apply (total_ge_term K (fun k => if Nat.eq_dec k y then 0 else u k)); [easy |].
    intros j Hj. destruct (Nat.eq_dec j y); [lra | now apply Hu]. }
  now destruct (Nat.eq_dec k y).
Qed.

(** Noise that depends on the instance: the clean error is at most [P(slack < t) + (2/t) x excess], for every [t > 0].
    [rare i] is 1 where the slack may be less than [t]; [least i] is no more than the noisy risk of any point at [i]. *)
Theorem tolerance_of_instances N mu K y eta L f e rare least t :
  0 < t -> (forall i, (i < N)%nat -> 0 <= mu i) -> (forall i, (i < N)%nat -> (y i < K)%nat) ->
  (forall i, (i < N)%nat -> simplex K (f i)) ->
  (forall i, (i < N)%nat -> error_indicator K (f i) (y i) (e i)) ->
  (forall i, (i < N)%nat -> least i <= risk K (eta i) L (f i)) ->
  (forall i, (i < N)%nat -> rare i = 1 \/ (rare i = 0 /\ t * (1 - f i (y i)) <= risk K (eta i) L (f i) - least i)) ->
  total N (fun i => mu i * e i) <=
  total N (fun i => mu i * rare i)
    + 2 / t * (noisy_risk N mu K eta L f - total N (fun i => mu i * least i)).
Proof.
  intros Ht Hmu Hy Hf He Hl Hr. unfold noisy_risk. rewrite <- total_minus, <- total_scal, <- total_plus.
  apply total_le. intros i Hi. pose proof (error_bound K (f i) (y i) (e i) (Hy i Hi) (Hf i Hi) (He i Hi)) as B.
  assert (E : e i <= rare i + 2 / t * (risk K (eta i) L (f i) - least i)).
  { specialize (Hl i Hi). assert (0 < 2 / t) by (apply Rdiv_lt_0_compat; lra).
    destruct (Hr i Hi) as [-> | [-> S]].
    - assert (0 <= 2 / t * (risk K (eta i) L (f i) - least i)) by (apply Rmult_le_pos; lra).
      destruct (He i Hi) as [[_ ->] | [_ ->]]; lra.
    - apply (Rmult_le_compat_l (2 / t)) in S; [| lra].
      replace (2 / t * (t * (1 - f i (y i)))) with (2 * (1 - f i (y i))) in S by (field; lra). lra. }
  apply (Rmult_le_compat_l (mu i)) in E; [| auto]. lra.
Qed.

(** The tolerance constant [2 / slack]. *)
Theorem tolerance_constant N mu K y eta L f e slack :
  0 < slack -> (forall i, (i < N)%nat -> 0 <= mu i) -> (forall i, (i < N)%nat -> (y i < K)%nat) ->
  (forall i, (i < N)%nat -> simplex K (f i)) ->
  (forall i, (i < N)%nat -> error_indicator K (f i) (y i) (e i)) ->
  (forall i u, (i < N)%nat -> simplex K u ->
     slack * (1 - u (y i)) <= risk K (eta i) L u - risk K (eta i) L (vertex (y i))) ->
  total N (fun i => mu i * e i) <=
  2 / slack * (noisy_risk N mu K eta L f - total N (fun i => mu i * risk K (eta i) L (vertex (y i)))).
Proof.
  intros Hs Hmu Hy Hf He Hr.
  pose proof (tolerance_of_instances N mu K y eta L f e (fun _ => 0) (fun i => risk K (eta i) L (vertex (y i))) slack
                Hs Hmu Hy Hf He) as T.
  cbv beta in T. rewrite (total_zero N (fun i => mu i * 0)), Rplus_0_l in T by (intros; ring). apply T.
  - intros i Hi. specialize (Hr i (f i) Hi (Hf i Hi)). pose proof (simplex_le1 K (f i) (y i) (Hf i Hi) (Hy i Hi)).
    assert (0 <= slack * (1 - f i (y i))) by (apply Rmult_le_pos; lra). lra.
  - intros i Hi. right. split; [reflexivity | auto].
Qed.

(** AMSE with [q = 2] on rows of total 1 and margin at least [margin]: clean error <= [K / (a margin - 1)] x excess. *)
Theorem amse_2_tolerance_constant N mu K y eta n a margin f e :
  1 <= a -> 1 < a * margin -> (forall i, (i < N)%nat -> 0 <= mu i) ->
  (forall i, (i < N)%nat -> weights K (eta i) /\ unique_largest K (eta i) (y i) /\ runner_up K (eta i) (y i) (n i) /\
     total K (eta i) = 1 /\ margin <= eta i (y i) - eta i (n i)) ->
  (forall i, (i < N)%nat -> simplex K (f i)) ->
  (forall i, (i < N)%nat -> error_indicator K (f i) (y i) (e i)) ->
  total N (fun i => mu i * e i) <=
  INR K / (a * margin - 1) *
  (noisy_risk N mu K eta (amse K a 2) f - total N (fun i => mu i * risk K (eta i) (amse K a 2) (vertex (y i)))).
Proof.
  intros Ha Hm Hmu Hw Hf He.
  destruct N as [| N'] eqn:EN; [simpl; unfold noisy_risk; simpl; rewrite Rminus_0_r, Rmult_0_r; lra |].
  assert (HK : 0 < INR K).
  { apply lt_0_INR. destruct (Hw 0%nat ltac:(lia)) as (_ & [Hy _] & _). lia. }
  replace (INR K / (a * margin - 1)) with (2 / (2 / INR K * (a * margin - 1))) by (field; lra).
  apply tolerance_constant; try easy.
  - apply Rmult_lt_0_compat; [apply Rdiv_lt_0_compat; lra | lra].
  - intros i Hi. apply (Hw i Hi).
  - intros i u Hi Hu. destruct (Hw i Hi) as (W & M & Nn & T & G).
    pose proof (amse_regret K (eta i) (y i) (n i) a 2 W M Nn Ha ltac:(lra) u ltac:(lra) Hu) as B.
    replace (2 - 1) with 1 in B by ring. rewrite !power_exponent_1, T in B by lra.
    pose proof (simplex_le1 K u (y i) Hu (proj1 M)).
    assert (a * margin <= a * (eta i (y i) - eta i (n i))) by (apply Rmult_le_compat_l; lra).
    assert (2 * (a * margin - 1) * (1 - u (y i)) <=
            2 * (eta i (y i) * (a - 1) - eta i (n i) * a - (1 - eta i (y i))) * (1 - u (y i))).
    { apply Rmult_le_compat_r; lra. }
    apply Rmult_le_reg_l with (INR K); [easy |].
    replace (INR K * (2 / INR K * (a * margin - 1) * (1 - u (y i)))) with (2 * (a * margin - 1) * (1 - u (y i)))
      by (field; lra). lra.
Qed.
