(** * Three asymmetry ratios, ALF Theorems 6 and 8 and Eq. 8

    For an active loss [L(u, y) = l(u_y)]: what is gained where [u1] grows by [d], over what is lost where [u2] falls by [d].
    [r_pointwise] is the infimum of Definition 3 as printed, over all [0 < d <= u2]; [r_transfer] moves the whole of [u2]
    ([d = u2]), which the proofs use; [r_upper] is Eq. 8. *)

From Coq Require Import Reals Lra Lia PeanoNat Classical.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power Agce Aul Ael.
Open Scope R_scope.

(** [r] is the infimum of [S]. *)
Definition is_infimum (S : R -> Prop) (r : R) : Prop :=
  (forall x, S x -> r <= x) /\ (forall b, (forall x, S x -> b <= x) -> b <= r).

(** The quotient of Definition 3. *)
Definition quotient (l : R -> R) (u1 u2 d : R) : R := (l u1 - l (u1 + d)) / (l (u2 - d) - l u2).

Definition pointwise_quotients (l : R -> R) (x : R) : Prop :=
  exists u1 u2 d, 0 <= u1 /\ 0 <= u2 /\ u1 + u2 <= 1 /\ 0 < d <= u2 /\ x = quotient l u1 u2 d.

Definition transfer_quotients (l : R -> R) (x : R) : Prop :=
  exists u1 u2, 0 <= u1 /\ 0 < u2 /\ u1 + u2 <= 1 /\ x = quotient l u1 u2 u2.

Definition upper_quotients (l : R -> R) (x : R) : Prop :=
  exists u1 u2, 0 <= u1 /\ 0 < u2 /\ u1 + u2 = 1 /\ x = quotient l u1 u2 u2.

Definition r_pointwise (l : R -> R) (r : R) : Prop := is_infimum (pointwise_quotients l) r.
Definition r_transfer (l : R -> R) (r : R) : Prop := is_infimum (transfer_quotients l) r.
Definition r_upper (l : R -> R) (r : R) : Prop := is_infimum (upper_quotients l) r.

Definition decreasing01 (l : R -> R) : Prop := forall x y, in01 x -> in01 y -> x < y -> l y < l x.

Lemma decreasing01_weakly l : decreasing01 l -> nonincreasing01 l.
Proof. intros D x y Hx Hy [H | <-]; [left; now apply D | lra]. Qed.

(** The quotients of Eq. 8 are [(l(u1) - l(1)) / (l(0) - l(u2))]. *)
Lemma upper_quotient_form l u1 u2 : u1 + u2 = 1 -> quotient l u1 u2 u2 = (l u1 - l 1) / (l 0 - l u2).
Proof. intros E. unfold quotient. now rewrite E, Rminus_eq_0. Qed.

Lemma infimum_of_more (S T : R -> Prop) r s : (forall x, T x -> S x) -> is_infimum S r -> is_infimum T s -> r <= s.
Proof. intros H [L _] [_ G]. apply G. intros x Hx. auto. Qed.

(** ALF Eq. 8, with the ratio between: [r_pointwise <= r <= r_u]. *)
Theorem eq_8 l rp r ru : r_pointwise l rp -> r_transfer l r -> r_upper l ru -> rp <= r <= ru.
Proof.
  intros P T U. split.
  - apply (infimum_of_more (pointwise_quotients l) (transfer_quotients l)); try easy.
    intros x (u1 & u2 & A & B & C & E). exists u1, u2, u2. repeat split; lra.
  - apply (infimum_of_more (transfer_quotients l) (upper_quotients l)); try easy.
    intros x (u1 & u2 & A & B & C & E). exists u1, u2. repeat split; lra.
Qed.

Lemma quotient_at_least l u1 u2 d r :
  l u2 < l (u2 - d) -> (r <= quotient l u1 u2 d <-> r * (l (u2 - d) - l u2) <= l u1 - l (u1 + d)).
Proof.
  intros H. unfold quotient. split; intros A.
  - apply (Rmult_le_compat_r (l (u2 - d) - l u2)) in A; [| lra].
    unfold Rdiv in A. rewrite Rmult_assoc, Rinv_l in A by lra. lra.
  - apply Rmult_le_reg_r with (l (u2 - d) - l u2); [lra |].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.

