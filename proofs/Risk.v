(** * Losses, the weighted risk and its separation

    A loss [L u y] is a function of a point [u] of the simplex and a label [y]. It is *asymmetric* on weights [w] with the
    unique largest weight [w_m] when [e_m] is the one minimiser of the weighted risk
    [F_w(u) = sum_k w_k L(u, k)] (ALF Def. 2, JAL Def. 4.4). *)

From Coq Require Import Reals Lra Lia PeanoNat Classical.
From Asymtheory Require Import Simplex.
Open Scope R_scope.

Definition loss := (nat -> R) -> nat -> R.

(** The weighted risk [F_w]. *)
Definition risk (K : nat) (w : nat -> R) (L : loss) (u : nat -> R) : R :=
  total K (fun k => w k * L u k).

Definition minimises (K : nat) (F : (nat -> R) -> R) (u : nat -> R) : Prop :=
  simplex K u /\ forall v, simplex K v -> F u <= F v.

(** [argmin F = {v}] on the simplex. *)
Definition only_minimiser (K : nat) (F : (nat -> R) -> R) (v : nat -> R) : Prop :=
  forall u, simplex K u -> (minimises K F u <-> same K u v).

(** ALF Definition 2 and JAL Definition 4.4: [argmin_u sum_k w_k L(u, k) = {e_m}]. *)
Definition asymmetric (K : nat) (L : loss) (w : nat -> R) (m : nat) : Prop :=
  only_minimiser K (risk K w L) (vertex m).

(** ALF after Definition 2: asymmetric on every vector of weights with a unique largest one. *)
Definition completely_asymmetric (K : nat) (L : loss) : Prop :=
  forall w m, weights K w -> unique_largest K w m -> asymmetric K L w m.

(** [L(u, y) = active(u_y) + sum_{k <> y} passive(u_k)]. *)
Definition separable (K : nat) (active passive : R -> R) : loss :=
  fun u y => active (u y) + total K (fun k => if Nat.eq_dec k y then 0 else passive (u k)).

(** An active loss, [L(u, y) = l(u_y)]. *)
Definition active_loss (l : R -> R) : loss := fun u y => l (u y).

(** [phi_k = w_k active + (W - w_k) passive]. *)
Definition phi (W wk : R) (active passive : R -> R) (x : R) : R := wk * active x + (W - wk) * passive x.

(** A function of the point that looks at no class beyond [K]. *)
Definition local (K : nat) (F : (nat -> R) -> R) : Prop := forall u v, same K u v -> F u = F v.

(** A strict form of "only minimiser" that proofs use. *)
Lemma only_minimiser_iff K F m : (m < K)%nat -> local K F ->
  (only_minimiser K F (vertex m) <->
   forall u, simplex K u -> ~ same K u (vertex m) -> F (vertex m) < F u).
Proof.
  intros Hm Hl. split.
  - intros H u Hu N. pose proof (vertex_simplex K m Hm) as Hv.
    assert (M : minimises K F (vertex m)) by (apply H; [easy | intros k _; reflexivity]).
    destruct M as [_ M]. destruct (Rle_lt_or_eq_dec _ _ (M u Hu)) as [| E]; [easy |].
    exfalso. apply N, H; [easy |]. split; [easy |]. intros v Hv'. rewrite <- E. auto.
  - intros H u Hu. split.
    + intros [_ M]. apply NNPP. intros N. specialize (M _ (vertex_simplex K m Hm)). specialize (H u Hu N). lra.
    + intros E. split; [easy |]. intros v Hv. rewrite (Hl u (vertex m) E).
      destruct (classic (same K v (vertex m))) as [S | N]; [rewrite (Hl v _ S); lra | left; auto].
Qed.

(** Far from [e_m] the function stays above its value there. *)
Definition well_posed (K : nat) (F : (nat -> R) -> R) (m : nat) : Prop :=
  forall delta, 0 < delta -> exists eps, 0 < eps /\
    forall u, simplex K u -> u m <= 1 - delta -> F (vertex m) + eps <= F u.

