(** * Sums over classes, the probability simplex and class weights

    The classes are the natural numbers [0, ..., K - 1]. A point, a vector of weights and a loss are functions of all
    natural numbers of which only the values below [K] matter. *)

From Coq Require Import Reals Lra Lia PeanoNat Classical.
Open Scope R_scope.

(** The sum of [f k] over the classes [k < K]. *)
Fixpoint total (K : nat) (f : nat -> R) : R :=
  match K with
  | O => 0
  | S K' => total K' f + f K'
  end.

Definition simplex (K : nat) (u : nat -> R) : Prop :=
  (forall k, (k < K)%nat -> 0 <= u k) /\ total K u = 1.

(** The vertex [e_m]. *)
Definition vertex (m : nat) (k : nat) : R := if Nat.eq_dec k m then 1 else 0.

(** The same point: [u] and [v] agree on every class. *)
Definition same (K : nat) (u v : nat -> R) : Prop := forall k, (k < K)%nat -> u k = v k.

Definition weights (K : nat) (w : nat -> R) : Prop := forall k, (k < K)%nat -> 0 <= w k.

(** [w_m] is the only largest weight. *)
Definition unique_largest (K : nat) (w : nat -> R) (m : nat) : Prop :=
  (m < K)%nat /\ forall k, (k < K)%nat -> k <> m -> w k < w m.

(** [w_n = max_{i <> m} w_i]. *)
Definition runner_up (K : nat) (w : nat -> R) (m n : nat) : Prop :=
  (n < K)%nat /\ n <> m /\ forall k, (k < K)%nat -> k <> m -> w k <= w n.

(** ** Sums *)

Lemma total_ext K f g : (forall k, (k < K)%nat -> f k = g k) -> total K f = total K g.
Proof.
  induction K as [| K IH]; simpl; intros H; [reflexivity |].
  rewrite IH by (intros; apply H; lia). rewrite H by lia. reflexivity.
Qed.

Lemma total_plus K f g : total K (fun k => f k + g k) = total K f + total K g.
Proof. induction K as [| K IH]; simpl; [ring |]. rewrite IH. ring. Qed.

Lemma total_minus K f g : total K (fun k => f k - g k) = total K f - total K g.
Proof. induction K as [| K IH]; simpl; [ring |]. rewrite IH. ring. Qed.

Lemma total_scal K c f : total K (fun k => c * f k) = c * total K f.
Proof. induction K as [| K IH]; simpl; [ring |]. rewrite IH. ring. Qed.

Lemma total_zero K f : (forall k, (k < K)%nat -> f k = 0) -> total K f = 0.
Proof.
  induction K as [| K IH]; simpl; intros H; [reflexivity |].
  rewrite IH by (intros; apply H; lia). rewrite H by lia. ring.
Qed.

Lemma total_const K c : total K (fun _ => c) = INR K * c.
Proof. induction K as [| K IH]; [simpl; ring |]. rewrite S_INR. simpl. rewrite IH. ring. Qed.

Lemma total_le K f g : (forall k, (k < K)%nat -> f k <= g k) -> total K f <= total K g.
Proof.
  induction K as [| K IH]; simpl; intros H; [lra |].
  assert (total K f <= total K g) by (apply IH; intros; apply H; lia).
  specialize (H K ltac:(lia)). lra.
Qed.

Lemma total_nonneg K f : (forall k, (k < K)%nat -> 0 <= f k) -> 0 <= total K f.
Proof. intros H. rewrite <- (total_zero K (fun _ => 0)) by reflexivity. now apply total_le. Qed.

(** The term of one class, taken out of a sum. *)
Lemma total_split K f m :
  (m < K)%nat -> total K f = f m + total K (fun k => if Nat.eq_dec k m then 0 else f k).
Proof.
  induction K as [| K IH]; intros H; [lia |]. simpl.
  destruct (Nat.eq_dec m K) as [-> | N].
  - destruct (Nat.eq_dec K K); [| lia].
    rewrite (total_ext K (fun k => if Nat.eq_dec k K then 0 else f k) f); [ring |].
    intros k Hk. destruct (Nat.eq_dec k K); [lia | reflexivity].
  - destruct (Nat.eq_dec K m); [lia |]. rewrite IH by lia. ring.
Qed.