Lemma quotient_above l u1 u2 d r :
  l u2 < l (u2 - d) -> (r < quotient l u1 u2 d <-> r * (l (u2 - d) - l u2) < l u1 - l (u1 + d)).
Proof.
  intros H. unfold quotient. split; intros A.
  - apply (Rmult_lt_compat_r (l (u2 - d) - l u2)) in A; [| lra].
    unfold Rdiv in A. rewrite Rmult_assoc, Rinv_l in A by lra. lra.
  - apply Rmult_lt_reg_r with (l (u2 - d) - l u2); [lra |].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.

(** ** ALF Theorem 8: [c r_u >= 1] is necessary *)

Theorem theorem_8 K w m n l ru :
  weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> decreasing01 l -> r_upper l ru ->
  asymmetric K (active_loss l) w m -> w m / w n * ru >= 1.
Proof.
  intros Hw Hm Hn P D [_ G] A. destruct (largest_pos K w m n Hw Hm Hn) as [_ Pm].
  assert (w n / w m <= ru).
  { apply G. intros x (u1 & u2 & H1 & H2 & H3 & ->).
    assert (L : l u2 < l (u2 - u2)) by (apply D; unfold in01; lra).
    apply quotient_at_least; [easy |]. rewrite H3, Rminus_eq_0.
    apply (proj1 (asymmetric_iff K _ w m (proj1 Hm) (active_local K l))) with (u := edge m n u2) in A.
    - unfold risk, active_loss in A.
      rewrite (sum_at_vertex K m (fun k x => w k * l x) (proj1 Hm)) in A.
      rewrite (total_edge K (fun k x => w k * l x) m n u2) in A by (apply Hm || apply Hn).
      replace (1 - u2) with u1 in A by lra.
      apply Rmult_le_reg_l with (w m); [lra |].
      replace (w m * (w n / w m * (l 0 - l u2))) with (w n * (l 0 - l u2)) by (field; lra). lra.
    - apply edge_simplex; [apply Hm | apply Hn | apply Hn | lra].
    - intros S. specialize (S m (proj1 Hm)). rewrite vertex_same in S. unfold edge in S.
      destruct (Nat.eq_dec m m); [lra | easy]. }
  apply Rle_ge, Rmult_le_reg_l with (w n / w m); [apply Rdiv_lt_0_compat; lra |].
  replace (w n / w m * (w m / w n * ru)) with ru by (field; lra). lra.
Qed.

(** ** ALF Theorem 6, corrected: [c r > 1] suffices, and [c r = 1] where the infimum is not attained *)

(** The mass of the classes below [J], without [m]. *)
Definition moved (u : nat -> R) (m J : nat) : R := total J (fun k => if Nat.eq_dec k m then 0 else u k).

Lemma moved_bound K u m J : simplex K u -> (m < K)%nat -> (J <= K)%nat -> 0 <= moved u m J <= 1 - u m.
Proof.
  intros Hu Hm HJ.
  assert (P : forall k, (k < K)%nat -> 0 <= (if Nat.eq_dec k m then 0 else u k)).
  { intros k Hk. destruct (Nat.eq_dec k m); [lra | now apply Hu]. }
  rewrite <- (simplex_rest K u m Hu Hm). unfold moved. split.
  - apply total_nonneg. intros k Hk. apply P. lia.
  - now apply total_prefix.
Qed.

(** Class by class, what [m] gains is at least [r] times what the others lose. *)
Lemma gains K l u m r J : decreasing01 l -> simplex K u -> (m < K)%nat -> (J <= K)%nat ->
  (forall x, transfer_quotients l x -> r <= x) ->
  r * total J (fun k => if Nat.eq_dec k m then 0 else l 0 - l (u k)) <= l (u m) - l (u m + moved u m J).
Proof.
  intros D Hu Hm HJ Hr. induction J as [| J IH]; [unfold moved; simpl; rewrite Rplus_0_r; lra |].
  specialize (IH ltac:(lia)). pose proof (moved_bound K u m J Hu Hm ltac:(lia)) as B.
  pose proof (moved_bound K u m (S J) Hu Hm HJ) as B'. unfold moved in *. simpl in *.
  set (s := total J (fun k => if Nat.eq_dec k m then 0 else u k)) in *.
  pose proof (proj1 Hu m Hm). pose proof (proj1 Hu J ltac:(lia)).
  destruct (Nat.eq_dec J m) as [| N]; [rewrite !Rplus_0_r; lra |].
  destruct (Req_dec (u J) 0) as [-> | NZ]; [rewrite Rplus_0_r, Rminus_eq_0; lra |].
  assert (Q : r <= quotient l (u m + s) (u J) (u J)).
  { apply Hr. exists (u m + s), (u J). repeat split; lra. }
  apply quotient_at_least in Q; [| apply D; unfold in01; lra].
  rewrite Rminus_eq_0 in Q. rewrite <- Rplus_assoc. lra.
