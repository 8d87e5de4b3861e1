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