Lemma total_indicator K f m :
  (m < K)%nat -> total K (fun k => if Nat.eq_dec k m then f k else 0) = f m.
Proof.
  intros H. rewrite (total_split _ _ m H). destruct (Nat.eq_dec m m); [| lia].
  rewrite total_zero; [ring |]. intros k _. now destruct (Nat.eq_dec k m).
Qed.

Lemma total_exchange K J f :
  total K (fun i => total J (fun j => f i j)) = total J (fun j => total K (fun i => f i j)).
Proof.
  induction K as [| K IH]; simpl.
  - symmetry. now apply total_zero.
  - rewrite IH, total_plus. reflexivity.
Qed.

Lemma total_prefix J K f : (J <= K)%nat -> (forall k, (k < K)%nat -> 0 <= f k) -> total J f <= total K f.
Proof.
  intros H. induction H as [| K H IH]; intros P; [lra |]. simpl.
  specialize (P K ltac:(lia)) as PK. assert (total J f <= total K f) by (apply IH; intros; apply P; lia). lra.
Qed.

(** One class is no more than a sum of terms that are not negative. *)
Lemma total_ge_term K f m : (m < K)%nat -> (forall k, (k < K)%nat -> 0 <= f k) -> f m <= total K f.
Proof.
  intros Hm H. rewrite (total_split _ _ m Hm).
  assert (0 <= total K (fun k => if Nat.eq_dec k m then 0 else f k)); [| lra].
  apply total_nonneg. intros k Hk. destruct (Nat.eq_dec k m); [lra | auto].
Qed.

(** ** The simplex *)

Lemma vertex_same m : vertex m m = 1.
Proof. unfold vertex. now destruct (Nat.eq_dec m m). Qed.

Lemma vertex_other m k : k <> m -> vertex m k = 0.
Proof. unfold vertex. now destruct (Nat.eq_dec k m). Qed.

Lemma vertex_simplex K m : (m < K)%nat -> simplex K (vertex m).
Proof.
  intros H. split.
  - intros k _. unfold vertex. destruct (Nat.eq_dec k m); lra.
  - unfold vertex. now rewrite (total_indicator K (fun _ => 1)).
Qed.

Lemma simplex_le1 K u k : simplex K u -> (k < K)%nat -> u k <= 1.
Proof. intros [H <-] Hk. now apply total_ge_term. Qed.

(** What the other classes have: [sum_{k <> m} u_k = 1 - u_m]. *)
Lemma simplex_rest K u m :
  simplex K u -> (m < K)%nat -> total K (fun k => if Nat.eq_dec k m then 0 else u k) = 1 - u m.
Proof. intros [_ H] Hm. rewrite (total_split _ _ m Hm) in H. lra. Qed.

Lemma at_vertex K u m : simplex K u -> (m < K)%nat -> (u m = 1 <-> same K u (vertex m)).
Proof.
  intros Hu Hm. split; [| intros H; rewrite H by easy; apply vertex_same].
  intros H1 k Hk. destruct (Nat.eq_dec k m) as [-> | N]; [now rewrite vertex_same |].
  rewrite vertex_other by easy. pose proof (simplex_rest K u m Hu Hm) as E.
  pose proof (proj1 Hu) as P. apply Rle_antisym; [| auto].
  set (rest := fun j => if Nat.eq_dec j m then 0 else u j) in *.
  assert (rest k <= total K rest).
  { apply total_ge_term; [easy |]. intros j Hj. unfold rest. destruct (Nat.eq_dec j m); [lra | auto]. }
  assert (rest k = u k) by (unfold rest; now destruct (Nat.eq_dec k m)). lra.
Qed.

Lemma off_vertex K u m : simplex K u -> (m < K)%nat -> (u m < 1 <-> ~ same K u (vertex m)).
Proof.
  intros Hu Hm. rewrite <- (at_vertex K u m Hu Hm).
  pose proof (simplex_le1 K u m Hu Hm). lra.
Qed.

(** The point [(1 - t) e_m + t e_n] of the edge from [e_m] to [e_n]. *)
Definition edge (m n : nat) (t : R) (k : nat) : R :=
  if Nat.eq_dec k m then 1 - t else if Nat.eq_dec k n then t else 0.