Qed.

(** The last class that moves gains strictly more where the infimum is not attained. *)
Lemma gains_strictly K l u m r J : decreasing01 l -> simplex K u -> (m < K)%nat -> (J <= K)%nat ->
  (forall x, transfer_quotients l x -> r < x) -> 0 < moved u m J ->
  r * total J (fun k => if Nat.eq_dec k m then 0 else l 0 - l (u k)) < l (u m) - l (u m + moved u m J).
Proof.
  intros D Hu Hm HJ Hr. induction J as [| J IH]; [unfold moved; simpl; lra |]. intros P.
  specialize (IH ltac:(lia)). pose proof (moved_bound K u m J Hu Hm ltac:(lia)) as B.
  pose proof (moved_bound K u m (S J) Hu Hm HJ) as B'.
  pose proof (gains K l u m r J D Hu Hm ltac:(lia) (fun x Hx => Rlt_le _ _ (Hr x Hx))) as G.
  unfold moved in *. simpl in *.
  set (s := total J (fun k => if Nat.eq_dec k m then 0 else u k)) in *.
  pose proof (proj1 Hu m Hm). pose proof (proj1 Hu J ltac:(lia)).
  destruct (Nat.eq_dec J m) as [| N]; [rewrite !Rplus_0_r in *; auto |].
  destruct (Req_dec (u J) 0) as [E | NZ]; [rewrite E, ?Rplus_0_r, Rminus_eq_0 in *; rewrite Rplus_0_r; apply IH; lra |].
  assert (Q : r < quotient l (u m + s) (u J) (u J)).
  { apply Hr. exists (u m + s), (u J). repeat split; lra. }
  apply quotient_above in Q; [| apply D; unfold in01; lra].
  rewrite Rminus_eq_0 in Q. rewrite <- Rplus_assoc. lra.
Qed.

Theorem theorem_6_corrected K w m n l r :
  weights K w -> unique_largest K w m -> runner_up K w m n -> decreasing01 l -> r_transfer l r ->
  w n < w m * r \/ (w n <= w m * r /\ ~ transfer_quotients l r) ->
  asymmetric K (active_loss l) w m.