(** A loss that looks at no class beyond [K]. *)
Definition local_loss (K : nat) (L : loss) : Prop :=
  forall u v y, (y < K)%nat -> same K u v -> L u y = L v y.

Lemma risk_local K w L : local_loss K L -> local K (risk K w L).
Proof. intros H u v E. apply total_ext. intros k Hk. now rewrite (H u v k Hk E). Qed.

Lemma separable_local K active passive : local_loss K (separable K active passive).
Proof.
  intros u v y Hy E. unfold separable. rewrite E by easy. f_equal. apply total_ext.
  intros k Hk. destruct (Nat.eq_dec k y); [reflexivity | now rewrite E].
Qed.

Lemma asymmetric_iff K L w m : (m < K)%nat -> local_loss K L ->
  (asymmetric K L w m <->
   forall u, simplex K u -> ~ same K u (vertex m) -> risk K w L (vertex m) < risk K w L u).
Proof. intros Hm Hl. apply only_minimiser_iff; [easy | now apply risk_local]. Qed.

(** The risk of one loss is that of another with the same values on the simplex, up to a positive factor. *)
Lemma asymmetric_scaled K L L' w m c : 0 < c ->
  (forall u y, simplex K u -> (y < K)%nat -> L u y = c * L' u y) ->
  (asymmetric K L w m <-> asymmetric K L' w m).
Proof.
  intros Hc E.
  assert (R : forall u, simplex K u -> risk K w L u = c * risk K w L' u).
  { intros u Hu. unfold risk. rewrite <- total_scal. apply total_ext. intros k Hk. rewrite E by easy. ring. }
  assert (M : forall u, simplex K u -> (minimises K (risk K w L) u <-> minimises K (risk K w L') u)).
  { intros u Hu. split; intros [_ H]; split; try easy; intros v Hv; specialize (H v Hv).
    - rewrite !R in H by easy. now apply Rmult_le_reg_l in H.
    - rewrite !R by easy. apply Rmult_le_compat_l; lra. }
  split; intros H u Hu; specialize (H u Hu); specialize (M u Hu); tauto.
Qed.

(** ** The separation: [F_w(u) = sum_k phi_k(u_k)] *)

Theorem risk_separates K w active passive u :
  risk K w (separable K active passive) u =
  total K (fun k => phi (total K w) (w k) active passive (u k)).
Proof.
  set (W := total K w).
  set (S := total K (fun k => passive (u k))).
  assert (E : forall y, (y < K)%nat -> total K (fun k => if Nat.eq_dec k y then 0 else passive (u k)) = S - passive (u y)).
  { intros y Hy. unfold S. rewrite (total_split K (fun k => passive (u k)) y Hy). ring. }
  unfold risk, separable.
  rewrite (total_ext K _ (fun k => w k * (active (u k) - passive (u k)) + S * w k))
    by (intros k Hk; rewrite E by easy; ring).
  rewrite total_plus, total_scal. fold W. unfold phi.
  rewrite (total_ext K (fun k => w k * active (u k) + (W - w k) * passive (u k))
             (fun k => w k * (active (u k) - passive (u k)) + W * passive (u k))) by (intros; ring).
  rewrite total_plus, total_scal. fold S. ring.
Qed.

(** An active loss is a separable one without a passive part. *)
Lemma active_is_separable K l u y : active_loss l u y = separable K l (fun _ => 0) u y.
Proof.
  unfold active_loss, separable. rewrite total_zero; [ring |]. intros k _. now destruct (Nat.eq_dec k y).
Qed.

Lemma active_local K l : local_loss K (active_loss l).
Proof. intros u v y Hy E. unfold active_loss. now rewrite E. Qed.

Lemma asymmetric_active K l w m :
  asymmetric K (active_loss l) w m <-> asymmetric K (separable K l (fun _ => 0)) w m.
Proof.
  apply (asymmetric_scaled _ _ _ _ _ 1); [lra |]. intros u y _ _. rewrite active_is_separable with (K := K). ring.
Qed.