Lemma total_edge K (f : nat -> R -> R) m n t : (m < K)%nat -> (n < K)%nat -> n <> m ->
  total K (fun k => f k (edge m n t k)) =
  total K (fun k => f k 0) + (f m (1 - t) - f m 0) + (f n t - f n 0).
Proof.
  intros Hm Hn N.
  rewrite (total_split K (fun k => f k (edge m n t k)) m Hm), (total_split K (fun k => f k 0) m Hm).
  rewrite (total_split K _ n Hn), (total_split K (fun k => if Nat.eq_dec k m then 0 else f k 0) n Hn).
  unfold edge. destruct (Nat.eq_dec n m); [lia |]. destruct (Nat.eq_dec m m); [| lia].
  destruct (Nat.eq_dec n n); [| lia].
  set (S := total K _). set (S' := total K _).
  assert (S = S') as ->; [| ring].
  apply total_ext. intros k _. destruct (Nat.eq_dec k n), (Nat.eq_dec k m); try reflexivity; lia.
Qed.

Lemma edge_simplex K m n t :
  (m < K)%nat -> (n < K)%nat -> n <> m -> 0 <= t <= 1 -> simplex K (edge m n t).
Proof.
  intros Hm Hn N Ht. split.
  - intros k _. unfold edge. destruct (Nat.eq_dec k m); [lra |]. destruct (Nat.eq_dec k n); lra.
  - rewrite (total_edge K (fun _ x => x)) by easy. rewrite total_zero; [ring | easy].
Qed.

(** ** Weights *)

(** With two classes or more there is a second largest weight. *)
Lemma runner_up_exists K w m : (2 <= K)%nat -> (m < K)%nat -> exists n, runner_up K w m n.
Proof.
  intros HK Hm.
  assert (L : forall J, (J <= K)%nat -> (forall k, (k < J)%nat -> k = m) \/
                exists n, (n < J)%nat /\ n <> m /\ forall k, (k < J)%nat -> k <> m -> w k <= w n).
  { induction J as [| J IH]; intros HJ; [left; lia |].
    destruct (Nat.eq_dec J m) as [-> | N].
    - destruct (IH ltac:(lia)) as [A | (n & Hn & Nn & A)].
      + left. intros k Hk. destruct (Nat.eq_dec k m); [easy |]. apply A. lia.
      + right. exists n. repeat split; try lia. intros k Hk Nk. apply A; lia.
    - right. destruct (IH ltac:(lia)) as [A | (n & Hn & Nn & A)].
      + exists J. repeat split; try lia. intros k Hk Nk. destruct (Nat.eq_dec k J) as [-> | NJ]; [lra |].
        specialize (A k ltac:(lia)). lia.
      + destruct (Rle_dec (w J) (w n)) as [LE | GT].
        * exists n. repeat split; try lia. intros k Hk Nk.
          destruct (Nat.eq_dec k J) as [-> | NJ]; [easy | apply A; lia].
        * exists J. repeat split; try lia. intros k Hk Nk.
          destruct (Nat.eq_dec k J) as [-> | NJ]; [lra |]. specialize (A k ltac:(lia) Nk). lra. }
  destruct (L K ltac:(lia)) as [A | (n & A)]; [| now exists n].
  destruct (Nat.eq_dec m 0) as [-> | N0]; [specialize (A 1%nat ltac:(lia)) | specialize (A 0%nat ltac:(lia))]; lia.
Qed.

(** The total weight. *)
Lemma weight_le_total K w k : weights K w -> (k < K)%nat -> w k <= total K w.
Proof. intros H Hk. now apply total_ge_term. Qed.

(** The positive total of weights with a largest one. *)
Lemma largest_pos K w m n : weights K w -> unique_largest K w m -> runner_up K w m n -> 0 <= w n < w m.
Proof. intros H [Hm U] (Hn & N & _). split; [now apply H | now apply U]. Qed.

(** An inequality on the weights, and on their quotient. *)
Lemma quotient_ge x y t : 0 < y -> (y * t <= x <-> x / y >= t).
Proof.
  intros P. split; intros H.
  - apply Rle_ge, Rmult_le_reg_l with y; [easy |]. replace (y * (x / y)) with x by (field; lra). easy.
  - apply Rge_le in H. apply (Rmult_le_compat_l y) in H; [| lra].
    replace (y * (x / y)) with x in H by (field; lra). easy.
Qed.