Proof.
  intros Hw Hm Hn D [Hr _] C. destruct (largest_pos K w m n Hw Hm Hn) as [Pn Pm].
  apply asymmetric_iff; [apply Hm | apply active_local |]. intros u Hu Off.
  apply (off_vertex K u m Hu (proj1 Hm)) in Off.
  set (lost := total K (fun k => if Nat.eq_dec k m then 0 else l 0 - l (u k))).
  assert (R : risk K w (active_loss l) u - risk K w (active_loss l) (vertex m) =
              w m * (l (u m) - l 1) - total K (fun k => if Nat.eq_dec k m then 0 else w k * (l 0 - l (u k)))).
  { unfold risk, active_loss. rewrite (sum_at_vertex K m (fun k x => w k * l x) (proj1 Hm)).
    rewrite (total_split K (fun k => w k * l (u k)) m (proj1 Hm)), (total_split K (fun k => w k * l 0) m (proj1 Hm)).
    rewrite (total_ext K (fun k => if Nat.eq_dec k m then 0 else w k * (l 0 - l (u k)))
      (fun k => (if Nat.eq_dec k m then 0 else w k * l 0) - (if Nat.eq_dec k m then 0 else w k * l (u k)))).
    - rewrite total_minus. ring.
    - intros k _. destruct (Nat.eq_dec k m); ring. }
  assert (E : u m + moved u m K = 1).
  { unfold moved. rewrite (simplex_rest K u m Hu (proj1 Hm)). ring. }
  assert (W : total K (fun k => if Nat.eq_dec k m then 0 else w k * (l 0 - l (u k))) <= w n * lost).
  { unfold lost. rewrite <- total_scal. apply total_le. intros k Hk. destruct (Nat.eq_dec k m) as [| N]; [lra |].
    apply Rmult_le_compat_r; [| now apply Hn].
    assert (l (u k) <= l 0); [| lra]. pose proof (proj1 Hu k Hk). pose proof (simplex_le1 K u k Hu Hk).
    apply decreasing01_weakly; [easy | | |]; unfold in01; lra. }
  assert (G : r * lost <= l (u m) - l 1).
  { rewrite <- E. apply (gains K l u m r K D Hu (proj1 Hm) (Nat.le_refl K) Hr). }
  destruct C as [C | [C NA]].
  - assert (Pl : 0 < lost).
    { assert (M : 0 < moved u m K) by lra.
      assert (exists k, (k < K)%nat /\ k <> m /\ 0 < u k) as (k & Hk & N & Pk).
      { apply NNPP. intros No. assert (moved u m K = 0); [| lra]. apply total_zero. intros k Hk.
        destruct (Nat.eq_dec k m) as [| N]; [reflexivity |]. apply Rle_antisym; [| now apply Hu].
        apply Rnot_lt_le. intros Pk. apply No. now exists k. }
      assert (T : (if Nat.eq_dec k m then 0 else l 0 - l (u k)) <= lost).
      { apply (total_ge_term K (fun k => if Nat.eq_dec k m then 0 else l 0 - l (u k))); [easy |].
        intros j Hj. destruct (Nat.eq_dec j m); [lra |].
        assert (l (u j) <= l 0); [| lra]. pose proof (proj1 Hu j Hj). pose proof (simplex_le1 K u j Hu Hj).
        apply decreasing01_weakly; [easy | | |]; unfold in01; lra. }
      destruct (Nat.eq_dec k m); [easy |].
      assert (l (u k) < l 0); [| lra]. pose proof (simplex_le1 K u k Hu Hk).
      apply D; [unfold in01; lra | unfold in01; lra | easy]. }
    assert (w m * (r * lost) <= w m * (l (u m) - l 1)) by (apply Rmult_le_compat_l; lra).
    assert (0 < (w m * r - w n) * lost) by (apply Rmult_lt_0_compat; lra). lra.
  - assert (S : forall x, transfer_quotients l x -> r < x).
    { intros x Hx. destruct (Rle_lt_or_eq_dec _ _ (Hr x Hx)) as [| ->]; [easy | contradiction]. }
    pose proof (gains_strictly K l u m r K D Hu (proj1 Hm) (Nat.le_refl K) S ltac:(lra)) as G'. rewrite E in G'.
    fold lost in G'.
    assert (w m * (r * lost) < w m * (l (u m) - l 1)) by (apply Rmult_lt_compat_l; lra).
    assert (L0 : 0 <= lost).
    { apply total_nonneg. intros j Hj. destruct (Nat.eq_dec j m); [lra |].
      assert (l (u j) <= l 0); [| lra]. pose proof (proj1 Hu j Hj). pose proof (simplex_le1 K u j Hu Hj).
      apply decreasing01_weakly; [easy | | |]; unfold in01; lra. }
    assert (0 <= (w m * r - w n) * lost) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** Convex losses: all three ratios are [l'(1) / l'(0)] *)

(** A convex function falls at least at the rate of its end slope at 1, and at most at that at 0. *)
Lemma convex_increment l x y d : convex01 l -> in01 x -> in01 (x + d) -> in01 y -> in01 (y + d) -> 0 < d -> x <= y ->
  l y - l (y + d) <= l x - l (x + d).
Proof.
  unfold in01. intros C Hx Hxd Hy Hyd Hd Hxy.
  set (t := (y - x) / (y - x + d)). set (s := y - x + d).
  assert (Ht : 0 <= t <= 1).
  { unfold t. split; [apply div_nonneg; lra |]. apply Rmult_le_reg_r with (y - x + d); [lra |].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  (* y and x + d both lie between x and y + d *)
  pose proof (C (y + d) x t ltac:(unfold in01; lra) ltac:(unfold in01; lra) Ht) as A.
  pose proof (C (y + d) x (1 - t) ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)) as B.
  assert (E1 : t * (y + d) + (1 - t) * x = y) by (unfold t; field; lra).
  assert (E2 : (1 - t) * (y + d) + (1 - (1 - t)) * x = x + d) by (unfold t; field; lra).
  rewrite E1 in A. rewrite E2 in B. lra.
Qed.

Lemma convex_fall_1 l d1 x d : convex01 l -> slope_at_1 l d1 -> 0 <= x -> 0 < d -> x + d <= 1 ->
  - d1 * d <= l x - l (x + d).
Proof.
  intros C S Hx Hd Hxd.
  pose proof (tangent_at_1 l d1 C S (1 - d) ltac:(unfold in01; lra)) as T.
  pose proof (convex_increment l x (1 - d) d C ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)
                ltac:(unfold in01; lra) Hd ltac:(lra)) as I.
  replace (1 - d + d) with 1 in I by ring. replace (1 - (1 - d)) with d in T by ring. lra.
Qed.

Lemma convex_fall_0 l d0 x d : convex01 l -> slope_at_0 l d0 -> 0 <= x -> 0 < d -> x + d <= 1 ->
  l x - l (x + d) <= - d0 * d.
Proof.
  intros C S Hx Hd Hxd.
  pose proof (tangent_at_0 l d0 C S d ltac:(unfold in01; lra)) as T.
  pose proof (convex_increment l 0 x d C ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)
                ltac:(unfold in01; lra) Hd ltac:(lra)) as I.
  rewrite Rplus_0_l in I. lra.
Qed.

(** The quotient on the edge tends to the quotient of the end slopes. *)
Lemma edge_quotient_limit l d0 d1 b : decreasing01 l -> slope_at_0 l d0 -> slope_at_1 l d1 -> d0 < 0 -> d1 <= 0 ->
  (forall x, upper_quotients l x -> b <= x) -> b <= d1 / d0.
Proof.
  intros D S0 S1 N0 N1 B. apply Rnot_lt_le. intros G.
  (* b (l 0 - l t) <= l (1 - t) - l 1 for every t; divide by t *)
  pose proof (proj1 (slope_at_1_reflect l d1) S1) as S1'.
  pose proof (slope_at_0_linear_combination _ _ _ _ 1 b S1' S0) as S. cbv beta in S.
  assert (0 <= 1 * - d1 + b * d0).
  { apply (slope_ge _ _ 0 1 S); [lra |]. intros t Ht. apply div_nonneg; [| lra].
    assert (Q : b <= quotient l (1 - t) t t).
    { apply B. exists (1 - t), t. repeat split; lra. }
    apply quotient_at_least in Q; [| apply D; unfold in01; lra].
    rewrite Rminus_eq_0 in Q. replace (1 - t + t) with 1 in Q by ring. rewrite Rminus_0_r. lra. }
  assert (b * - d0 <= d1 / d0 * - d0).
  { replace (d1 / d0 * - d0) with (- d1) by (field; lra). lra. }
  apply Rmult_le_reg_r in H0; lra.
Qed.

Theorem convex_ratios l d0 d1 :
  convex01 l -> decreasing01 l -> slope_at_0 l d0 -> slope_at_1 l d1 -> d0 < 0 ->
  r_pointwise l (d1 / d0) /\ r_transfer l (d1 / d0) /\ r_upper l (d1 / d0).
Proof.
  intros C D S0 S1 N0.
  assert (N1 : d1 <= 0).
  { pose proof (tangent_at_1 l d1 C S1 0 ltac:(unfold in01; lra)) as T1.
    assert (H : 0 <= - d1); [| lra].
    apply (slope_ge (fun t => l (1 - t)) (- d1) 0 1); [now apply slope_at_1_reflect | lra |].
    intros t Ht. rewrite Rminus_0_r. apply div_nonneg; [| lra].
    assert (l 1 < l (1 - t)) by (apply D; unfold in01; lra). lra. }
  assert (Low : forall x, pointwise_quotients l x -> d1 / d0 <= x).
  { intros x (u1 & u2 & d & H1 & H2 & H3 & H4 & ->).
    apply quotient_at_least; [apply D; unfold in01; lra |].
    pose proof (convex_fall_1 l d1 u1 d C S1 ltac:(lra) ltac:(lra) ltac:(lra)) as F1.
    pose proof (convex_fall_0 l d0 (u2 - d) d C S0 ltac:(lra) ltac:(lra) ltac:(lra)) as F0.
    replace (u2 - d + d) with u2 in F0 by ring.
    assert (R : 0 <= d1 / d0).
    { replace (d1 / d0) with (- d1 / - d0) by (field; lra). apply div_nonneg; lra. }
    apply (Rmult_le_compat_l (d1 / d0)) in F0; [| easy].
    replace (d1 / d0 * (- d0 * d)) with (- d1 * d) in F0 by (field; lra). lra. }
  assert (LowT : forall x, transfer_quotients l x -> d1 / d0 <= x).
  { intros x (u1 & u2 & A & B & E & ->). apply Low. exists u1, u2, u2. repeat split; lra. }
  assert (LowU : forall x, upper_quotients l x -> d1 / d0 <= x).
  { intros x (u1 & u2 & A & B & E & ->). apply LowT. exists u1, u2. repeat split; lra. }
  assert (Up : forall b, (forall x, upper_quotients l x -> b <= x) -> b <= d1 / d0).
  { intros b Hb. now apply (edge_quotient_limit l d0 d1 b D S0 S1 N0 N1). }
  split; [| split]; split; try easy; intros b Hb; apply Up; intros x (u1 & u2 & A & B & E & ->); apply Hb.
  - exists u1, u2, u2. repeat split; lra.
  - exists u1, u2. repeat split; lra.
Qed.

(** ** Concave losses: the ratio of whole transfers is 1 *)

Theorem concave_ratios l : concave01 l -> decreasing01 l -> r_transfer l 1 /\ r_upper l 1.
Proof.
  intros C D.
  assert (Low : forall x, transfer_quotients l x -> 1 <= x).
  { intros x (u1 & u2 & H1 & H2 & H3 & ->).
    apply quotient_at_least; [apply D; unfold in01; lra |]. rewrite Rminus_eq_0, Rmult_1_l.
    pose proof (convex_increment (fun x => - l x) 0 u1 u2 (proj2 (convex01_opp l) C) ltac:(unfold in01; lra)
      ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra) H2 H1) as I.
    cbv beta in I. rewrite Rplus_0_l in I. lra. }
  assert (One : upper_quotients l 1).
  { exists 0, 1. repeat split; try lra. unfold quotient. rewrite Rplus_0_l, Rminus_eq_0.
    assert (l 1 < l 0) by (apply D; unfold in01; lra). field. lra. }
  split; split.
  - exact Low.
  - intros b Hb. apply Hb. destruct One as (u1 & u2 & A & B & E & ->). exists u1, u2. repeat split; lra.
  - intros x (u1 & u2 & A & B & E & ->). apply Low. exists u1, u2. repeat split; lra.
  - intros b Hb. now apply Hb.
Qed.

(** ** The three losses of ALF *)

Lemma agce_strictly_decreasing a q : 0 <= a -> 0 < q -> decreasing01 (agce a q).
Proof.
  intros Ha Hq x y [Hx _] _ H. unfold agce, Rdiv. apply Rmult_lt_compat_r; [now apply Rinv_0_lt_compat |].
  pose proof (power_lt (a + x) (a + y) q ltac:(lra) ltac:(lra) Hq). lra.
Qed.

Lemma aul_strictly_decreasing a p : 1 <= a -> 0 < p -> decreasing01 (aul a p).
Proof.
  intros Ha Hp x y _ [_ Hy] H. unfold aul, Rdiv. apply Rmult_lt_compat_r; [now apply Rinv_0_lt_compat |].
  pose proof (power_lt (a - y) (a - x) p ltac:(lra) ltac:(lra) Hp). lra.
Qed.

(** [r = r_u = (a/(a+1))^(1-q)] for [q <= 1], in all three readings. *)
Theorem agce_ratio a q : 0 < a -> 0 < q <= 1 ->
  let r := Rpower (a / (a + 1)) (1 - q) in
  r_pointwise (agce a q) r /\ r_transfer (agce a q) r /\ r_upper (agce a q) r.
Proof.
  intros Ha Hq r.
  assert (E : r = - power (a + 1) (q - 1) / - power (a + 0) (q - 1)).
  { unfold r. rewrite Rplus_0_r, !power_pos by lra.
    assert (P : 0 < Rpower a (q - 1)) by apply Rpower_pos.
    apply Rmult_eq_reg_r with (Rpower a (q - 1)); [| lra].
    replace (- Rpower (a + 1) (q - 1) / - Rpower a (q - 1) * Rpower a (q - 1)) with (Rpower (a + 1) (q - 1)) by (field; lra).
    unfold Rpower, Rdiv. rewrite <- exp_plus, ln_mult, ln_Rinv; [f_equal; ring | lra | lra | apply Rinv_0_lt_compat; lra]. }
  rewrite E. apply convex_ratios.
  - apply agce_convex; lra.
  - apply agce_strictly_decreasing; lra.
  - apply slope_at_0_of_derivative, agce_derivative; lra.
  - apply slope_at_1_of_derivative, agce_derivative; lra.
  - pose proof (power_gt_0 (a + 0) (q - 1) ltac:(lra)). lra.
Qed.

(** For [q >= 1] the ratio of whole transfers is 1, as printed; Definition 3 as printed is less (see Refuted.v). *)
Theorem agce_ratio_concave a q : 0 <= a -> 1 <= q -> r_transfer (agce a q) 1 /\ r_upper (agce a q) 1.
Proof. intros Ha Hq. apply concave_ratios; [apply agce_concave | apply agce_strictly_decreasing]; lra. Qed.

(** [r = r_u = ((a-1)/a)^(p-1)] for [p >= 1], in all three readings. *)
Theorem aul_ratio a p : 1 < a -> 1 <= p ->
  let r := Rpower ((a - 1) / a) (p - 1) in
  r_pointwise (aul a p) r /\ r_transfer (aul a p) r /\ r_upper (aul a p) r.
Proof.
  intros Ha Hp r.
  assert (E : r = - power (a - 1) (p - 1) / - power (a - 0) (p - 1)).
  { unfold r. rewrite Rminus_0_r, !power_pos by lra.
    assert (P : 0 < Rpower a (p - 1)) by apply Rpower_pos.
    apply Rmult_eq_reg_r with (Rpower a (p - 1)); [| lra].
    replace (- Rpower (a - 1) (p - 1) / - Rpower a (p - 1) * Rpower a (p - 1)) with (Rpower (a - 1) (p - 1)) by (field; lra).
    unfold Rpower, Rdiv. rewrite <- exp_plus, ln_mult, ln_Rinv; [f_equal; ring | lra | lra | apply Rinv_0_lt_compat; lra]. }
  rewrite E. apply convex_ratios.
  - apply aul_convex; lra.
  - apply aul_strictly_decreasing; lra.
  - apply slope_at_0_of_derivative, aul_derivative; lra.
  - apply slope_at_1_of_derivative, aul_derivative; lra.
  - pose proof (power_gt_0 (a - 0) (p - 1) ltac:(lra)). lra.
Qed.

Theorem aul_ratio_concave a p : 1 <= a -> 0 < p <= 1 -> r_transfer (aul a p) 1 /\ r_upper (aul a p) 1.
Proof. intros Ha Hp. apply concave_ratios; [apply aul_concave | apply aul_strictly_decreasing]; lra. Qed.

(** [r = r_u = exp(-1/a)], in all three readings. *)
Theorem ael_ratio a : 0 < a ->
  r_pointwise (ael a) (exp (- (1 / a))) /\ r_transfer (ael a) (exp (- (1 / a))) /\ r_upper (ael a) (exp (- (1 / a))).
Proof.
  intros Ha. pose proof (Rinv_0_lt_compat a Ha).
  assert (Z : ael a 0 = 1) by (unfold ael; rewrite <- exp_0; f_equal; field; lra).
  assert (E : exp (- (1 / a)) = (- / a * ael a 1) / (- / a * ael a 0)).
  { rewrite Z. unfold ael. replace (- (1 / a)) with (- (1) / a) by (field; lra). field. lra. }
  rewrite E. apply convex_ratios.
  - now apply ael_convex.
  - intros x y _ _ L. now apply ael_strictly_decreasing.
  - apply slope_at_0_of_derivative, ael_derivative.
  - apply slope_at_1_of_derivative, ael_derivative.
  - rewrite Z. lra.
Qed.

(** MAE, here [1 - u_y] up to a factor: 1 in all three readings. *)
Theorem mae_ratio : r_pointwise (fun x => 1 - x) 1 /\ r_transfer (fun x => 1 - x) 1 /\ r_upper (fun x => 1 - x) 1.
Proof.
  assert (D : forall x, derivable_pt_lim (fun x => 1 - x) x (-1)).
  { intros x. replace (-1) with (0 - 1) by ring.
    apply derivable_pt_lim_minus; [apply derivable_pt_lim_const | apply derivable_pt_lim_id]. }
  pose proof (convex_ratios (fun x => 1 - x) (-1) (-1)) as C. replace (-1 / -1) with 1 in C by field. apply C.
  - intros x y t _ _ _. lra.
  - intros x y _ _ H. lra.
  - apply slope_at_0_of_derivative, D.
  - apply slope_at_1_of_derivative, D.
  - lra.
Qed.

(** ** ALF Theorem 6 as printed is false

    The loss of slopes -2 and -1 with a bend at 1/2 has [r = 1/2], in all three readings. On [w = (2, 1)], where
    [c r = 1], the risk is 3/2 at [(1/2, 1/2)] and at [e_1]. *)

Definition bent (x : R) : R := Rmax (3 / 2 - 2 * x) (1 - x).

Definition two_to_one (k : nat) : R := match k with 0%nat => 2 | 1%nat => 1 | _ => 0 end.

Lemma bent_cases x : (x <= 1 / 2 /\ bent x = 3 / 2 - 2 * x) \/ (1 / 2 <= x /\ bent x = 1 - x).
Proof.
  unfold bent. destruct (Rle_dec x (1 / 2)); [left | right]; split; try lra.
  - apply Rmax_left. lra.
  - apply Rmax_right. lra.
Qed.

Ltac bent x := let H := fresh in let E := fresh in destruct (bent_cases x) as [[H E] | [H E]]; rewrite E in *.

Lemma bent_decreasing : decreasing01 bent.
Proof. intros x y _ _ H. bent x; bent y; lra. Qed.

Lemma bent_ratio : r_pointwise bent (1 / 2) /\ r_transfer bent (1 / 2).
Proof.
  assert (Low : forall x, pointwise_quotients bent x -> 1 / 2 <= x).
  { intros x (u1 & u2 & d & H1 & H2 & H3 & H4 & ->).
    apply quotient_at_least; [apply bent_decreasing; unfold in01; lra |].
    bent (u2 - d); bent u2; bent u1; bent (u1 + d); lra. }
  assert (Half : transfer_quotients bent (1 / 2)).
  { exists (1 / 2), (1 / 2). repeat split; try lra. unfold quotient.
    bent (1 / 2 - 1 / 2); bent (1 / 2); bent (1 / 2 + 1 / 2); lra. }
  split; split.
  - exact Low.
  - intros b Hb. apply Hb. destruct Half as (u1 & u2 & A & B & E & ->). exists u1, u2, u2. repeat split; lra.
  - intros x (u1 & u2 & A & B & E & ->). apply Low. exists u1, u2, u2. repeat split; lra.
  - intros b Hb. now apply Hb.
Qed.

Theorem theorem_6_as_printed_is_false :
  ~ (forall K w m n l r, weights K w -> unique_largest K w m -> runner_up K w m n -> decreasing01 l ->
       r_pointwise l r -> r_transfer l r -> 1 <= w m / w n * r -> asymmetric K (active_loss l) w m).
Proof.
  intros T. specialize (T 2%nat two_to_one 0%nat 1%nat bent (1 / 2)).
  assert (A : asymmetric 2 (active_loss bent) two_to_one 0).
  { apply T; try apply bent_ratio; try apply bent_decreasing.
    - intros [| [| k]] H; simpl; lra || lia.
    - split; [lia |]. intros [| [| k]] H N; simpl; lra || lia.
    - repeat split; try lia. intros [| [| k]] H N; simpl; lra || lia.
    - simpl. lra. }
  apply (proj1 (asymmetric_iff 2 _ two_to_one 0 ltac:(lia) (active_local 2 bent))) with (u := edge 0 1 (1 / 2)) in A.
  - unfold risk, active_loss, edge, vertex in A. simpl in A.
    bent 1; bent 0; bent (1 - 1 / 2); bent (1 / 2); lra.
  - apply edge_simplex; lia || lra.
  - intros S. specialize (S 0%nat ltac:(lia)). unfold edge, vertex in S. simpl in S. lra.
Qed.
