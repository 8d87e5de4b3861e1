(** * Normalised losses: NCE, NFL, their sums with a separable loss, and the negative losses

    [L(u, y) = g(u_y) / sum_k g(u_k)] with [g] infinite at 0 and 0 at 1 has no value at a vertex. So the statements are about
    the open simplex and its limits: a risk is *asymmetric in the limit* when points of nearly least risk are near [e_m]. *)

From Coq Require Import Reals Lra Lia PeanoNat Classical.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power Amse.
Open Scope R_scope.

Definition interior (K : nat) (u : nat -> R) : Prop := (forall k, (k < K)%nat -> 0 < u k) /\ total K u = 1.

Definition near (K : nat) (delta : R) (u v : nat -> R) : Prop := forall k, (k < K)%nat -> Rabs (u k - v k) < delta.

Definition nearly_least (K : nat) (F : (nat -> R) -> R) (eps : R) (u : nat -> R) : Prop :=
  interior K u /\ forall v, interior K v -> F u <= F v + eps.

(** Every minimising sequence tends to [e_m]. *)
Definition asymmetric_in_the_limit (K : nat) (F : (nat -> R) -> R) (m : nat) : Prop :=
  forall delta, 0 < delta -> exists eps, 0 < eps /\ forall u, nearly_least K F eps u -> 1 - delta < u m.

Definition normalised (K : nat) (g : R -> R) : loss := fun u y => g (u y) / total K (fun k => g (u k)).

(** What the base loss must be: positive inside (0, 1), decreasing, and unbounded at 0. *)
Record unbounded_base (g : R -> R) : Prop := {
  base_positive : forall x, 0 < x < 1 -> 0 < g x;
  base_decreasing : forall x y, 0 < x -> x <= y -> y < 1 -> g y <= g x;
  base_unbounded : forall M, exists delta, 0 < delta /\ forall x, 0 < x < delta -> x < 1 -> M < g x }.

Lemma interior_simplex K u : interior K u -> simplex K u.
Proof. intros [P S]. split; [intros k Hk; left; auto | easy]. Qed.

Lemma interior_lt_1 K u k : (2 <= K)%nat -> interior K u -> (k < K)%nat -> u k < 1.
Proof.
  intros HK Hu Hk. pose proof (simplex_rest K u k (interior_simplex K u Hu) Hk) as R.
  assert (exists j, (j < K)%nat /\ j <> k) as (j & Hj & N).
  { destruct (Nat.eq_dec k 0) as [-> |]; [exists 1%nat | exists 0%nat]; lia. }
  assert (T : (if Nat.eq_dec j k then 0 else u j) <= total K (fun i => if Nat.eq_dec i k then 0 else u i)).
  { apply (total_ge_term K (fun i => if Nat.eq_dec i k then 0 else u i)); [easy |].
    intros i Hi. destruct (Nat.eq_dec i k); [lra | left; now apply Hu]. }
  destruct (Nat.eq_dec j k); [easy |]. pose proof (proj1 Hu j Hj). lra.
Qed.

Lemma risk_normalised K w g u :
  risk K w (normalised K g) u = total K (fun j => w j * g (u j)) / total K (fun j => g (u j)).
Proof.
  unfold risk, normalised, Rdiv. rewrite (Rmult_comm (total K _)), <- total_scal. apply total_ext. intros; ring.
Qed.

(** A least weight. *)
Definition least_class (K : nat) (w : nat -> R) (k : nat) : Prop := (k < K)%nat /\ forall j, (j < K)%nat -> w k <= w j.

Section Base.

Variables (K : nat) (w : nat -> R) (g : R -> R).
Hypothesis HK : (2 <= K)%nat.
Hypothesis Hw : weights K w.
Hypothesis Hg : unbounded_base g.

Lemma base_total_pos u : interior K u -> 0 < total K (fun j => g (u j)).
Proof.
  intros Hu.
  assert (P : forall j, (j < K)%nat -> 0 < g (u j)).
  { intros j Hj. apply base_positive; [easy |]. split; [now apply Hu | now apply (interior_lt_1 K)]. }
  apply Rlt_le_trans with (g (u 0%nat)); [apply P; lia |].
  apply (total_ge_term K (fun j => g (u j))); [lia |]. intros j Hj. left. auto.
Qed.

(** The risk is an average of the weights. *)
Lemma normalised_at_least k u : least_class K w k -> interior K u -> w k <= risk K w (normalised K g) u.
Proof.
  intros [_ Hk] Hu. rewrite risk_normalised. pose proof (base_total_pos u Hu) as P.
  apply Rmult_le_reg_r with (total K (fun j => g (u j))); [easy |].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. rewrite <- total_scal. apply total_le.
  intros j Hj. apply Rmult_le_compat_r; [| auto]. left.
  apply base_positive; [easy |]. split; [now apply Hu | now apply (interior_lt_1 K)].
Qed.

(** It tends to [w_k] along a path to any point with [v_k = 0]. *)
Lemma normalised_limit k v delta eps : (k < K)%nat -> simplex K v -> v k = 0 -> 0 < delta -> 0 < eps ->
  exists u, interior K u /\ near K delta u v /\ risk K w (normalised K g) u < w k + eps.
Proof.
  intros Hk Hv Vk Hd He.
  assert (exists i, (i < K)%nat /\ i <> k) as (i & Hi & N).
  { destruct (Nat.eq_dec k 0) as [-> |]; [exists 1%nat | exists 0%nat]; lia. }
  assert (K2 : 2 <= INR K) by (replace 2 with (INR 2) by (simpl; ring); now apply le_INR).
  set (s := Rmin (delta / 3) (1 / 2)).
  assert (Hs : 0 < s /\ s <= delta / 3 /\ s <= 1 / 2).
  { unfold s. pose proof (Rmin_l (delta / 3) (1 / 2)). pose proof (Rmin_r (delta / 3) (1 / 2)).
    repeat split; try easy. apply Rmin_pos; lra. }
  set (c := s / INR K). assert (Hc : 0 < c <= s / 2).
  { unfold c. split; [apply Rdiv_lt_0_compat; lra |]. unfold Rdiv. apply Rmult_le_compat_l; [lra |].
    apply Rinv_le_contravar; lra. }
  set (u' := fun j => (1 - s) * v j + c).
  assert (U' : forall j, (j < K)%nat -> 0 < u' j < 1 /\ - s <= u' j - v j <= s).
  { intros j Hj. unfold u'. pose proof (proj1 Hv j Hj). pose proof (simplex_le1 K v j Hv Hj).
    assert (0 <= (1 - s) * v j <= (1 - s) * 1) by (split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_l; lra]).
    assert (0 <= s * v j <= s * 1) by (split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_l; lra]).
    repeat split; lra. }
  assert (S' : total K u' = 1).
  { unfold u'. rewrite total_plus, total_scal, total_const, (proj2 Hv). unfold c. field. lra. }
  set (G := total K (fun j => if Nat.eq_dec j k then 0 else g (u' j))).
  assert (G0 : 0 <= G).
  { apply total_nonneg. intros j Hj. destruct (Nat.eq_dec j k); [lra |]. left. now apply base_positive, U'. }
  set (W := total K w). assert (W0 : 0 <= W) by (now apply total_nonneg).
  destruct (base_unbounded g Hg (W * G / eps)) as (r & Hr & B).
  set (t := Rmin c r / 2).
  assert (Ht : 0 < t /\ t < c /\ t < r).
  { unfold t. pose proof (Rmin_l c r). pose proof (Rmin_r c r).
    assert (0 < Rmin c r) by (apply Rmin_pos; lra). lra. }
  set (u := fun j => if Nat.eq_dec j k then t else if Nat.eq_dec j i then u' j + (c - t) else u' j).
  assert (Uk : u k = t) by (unfold u; now destruct (Nat.eq_dec k k)).
  assert (Uj : forall j, (j < K)%nat -> j <> k -> u' j <= u j <= u' j + c).
  { intros j Hj Nj. unfold u. destruct (Nat.eq_dec j k); [easy |]. destruct (Nat.eq_dec j i); lra. }
  assert (I : interior K u).
  { split.
    - intros j Hj. destruct (Nat.eq_dec j k) as [-> | Nj]; [rewrite Uk; lra |].
      specialize (Uj j Hj Nj). specialize (U' j Hj). lra.
    - rewrite (total_split K u k Hk), Uk. rewrite (total_split K u' k Hk) in S'.
      rewrite (total_split K (fun j => if Nat.eq_dec j k then 0 else u j) i Hi).
      rewrite (total_split K (fun j => if Nat.eq_dec j k then 0 else u' j) i Hi) in S'.
      destruct (Nat.eq_dec i k); [easy |].
      assert (u i = u' i + (c - t)) as ->.
      { unfold u. destruct (Nat.eq_dec i k); [easy |]. now destruct (Nat.eq_dec i i). }
      assert (u' k = c) by (unfold u'; rewrite Vk; ring).
      rewrite (total_ext K (fun j => if Nat.eq_dec j i then 0 else if Nat.eq_dec j k then 0 else u j)
                 (fun j => if Nat.eq_dec j i then 0 else if Nat.eq_dec j k then 0 else u' j)); [lra |].
      intros j _. unfold u. destruct (Nat.eq_dec j i), (Nat.eq_dec j k); reflexivity. }
  exists u. split; [easy |]. split.
  - intros j Hj. destruct (Nat.eq_dec j k) as [-> | Nj].
    + rewrite Uk, Vk, Rminus_0_r, Rabs_pos_eq; lra.
    + specialize (Uj j Hj Nj). destruct (U' j Hj) as [_ A]. apply Rabs_def1; lra.
  - rewrite risk_normalised. pose proof (base_total_pos u I) as P.
    assert (Gt : W * G / eps < g t) by (apply B; lra).
    assert (gt0 : 0 < g t) by (apply base_positive; [easy | lra]).
    apply Rmult_lt_reg_r with (total K (fun j => g (u j))); [easy |].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    rewrite (total_split K (fun j => w j * g (u j)) k Hk), (total_split K (fun j => g (u j)) k Hk), Uk.
    set (R := total K (fun j => if Nat.eq_dec j k then 0 else g (u j))).
    assert (HR : 0 <= R <= G).
    { split.
      - apply total_nonneg. intros j Hj. destruct (Nat.eq_dec j k); [lra |]. left. apply base_positive; [easy |].
        split; [now apply I | now apply (interior_lt_1 K)].
      - apply total_le. intros j Hj. destruct (Nat.eq_dec j k); [lra |].
        apply base_decreasing; [easy | now apply U' | now apply Uj | now apply (interior_lt_1 K)]. }
    assert (A : total K (fun j => if Nat.eq_dec j k then 0 else w j * g (u j)) <= W * R).
    { unfold R. rewrite <- total_scal. apply total_le. intros j Hj. destruct (Nat.eq_dec j k); [lra |].
      apply Rmult_le_compat_r; [| now apply weight_le_total]. left. apply base_positive; [easy |].
      split; [now apply I | now apply (interior_lt_1 K)]. }
    assert (W * R <= W * G) by (apply Rmult_le_compat_l; lra).
    apply (Rmult_lt_compat_r eps) in Gt; [| easy]. unfold Rdiv in Gt. rewrite Rmult_assoc, Rinv_l, Rmult_1_r in Gt by lra.
    assert (0 <= (w k + eps) * R) by (apply Rmult_le_pos; [pose proof (Hw k Hk) |]; lra). lra.
Qed.

End Base.

(** ** A least class beside [m] and [n] *)

Lemma least_class_exists K w m n : (3 <= K)%nat -> unique_largest K w m -> runner_up K w m n ->
  exists k, least_class K w k /\ k <> m /\ k <> n.
Proof.
  intros HK [Hm U] (Hn & N & R).
  assert (L : forall J, (J <= K)%nat -> (forall j, (j < J)%nat -> j = m \/ j = n) \/
            exists k, (k < J)%nat /\ k <> m /\ k <> n /\ forall j, (j < J)%nat -> j <> m -> j <> n -> w k <= w j).
  { induction J as [| J IH]; intros HJ; [left; lia |].
    destruct (IH ltac:(lia)) as [A | (k & Hk & Km & Kn & A)].
    - destruct (Nat.eq_dec J m) as [-> | Jm]; [left; intros j Hj; destruct (Nat.eq_dec j m); [now left | apply A; lia] |].
      destruct (Nat.eq_dec J n) as [-> | Jn]; [left; intros j Hj; destruct (Nat.eq_dec j n); [now right | apply A; lia] |].
      right. exists J. repeat split; try lia. intros j Hj Nm Nn. destruct (Nat.eq_dec j J) as [-> |]; [lra |].
      destruct (A j ltac:(lia)); contradiction.
    - right. destruct (Nat.eq_dec J m) as [-> | Jm];
        [exists k; repeat split; try lia; intros j Hj Nm Nn; apply A; lia |].
      destruct (Nat.eq_dec J n) as [-> | Jn]; [exists k; repeat split; try lia; intros j Hj Nm Nn; apply A; lia |].
      destruct (Rle_dec (w k) (w J)) as [LE | GT].
      + exists k. repeat split; try lia. intros j Hj Nm Nn. destruct (Nat.eq_dec j J) as [-> |]; [easy | apply A; lia].
      + exists J. repeat split; try lia. intros j Hj Nm Nn. destruct (Nat.eq_dec j J) as [-> | NJ]; [lra |].
        specialize (A j ltac:(lia) Nm Nn). lra. }
  destruct (L K (Nat.le_refl K)) as [A | (k & Hk & Km & Kn & A)].
  - exfalso. pose proof (A 0%nat ltac:(lia)). pose proof (A 1%nat ltac:(lia)). pose proof (A 2%nat ltac:(lia)). lia.
  - exists k. repeat split; try easy. intros j Hj.
    destruct (Nat.eq_dec j m) as [-> | Nm]; [left; now apply U |].
    destruct (Nat.eq_dec j n) as [-> | Nn]; [now apply R | now apply A].
Qed.

(** ** [K >= 3]: no unique minimiser *)

(** The infimum is the least weight; it is approached at every point [v] with [v_k = 0]. *)
Theorem normalised_infimum K w g k v : (2 <= K)%nat -> weights K w -> unbounded_base g -> least_class K w k ->
  simplex K v -> v k = 0 ->
  (forall u, interior K u -> w k <= risk K w (normalised K g) u) /\
  (forall delta eps, 0 < delta -> 0 < eps ->
     exists u, interior K u /\ near K delta u v /\ risk K w (normalised K g) u < w k + eps).
Proof.
  intros HK Hw Hg Hk Hv Vk. split.
  - intros u Hu. now apply normalised_at_least.
  - intros delta eps Hd He. apply normalised_limit; try easy. apply Hk.
Qed.

(** So with three classes or more a normalised loss alone is not asymmetric. *)
Theorem normalised_not_asymmetric K w g m : (3 <= K)%nat -> weights K w -> unbounded_base g -> unique_largest K w m ->
  ~ asymmetric_in_the_limit K (risk K w (normalised K g)) m.
Proof.
  intros HK Hw Hg Hm A. destruct (runner_up_exists K w m ltac:(lia) (proj1 Hm)) as [n Hn].
  destruct (least_class_exists K w m n HK Hm Hn) as (k & Hk & Km & Kn).
  destruct (A (1 / 2) ltac:(lra)) as (eps & He & B).
  assert (Vk : vertex n k = 0) by (now apply vertex_other).
  destruct (normalised_infimum K w g k (vertex n) ltac:(lia) Hw Hg Hk (vertex_simplex K n (proj1 Hn)) Vk) as [Low Lim].
  destruct (Lim (1 / 2) eps ltac:(lra) He) as (u & Hu & Nu & Ru).
  assert (1 - 1 / 2 < u m).
  { apply B. split; [easy |]. intros v Hv. specialize (Low v Hv). lra. }
  specialize (Nu m (proj1 Hm)). rewrite vertex_other in Nu by (intros ->; now destruct Hn as (_ & ? & _)).
  apply Rabs_def2 in Nu. lra.
Qed.

(** ** [K = 2]: the infimum is approached at [e_m] alone *)

Theorem normalised_two_classes w g m : weights 2 w -> unbounded_base g -> unique_largest 2 w m ->
  asymmetric_in_the_limit 2 (risk 2 w (normalised 2 g)) m.
Proof.
  intros Hw Hg [Hm U].
  set (n := (1 - m)%nat). assert (Hn : (n < 2)%nat /\ n <> m) by (unfold n; lia).
  specialize (U n (proj1 Hn) (proj2 Hn)).
  assert (two : forall f, total 2 f = f m + f n).
  { intros f. unfold n. destruct m as [| [| m']]; [| | lia]; simpl; ring. }
  assert (Least : least_class 2 w n).
  { split; [easy |]. intros j Hj. assert (j = m \/ j = n) as [-> | ->] by (unfold n; lia); lra. }
  intros delta Hd. set (d := Rmin delta (1 / 2)).
  assert (Hdd : 0 < d <= 1 / 2 /\ d <= delta).
  { unfold d. pose proof (Rmin_l delta (1 / 2)). pose proof (Rmin_r delta (1 / 2)).
    repeat split; try easy. apply Rmin_pos; lra. }
  (* where u_m <= 1 - d: g(u_m) >= g(1 - d), g(u_n) <= g(d) *)
  set (x := g (1 - d)). set (y := g d).
  assert (Px : 0 < x) by (apply base_positive; [easy | lra]). assert (Py : 0 < y) by (apply base_positive; [easy | lra]).
  exists ((w m - w n) * (x / (x + y)) / 2).
  assert (E0 : 0 < (w m - w n) * (x / (x + y))).
  { apply Rmult_lt_0_compat; [lra |]. apply Rdiv_lt_0_compat; lra. }
  split; [lra |]. intros u [Hu Least_u]. apply Rnot_le_lt. intros Far.
  pose proof (proj2 Hu) as S. rewrite two in S.
  assert (Pm : 0 < u m) by (apply Hu; lia). assert (Pn : 0 < u n) by (apply Hu; lia).
  assert (Gm : x <= g (u m)) by (apply base_decreasing; [easy | easy | lra | lra]).
  assert (Gn : g (u n) <= y) by (apply base_decreasing; [easy | lra | lra | lra]).
  assert (Gn0 : 0 < g (u n)) by (apply base_positive; [easy | lra]).
  assert (R : w n + (w m - w n) * (x / (x + y)) <= risk 2 w (normalised 2 g) u).
  { rewrite risk_normalised, !two.
    assert (Q : x / (x + y) <= g (u m) / (g (u m) + g (u n))).
    { apply Rmult_le_reg_r with ((x + y) * (g (u m) + g (u n))); [apply Rmult_lt_0_compat; lra |].
      replace (x / (x + y) * ((x + y) * (g (u m) + g (u n)))) with (x * (g (u m) + g (u n))) by (field; lra).
      replace (g (u m) / (g (u m) + g (u n)) * ((x + y) * (g (u m) + g (u n)))) with (g (u m) * (x + y)) by (field; lra).
      assert (x * g (u n) <= g (u m) * y) by (apply Rmult_le_compat; lra). lra. }
    replace ((w m * g (u m) + w n * g (u n)) / (g (u m) + g (u n)))
      with (w n + (w m - w n) * (g (u m) / (g (u m) + g (u n)))) by (field; lra).
    apply Rplus_le_compat_l, Rmult_le_compat_l; lra. }
  destruct (normalised_limit 2 w g ltac:(lia) Hw Hg n (vertex m) 1 ((w m - w n) * (x / (x + y)) / 2))
    as (v & Hv & _ & Rv); [easy | now apply vertex_simplex | now apply vertex_other | lra | lra |].
  specialize (Least_u v Hv). lra.
Qed.

(** ** NCE and NFL *)

Definition cross_entropy (x : R) : R := - ln x.
Definition focal (gamma x : R) : R := - (Rpower (1 - x) gamma * ln x).

Lemma ln_neg x : 0 < x < 1 -> ln x < 0.
Proof. intros H. rewrite <- ln_1. apply ln_increasing; lra. Qed.

Lemma cross_entropy_base : unbounded_base cross_entropy.
Proof.
  unfold cross_entropy. split.
  - intros x Hx. pose proof (ln_neg x Hx). lra.
  - intros x y Hx [H | <-] Hy; [| lra]. pose proof (ln_increasing x y Hx H). lra.
  - intros M. exists (exp (- M)). split; [apply exp_pos |]. intros x Hx _.
    assert (ln x < ln (exp (- M))) by (apply ln_increasing; lra). rewrite ln_exp in *. lra.
Qed.

Lemma focal_base gamma : 0 <= gamma -> unbounded_base (focal gamma).
Proof.
  intros Hg. unfold focal. split.
  - intros x Hx. pose proof (ln_neg x Hx). pose proof (Rpower_pos (1 - x) gamma).
    assert (0 < Rpower (1 - x) gamma * - ln x) by (apply Rmult_lt_0_compat; lra). lra.
  - intros x y Hx Hxy Hy. pose proof (Rpower_pos (1 - y) gamma).
    assert (Rpower (1 - y) gamma <= Rpower (1 - x) gamma) by (apply Rle_Rpower_l; lra).
    assert (- ln y <= - ln x) by (destruct Hxy as [H' | <-]; [pose proof (ln_increasing x y Hx H'); lra | lra]).
    assert (0 <= - ln y) by (pose proof (ln_neg y ltac:(lra)); lra).
    assert (Rpower (1 - y) gamma * - ln y <= Rpower (1 - x) gamma * - ln x) by (apply Rmult_le_compat; lra). lra.
  - intros M. set (c := Rpower (1 / 2) gamma). assert (Hc : 0 < c) by apply Rpower_pos.
    exists (Rmin (1 / 2) (exp (- (Rabs M / c)))). split; [apply Rmin_pos; [lra | apply exp_pos] |].
    intros x Hx _. pose proof (Rmin_l (1 / 2) (exp (- (Rabs M / c)))). pose proof (Rmin_r (1 / 2) (exp (- (Rabs M / c)))).
    assert (L : ln x < ln (exp (- (Rabs M / c)))) by (apply ln_increasing; lra). rewrite ln_exp in L.
    assert (c <= Rpower (1 - x) gamma) by (apply Rle_Rpower_l; lra).
    assert (0 <= Rabs M / c) by (apply div_nonneg; [apply Rabs_pos | easy]).
    assert (B : c * (Rabs M / c) < Rpower (1 - x) gamma * - ln x).
    { apply Rle_lt_trans with (Rpower (1 - x) gamma * (Rabs M / c)); [apply Rmult_le_compat_r; lra |].
      apply Rmult_lt_compat_l; [apply Rpower_pos | lra]. }
    replace (c * (Rabs M / c)) with (Rabs M) in B by (field; lra). pose proof (Rle_abs M). lra.
Qed.

Theorem nce_not_asymmetric K w m : (3 <= K)%nat -> weights K w -> unique_largest K w m ->
  ~ asymmetric_in_the_limit K (risk K w (normalised K cross_entropy)) m.
Proof. intros HK Hw Hm. exact (normalised_not_asymmetric K w cross_entropy m HK Hw cross_entropy_base Hm). Qed.

Theorem nce_two_classes w m : weights 2 w -> unique_largest 2 w m ->
  asymmetric_in_the_limit 2 (risk 2 w (normalised 2 cross_entropy)) m.
Proof. intros Hw Hm. exact (normalised_two_classes w cross_entropy m Hw cross_entropy_base Hm). Qed.

Theorem nfl_not_asymmetric K w m gamma : (3 <= K)%nat -> 0 <= gamma -> weights K w -> unique_largest K w m ->
  ~ asymmetric_in_the_limit K (risk K w (normalised K (focal gamma))) m.
Proof. intros HK Hg Hw Hm. exact (normalised_not_asymmetric K w (focal gamma) m HK Hw (focal_base gamma Hg) Hm). Qed.

(** ** A normalised loss added to another loss *)

Definition continuous_at (K : nat) (F : (nat -> R) -> R) (v : nat -> R) : Prop :=
  forall eps, 0 < eps -> exists delta, 0 < delta /\
    forall u, simplex K u -> near K delta u v -> Rabs (F u - F v) < eps.

Lemma near_less K d d' u v : d <= d' -> near K d u v -> near K d' u v.
Proof. intros H N k Hk. specialize (N k Hk). lra. Qed.

Lemma total_continuous K (f : nat -> R -> R) v : (forall k, (k < K)%nat -> continuity_pt (f k) (v k)) ->
  forall eps, 0 < eps -> exists delta, 0 < delta /\
    forall u, near K delta u v -> Rabs (total K (fun k => f k (u k)) - total K (fun k => f k (v k))) < eps.
Proof.
  induction K as [| K IH]; intros C eps He.
  - exists 1. split; [lra |]. intros u _. simpl. rewrite Rminus_0_r, Rabs_R0. easy.
  - destruct (IH (fun k Hk => C k (Nat.lt_lt_succ_r k K Hk)) (eps / 2) ltac:(lra)) as (d & Hd & A).
    destruct (C K (Nat.lt_succ_diag_r K) (eps / 2) ltac:(lra)) as (e & Pe & B).
    exists (Rmin d e). split; [now apply Rmin_pos |]. intros u N. simpl.
    assert (A' : Rabs (total K (fun k => f k (u k)) - total K (fun k => f k (v k))) < eps / 2).
    { apply A. intros k Hk. pose proof (Rmin_l d e). specialize (N k ltac:(lia)). lra. }
    assert (B' : Rabs (f K (u K) - f K (v K)) < eps / 2).
    { destruct (Req_dec (u K) (v K)) as [-> | NE]; [rewrite Rminus_eq_0, Rabs_R0; lra |].
      apply (B (u K)). split; [split; [exact I | intros E; now apply NE] |]. simpl. unfold R_dist.
      pose proof (Rmin_r d e). specialize (N K ltac:(lia)). lra. }
    apply Rabs_def2 in A'. apply Rabs_def2 in B'. apply Rabs_def1; lra.
Qed.

(** Continuous parts make a continuous risk. *)
Lemma separable_continuous K w active passive v :
  (forall x, in01 x -> continuity_pt active x) -> (forall x, in01 x -> continuity_pt passive x) ->
  simplex K v -> continuous_at K (risk K w (separable K active passive)) v.
Proof.
  intros A P Hv eps He.
  destruct (total_continuous K (fun k => phi (total K w) (w k) active passive) v) with (eps := eps) as (d & Hd & B); [| easy |].
  - intros k Hk. assert (V : in01 (v k)) by (split; [now apply Hv | now apply (simplex_le1 K)]).
    apply continuity_pt_plus; apply continuity_pt_mult; auto; apply continuity_pt_const; easy.
  - exists d. split; [easy |]. intros u _ N. rewrite !risk_separates. auto.
Qed.

Lemma nearly_least_exists K F b u : interior K u -> (forall v, interior K v -> b <= F v) ->
  forall eps, 0 < eps -> exists v, nearly_least K F eps v.
Proof.
  intros Hu B eps He.
  destruct (completeness (fun x => exists v, interior K v /\ x = - F v)) as (s & Up & Low).
  - exists (- b). intros x (v & Hv & ->). specialize (B v Hv). lra.
  - exists (- F u). now exists u.
  - destruct (classic (exists v, interior K v /\ s - eps < - F v)) as [(v & Hv & A) | No].
    + exists v. split; [easy |]. intros v' Hv'. assert (- F v' <= s) by (apply Up; now exists v'). lra.
    + exfalso. assert (s <= s - eps); [| lra]. apply Low. intros x (v & Hv & ->). apply Rnot_lt_le. intros A.
      apply No. now exists v.
Qed.

Lemma near_vertex K u m d : simplex K u -> (m < K)%nat -> 1 - d < u m -> near K d u (vertex m).
Proof.
  intros Hu Hm H k Hk. pose proof (simplex_le1 K u m Hu Hm). destruct (Nat.eq_dec k m) as [-> | N].
  - rewrite vertex_same. apply Rabs_def1; lra.
  - rewrite vertex_other, Rminus_0_r by easy. pose proof (proj1 Hu k Hk).
    assert (T : (if Nat.eq_dec k m then 0 else u k) <= total K (fun i => if Nat.eq_dec i m then 0 else u i)).
    { apply (total_ge_term K (fun i => if Nat.eq_dec i m then 0 else u i)); [easy |].
      intros i Hi. destruct (Nat.eq_dec i m); [lra | now apply Hu]. }
    rewrite (simplex_rest K u m Hu Hm) in T. destruct (Nat.eq_dec k m); [easy |]. rewrite Rabs_pos_eq; lra.
Qed.

Section Sum.

Variables (K : nat) (w : nat -> R) (g : R -> R) (alpha : R) (S : (nat -> R) -> R) (m k : nat).
Hypothesis HK : (2 <= K)%nat.
Hypothesis Hw : weights K w.
Hypothesis Hg : unbounded_base g.
Hypothesis Ha : 0 < alpha.
Hypothesis Hm : (m < K)%nat.
Hypothesis Hk : least_class K w k.
Hypothesis km : k <> m.
Hypothesis S_at_vertex : continuous_at K S (vertex m).

Let N := risk K w (normalised K g).
Let G (u : nat -> R) : R := alpha * N u + S u.

Lemma sum_at_least u : interior K u -> alpha * w k + S u <= G u.
Proof.
  intros Hu. pose proof (normalised_at_least K w g HK Hg k u Hk Hu) as B.
  apply (Rmult_le_compat_l alpha) in B; [| lra]. unfold G, N. lra.
Qed.

(** Near any point [v] with [v_k = 0] where [S] is continuous, [G] comes down to [alpha w_k + S v]. *)
Lemma sum_limit v eps : simplex K v -> v k = 0 -> continuous_at K S v -> 0 < eps ->
  exists u, interior K u /\ G u < alpha * w k + S v + eps.
Proof.
  intros Hv Vk C He. destruct (C (eps / 2) ltac:(lra)) as (d & Hd & B).
  destruct (normalised_limit K w g HK Hw Hg k v d (eps / 2 / alpha) (proj1 Hk) Hv Vk Hd) as (u & Hu & Nu & Ru).
  { apply Rdiv_lt_0_compat; lra. }
  exists u. split; [easy |]. specialize (B u (interior_simplex K u Hu) Nu). apply Rabs_def2 in B.
  apply (Rmult_lt_compat_l alpha) in Ru; [| easy].
  replace (alpha * (w k + eps / 2 / alpha)) with (alpha * w k + eps / 2) in Ru by (field; lra). unfold G, N. lra.
Qed.

(** If [S] has its minimum at [e_m] alone, so has the sum in the limit. *)
Theorem sum_asymmetric : well_posed K S m -> asymmetric_in_the_limit K G m.
Proof.
  intros WP delta Hd. destruct (WP delta Hd) as (eps & He & B). exists (eps / 2). split; [lra |].
  intros u [Hu L]. apply Rnot_le_lt. intros Far. specialize (B u (interior_simplex K u Hu) Far).
  destruct (sum_limit (vertex m) (eps / 2)) as (v & Hv & A);
    [now apply vertex_simplex | now apply vertex_other | exact S_at_vertex | lra |].
  specialize (L v Hv). pose proof (sum_at_least u Hu). lra.
Qed.

(** If some interior point beats the limit at [e_m], the sum is not asymmetric in the limit. *)
Lemma sum_beaten v : interior K v -> G v < alpha * w k + S (vertex m) ->
  (exists b, forall u, interior K u -> b <= S u) ->
  ~ asymmetric_in_the_limit K G m.
Proof.
  intros Hv Less (b & Low) A. set (c := alpha * w k + S (vertex m) - G v). assert (Hc : 0 < c) by (unfold c; lra).
  destruct (S_at_vertex (c / 4) ltac:(lra)) as (d & Hd & C).
  destruct (A d Hd) as (eps & He & B).
  destruct (nearly_least_exists K G (alpha * w k + b) v Hv) with (eps := Rmin eps (c / 4)) as (u & Hu & L).
  - intros u Hu. pose proof (sum_at_least u Hu). specialize (Low u Hu). lra.
  - apply Rmin_pos; lra.
  - pose proof (Rmin_l eps (c / 4)). pose proof (Rmin_r eps (c / 4)).
    assert (U : 1 - d < u m).
    { apply B. split; [easy |]. intros v' Hv'. specialize (L v' Hv'). lra. }
    specialize (C u (interior_simplex K u Hu) (near_vertex K u m d (interior_simplex K u Hu) Hm U)).
    apply Rabs_def2 in C. specialize (L v Hv). pose proof (sum_at_least u Hu). unfold c in *. lra.
Qed.

(** If [S] is less at a point with [v_k = 0], the sum is not asymmetric in the limit. *)
Theorem sum_not_asymmetric v : simplex K v -> v k = 0 -> continuous_at K S v -> S v < S (vertex m) ->
  (exists b, forall u, interior K u -> b <= S u) -> ~ asymmetric_in_the_limit K G m.
Proof.
  intros Hv Vk C Less Low. destruct (sum_limit v (S (vertex m) - S v) Hv Vk C ltac:(lra)) as (u & Hu & A).
  apply (sum_beaten u Hu); [lra | exact Low].
Qed.

End Sum.

(** *** The threshold of the sum is that of [S] *)

Definition flat_at_1 (g : R -> R) : Prop :=
  exists M d, 0 <= M /\ 0 < d /\ forall t, 0 < t < d -> t < 1 -> g (1 - t) <= M * t.

Section Threshold.

Variables (K : nat) (w : nat -> R) (g : R -> R) (alpha : R) (m n : nat) (active passive : R -> R).
Variables a0 p0 a1 p1 : R.
Hypothesis HK : (2 <= K)%nat.
Hypothesis Hw : weights K w.
Hypothesis Hm : unique_largest K w m.
Hypothesis Hn : runner_up K w m n.
Hypothesis Hg : unbounded_base g.
Hypothesis flat : flat_at_1 g.
Hypothesis Ha : 0 < alpha.
Hypothesis decreasing : nonincreasing01 active.
Hypothesis increasing : nondecreasing01 passive.
Hypothesis active_continuous : forall x, in01 x -> continuity_pt active x.
Hypothesis passive_continuous : forall x, in01 x -> continuity_pt passive x.

Let S := separable K active passive.
Let N := risk K w (normalised K g).
Let G (u : nat -> R) : R := alpha * N u + risk K w S u.
Let phi_m := phi (total K w) (w m) active passive.

Lemma least_beside_m : exists k, least_class K w k /\ k <> m.
Proof.
  destruct (Nat.eq_dec K 2) as [E | NE].
  - exists n. destruct Hn as (Hn1 & Hn2 & Hn3). repeat split; try easy. intros j Hj.
    destruct (Nat.eq_dec j n) as [-> | Nj]; [lra |]. assert (j = m) as -> by (destruct Hm; lia).
    left. now apply Hm.
  - destruct (least_class_exists K w m n ltac:(lia) Hm Hn) as (k & Hk & Km & _). now exists k.
Qed.

(** Concave or linear [S]: always. *)
Theorem sum_threshold_concave :
  (forall k, (k < K)%nat -> concave01 (phi (total K w) (w k) active passive)) -> 0 < drop active passive ->
  asymmetric_in_the_limit K G m.
Proof.
  intros C D. destruct least_beside_m as (k & Hk & Km).
  apply (sum_asymmetric K w g alpha (risk K w S) m k HK Hw Hg Ha (proj1 Hm) Hk Km).
  - apply separable_continuous; try easy. apply vertex_simplex, Hm.
  - now apply (concave_well_posed K w m n active passive Hm Hn decreasing increasing C).
Qed.

Hypothesis convex : forall k, (k < K)%nat -> convex01 (phi (total K w) (w k) active passive).
Hypothesis active_slope_0 : slope_at_0 active a0.
Hypothesis passive_slope_0 : slope_at_0 passive p0.
Hypothesis active_slope_1 : slope_at_1 active a1.
Hypothesis passive_slope_1 : slope_at_1 passive p1.

Let slack_ := slack K w m n a0 p0 a1 p1.

Lemma two_class_sum (f : nat -> R) : K = 2%nat -> total K f = f m + f n.
Proof.
  intros E. destruct Hm as [Hm1 _], Hn as (Hn1 & Hn2 & _).
  assert (H : forall a b, (a < 2)%nat -> (b < 2)%nat -> b <> a -> total 2 f = f a + f b).
  { intros [| [| a]] [| [| b]] A B Ne; simpl; try lia; ring. }
  rewrite E in *. now apply H.
Qed.

Lemma risk_bounded_below : exists b, forall u, interior K u -> b <= risk K w S u.
Proof.
  exists (risk K w S (vertex m) + Rmin 0 slack_). intros u Hu.
  pose proof (convex_regret K w m n active passive Hm Hn decreasing increasing a0 p0 a1 p1 convex active_slope_0
    passive_slope_0 active_slope_1 passive_slope_1 u (interior_simplex K u Hu)) as B. fold slack_ S in B.
  pose proof (interior_lt_1 K u m HK Hu (proj1 Hm)). pose proof (proj1 Hu m (proj1 Hm)).
  destruct (Rle_dec 0 slack_).
  - rewrite Rmin_left by easy. assert (0 <= slack_ * (1 - u m)) by (apply Rmult_le_pos; lra). lra.
  - rewrite Rmin_right by lra. assert (0 <= - slack_ * (u m)) by (apply Rmult_le_pos; lra). lra.
Qed.

(** Below the threshold of [S], convex: not asymmetric. *)
Theorem sum_below_threshold : slack_ < 0 -> ~ asymmetric_in_the_limit K G m.
Proof.
  destruct least_beside_m as (k & Hk & Km).
  assert (Cm : continuous_at K (risk K w S) (vertex m)).
  { apply separable_continuous; try easy. apply vertex_simplex, Hm. }
  intros Neg.
  destruct (convex_descent K w m n active passive Hm Hn a0 p0 a1 p1 active_slope_0 passive_slope_0 active_slope_1
    passive_slope_1 Neg) as (d & Hd & Falls). fold slack_ S in Falls.
  destruct (Nat.eq_dec K 2) as [E | NE].
  + (* two classes: NCE rises by eps / |log eps| only *)
    destruct flat as (M & e & HM & He & Flat).
    destruct (base_unbounded g Hg (2 * alpha * (w m - w n) * M / - slack_)) as (r & Hr & Big).
    set (t := Rmin (Rmin d e) (Rmin r 1) / 2).
    assert (Ht : 0 < t /\ t < d /\ t < e /\ t < r /\ t < 1).
    { unfold t. pose proof (Rmin_l (Rmin d e) (Rmin r 1)). pose proof (Rmin_r (Rmin d e) (Rmin r 1)).
      pose proof (Rmin_l d e). pose proof (Rmin_r d e). pose proof (Rmin_l r 1). pose proof (Rmin_r r 1).
      assert (0 < Rmin (Rmin d e) (Rmin r 1)) by (repeat apply Rmin_pos; lra). lra. }
    clearbody t. specialize (Falls t ltac:(lra)). specialize (Flat t ltac:(lra) ltac:(lra)). specialize (Big t ltac:(lra) ltac:(lra)).
    destruct (largest_pos K w m n Hw Hm Hn) as [Wn Wm]. destruct Hn as (Hn1 & Hn2 & Hn3).
    assert (I : interior K (edge m n t)).
    { split; [| apply edge_simplex; try easy; [apply Hm | lra]]. intros j Hj. unfold edge.
      destruct (Nat.eq_dec j m); [lra |]. destruct (Nat.eq_dec j n); [lra |]. destruct Hm. lia. }
    assert (Em : edge m n t m = 1 - t) by (unfold edge; now destruct (Nat.eq_dec m m)).
    assert (En : edge m n t n = t).
    { unfold edge. destruct (Nat.eq_dec n m); [easy |]. now destruct (Nat.eq_dec n n). }
    assert (g1 : 0 < g (1 - t)) by (apply base_positive; [easy | lra]).
    assert (g0 : 0 < g t) by (apply base_positive; [easy | lra]).
    assert (Wk : w k = w n).
    { assert (k = n) as ->; [| reflexivity]. destruct Hm, Hk. lia. }
    apply (sum_beaten K w g alpha (risk K w S) m k HK Hg Ha (proj1 Hm) Hk Cm (edge m n t) I).
    * rewrite Wk. rewrite risk_normalised, !(two_class_sum _ E), Em, En.
      replace ((w m * g (1 - t) + w n * g t) / (g (1 - t) + g t))
        with (w n + (w m - w n) * (g (1 - t) / (g (1 - t) + g t))) by (field; lra).
      assert (Q : g (1 - t) / (g (1 - t) + g t) <= M * t / g t).
      { apply Rmult_le_reg_r with ((g (1 - t) + g t) * g t); [apply Rmult_lt_0_compat; lra |].
        replace (g (1 - t) / (g (1 - t) + g t) * ((g (1 - t) + g t) * g t)) with (g (1 - t) * g t) by (field; lra).
        replace (M * t / g t * ((g (1 - t) + g t) * g t)) with (M * t * (g (1 - t) + g t)) by (field; lra).
        assert (g (1 - t) * g t <= M * t * g t) by (apply Rmult_le_compat_r; lra).
        assert (0 <= M * t * g (1 - t)) by (repeat apply Rmult_le_pos; lra). rewrite Rmult_plus_distr_l. lra. }
      assert (P : alpha * ((w m - w n) * (g (1 - t) / (g (1 - t) + g t))) <= alpha * ((w m - w n) * (M * t / g t))).
      { apply Rmult_le_compat_l; [lra |]. apply Rmult_le_compat_l; lra. }
      assert (B : alpha * ((w m - w n) * (M * t / g t)) <= - slack_ / 2 * t).
      { apply Rmult_le_reg_r with (g t / t); [apply Rdiv_lt_0_compat; lra |].
        replace (alpha * ((w m - w n) * (M * t / g t)) * (g t / t)) with (alpha * (w m - w n) * M) by (field; lra).
        replace (- slack_ / 2 * t * (g t / t)) with (- slack_ / 2 * g t) by (field; lra).
        apply (Rmult_lt_compat_l (- slack_ / 2)) in Big; [| lra].
        replace (- slack_ / 2 * (2 * alpha * (w m - w n) * M / - slack_)) with (alpha * (w m - w n) * M) in Big
          by (field; lra). lra. }
      lra.
    * exact risk_bounded_below.
  + (* three classes or more: a least class beside m and n *)
    destruct (least_class_exists K w m n ltac:(lia) Hm Hn) as (j & Hj & Jm & Jn).
    specialize (Falls (d / 2) ltac:(lra)).
    assert (V : simplex K (edge m n (d / 2))) by (apply edge_simplex; try apply Hn; [apply Hm | lra]).
    apply (sum_not_asymmetric K w g alpha (risk K w S) m j HK Hw Hg Ha (proj1 Hm) Hj Cm (edge m n (d / 2)) V).
    * unfold edge. destruct (Nat.eq_dec j m); [easy |]. now destruct (Nat.eq_dec j n).
    * now apply separable_continuous.
    * assert (slack_ / 2 * (d / 2) < 0); [| lra].
      assert (0 < - slack_ / 2 * (d / 2)) by (apply Rmult_lt_0_compat; unfold slack_ in *; lra). lra.
    * exact risk_bounded_below.
Qed.

(** At or above it: asymmetric. *)
Theorem sum_above_threshold :
  0 < slack_ \/ (0 <= slack_ /\ strictly_convex_next_to_1 phi_m) -> asymmetric_in_the_limit K G m.
Proof.
  destruct least_beside_m as (k & Hk & Km). intros Pos.
  apply (sum_asymmetric K w g alpha (risk K w S) m k HK Hw Hg Ha (proj1 Hm) Hk Km).
  - apply separable_continuous; try easy. apply vertex_simplex, Hm.
  - now apply (convex_well_posed K w m n active passive Hm Hn decreasing increasing a0 p0 a1 p1 convex active_slope_0
      passive_slope_0 active_slope_1 passive_slope_1).
Qed.

(** Convex [S]: NCE or NFL added to it is asymmetric (in the limit) iff [S] is. *)
Theorem sum_threshold_convex : strictly_convex_next_to_1 phi_m -> (asymmetric_in_the_limit K G m <-> 0 <= slack_).
Proof.
  intros strictly. split.
  - intros A. apply Rnot_lt_le. intros Neg. now apply sum_below_threshold in A.
  - intros Pos. apply sum_above_threshold. now right.
Qed.

End Threshold.

(** *** JAL-CE and JAL-FL have the threshold of AMSE, whatever [alpha] and [beta] *)

Lemma ln_flat t : 0 < t < 1 / 2 -> - ln (1 - t) <= 2 * t.
Proof.
  intros Ht. rewrite <- ln_Rinv by lra.
  assert (E : ln (/ (1 - t)) <= / (1 - t) - 1).
  { pose proof (exp_ineq1_le (ln (/ (1 - t)))) as X. rewrite exp_ln in X by (apply Rinv_0_lt_compat; lra). lra. }
  assert (/ (1 - t) - 1 <= 2 * t); [| lra].
  apply Rmult_le_reg_r with (1 - t); [lra |]. rewrite Rmult_minus_distr_r, Rinv_l by lra. nra.
Qed.

Lemma cross_entropy_flat : flat_at_1 cross_entropy.
Proof. exists 2, (1 / 2). repeat split; try lra. intros t Ht _. now apply ln_flat. Qed.

Lemma focal_flat gamma : 0 <= gamma -> flat_at_1 (focal gamma).
Proof.
  intros Hg. exists 2, (1 / 2). repeat split; try lra. intros t Ht _. unfold focal.
  replace (1 - (1 - t)) with t by ring. pose proof (ln_flat t Ht).
  assert (0 < - ln (1 - t)) by (pose proof (ln_neg (1 - t) ltac:(lra)); lra).
  assert (P : 0 < Rpower t gamma <= 1).
  { split; [apply Rpower_pos |]. replace 1 with (Rpower 1 gamma) by (unfold Rpower; rewrite ln_1, Rmult_0_r; apply exp_0).
    apply Rle_Rpower_l; lra. }
  assert (Rpower t gamma * - ln (1 - t) <= 1 * - ln (1 - t)) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma asymmetric_in_the_limit_ext K F F' m :
  (forall u, interior K u -> F u = F' u) -> asymmetric_in_the_limit K F m -> asymmetric_in_the_limit K F' m.
Proof.
  intros E A delta Hd. destruct (A delta Hd) as (eps & He & B). exists eps. split; [easy |].
  intros u [Hu L]. apply B. split; [easy |]. intros v Hv. rewrite !E by easy. auto.
Qed.

(** A sum of a normalised loss and AMSE. *)
Definition jal (K : nat) (g : R -> R) (alpha beta a q : R) : loss :=
  fun u y => alpha * normalised K g u y + beta * amse K a q u y.

Theorem jal_threshold K w m n g alpha beta a q :
  (2 <= K)%nat -> weights K w -> unique_largest K w m -> runner_up K w m n ->
  unbounded_base g -> flat_at_1 g -> 0 < alpha -> 0 < beta -> 1 <= a -> 0 < q ->
  (asymmetric_in_the_limit K (risk K w (jal K g alpha beta a q)) m <-> asymmetric K (amse K a q) w m).
Proof.
  intros HK Hw Hm Hn Hg Flat Ha Hb Pa Pq.
  set (active := fun x => power (a - x) q). set (passive := fun x => power x q).
  assert (PK : 0 < INR K) by (apply lt_0_INR; lia).
  set (c := alpha * INR K / beta).
  assert (Hc : 0 < c) by (unfold c; apply Rdiv_lt_0_compat; [apply Rmult_lt_0_compat |]; lra).
  set (G := fun u => c * risk K w (normalised K g) u + risk K w (separable K active passive) u).
  assert (E : forall u, interior K u -> risk K w (jal K g alpha beta a q) u = beta / INR K * G u).
  { intros u Hu. unfold G, risk, jal. rewrite <- total_scal, <- total_plus, <- total_scal. apply total_ext.
    intros k Hk. rewrite amse_is_separable by (try easy; now apply interior_simplex).
    fold active passive. unfold c. field. lra. }
  assert (R : asymmetric_in_the_limit K (risk K w (jal K g alpha beta a q)) m <-> asymmetric_in_the_limit K G m).
  { assert (B : 0 < beta / INR K) by (apply Rdiv_lt_0_compat; lra).
    split; intros A delta Hd; destruct (A delta Hd) as (eps & He & L).
    - exists (eps / (beta / INR K)). split; [apply Rdiv_lt_0_compat; lra |]. intros u [Hu M]. apply L.
      split; [easy |]. intros v Hv. rewrite !E by easy. specialize (M v Hv).
      apply (Rmult_le_compat_l (beta / INR K)) in M; [| lra].
      replace (beta / INR K * (G v + eps / (beta / INR K))) with (beta / INR K * G v + eps) in M by (field; lra). easy.
    - exists (beta / INR K * eps). split; [now apply Rmult_lt_0_compat |]. intros u [Hu M]. apply L.
      split; [easy |]. intros v Hv. specialize (M v Hv). rewrite !E in M by easy.
      apply Rmult_le_reg_l with (beta / INR K); lra. }
  rewrite R. clear R E.
  assert (Ca : forall x, in01 x -> continuity_pt active x) by (intros x _; now apply power_minus_continuous).
  assert (Cp : forall x, in01 x -> continuity_pt passive x) by (intros x _; now apply power_continuous).
  pose proof (amse_decreasing a q Pa Pq) as D. pose proof (amse_increasing q Pq) as I.
  destruct (Rle_dec q 1) as [LE | GT].
  - split; intros _; [now apply (amse_concave K w m n) |].
    apply (sum_threshold_concave K w g c m n active passive); try easy.
    + intros k Hk. apply concave01_combination; [now apply Hw | now apply rest_nonneg | |].
      * apply power_minus_concave; lra.
      * apply power_concave; lra.
    + unfold drop, active, passive. rewrite power_0, power_base_1.
      pose proof (power_le (a - 1) (a - 0) q ltac:(lra) ltac:(lra) ltac:(lra)). lra.
  - rewrite (amse_convex_iff K w m n a q Hw Hm Hn Pa) by lra.
    assert (T : asymmetric_in_the_limit K G m <->
                0 <= slack K w m n (- (q * power a (q - 1))) 0 (- (q * power (a - 1) (q - 1))) q).
    { apply sum_threshold_convex; try easy.
      - intros k Hk. apply phi_amse_convex; try easy; lra.
      - apply active_slope_0; lra.
      - apply power_flat_at_0; lra.
      - apply power_minus_slope_1; lra.
      - apply passive_slope_1.
      - destruct (largest_pos K w m n Hw Hm Hn).
        apply strictly_convex_combination; [lra | now apply rest_nonneg, Hm | |].
        + apply power_minus_strictly_convex; lra.
        + apply power_convex; lra. }
    rewrite T. unfold slack. split; intros S.
    + apply Rmult_le_reg_l with q; lra.
    + apply (Rmult_le_compat_l q) in S; lra.
Qed.

Theorem jal_ce_threshold K w m n alpha beta a q :
  (2 <= K)%nat -> weights K w -> unique_largest K w m -> runner_up K w m n ->
  0 < alpha -> 0 < beta -> 1 <= a -> 0 < q ->
  (asymmetric_in_the_limit K (risk K w (jal K cross_entropy alpha beta a q)) m <-> asymmetric K (amse K a q) w m).
Proof. intros. apply jal_threshold with (n := n); auto using cross_entropy_base, cross_entropy_flat. Qed.

Theorem jal_fl_threshold K w m n gamma alpha beta a q :
  (2 <= K)%nat -> weights K w -> unique_largest K w m -> runner_up K w m n -> 0 <= gamma ->
  0 < alpha -> 0 < beta -> 1 <= a -> 0 < q ->
  (asymmetric_in_the_limit K (risk K w (jal K (focal gamma) alpha beta a q)) m <-> asymmetric K (amse K a q) w m).
Proof. intros. apply jal_threshold with (n := n); auto using focal_base, focal_flat. Qed.

(** ** Normalised negative losses on their domain [u_k >= p_min] *)

Definition cut_off (K : nat) (p : R) (u : nat -> R) : Prop := (forall k, (k < K)%nat -> p <= u k) /\ total K u = 1.

(** [1 - (B - g(u_y)) / sum_k (B - g(u_k))] with [B = g(p_min)] (ANL Eq. 8). *)
Definition normalised_negative (K : nat) (p : R) (g : R -> R) : loss :=
  fun u y => 1 - (g p - g (u y)) / total K (fun k => g p - g (u k)).

(** The point with [p_min] in every class but [m]. *)
Definition cut_off_vertex (K : nat) (p : R) (m k : nat) : R := if Nat.eq_dec k m then 1 - (INR K - 1) * p else p.

(** The cut-off vertex is the one minimiser, for every unique largest weight. *)
Theorem negative_asymmetric K w m p g :
  weights K w -> unique_largest K w m -> 0 < p -> INR K * p < 1 ->
  (forall x y, p <= x -> x < y -> y <= 1 -> g y < g x) ->
  forall u, cut_off K p u -> ~ same K u (cut_off_vertex K p m) ->
    risk K w (normalised_negative K p g) (cut_off_vertex K p m) < risk K w (normalised_negative K p g) u.
Proof.
  intros Hw [Hm U] Pp Room D u Hu Off. set (v := cut_off_vertex K p m) in *.
  assert (HKp : 0 < INR K) by (apply lt_0_INR; lia).
  assert (S : forall f, (forall k, (k < K)%nat -> p <= f k) -> total K f = 1 ->
            0 < total K (fun k => g p - g (f k)) /\ forall k, (k < K)%nat -> 0 <= g p - g (f k)).
  { intros f Hf Hs.
    assert (f1 : forall k, (k < K)%nat -> f k <= 1).
    { intros k Hk. rewrite <- Hs. apply total_ge_term; [easy |]. intros j Hj. specialize (Hf j Hj). lra. }
    assert (h0 : forall k, (k < K)%nat -> 0 <= g p - g (f k)).
    { intros k Hk. destruct (Hf k Hk) as [L | <-]; [| lra]. specialize (D p (f k) ltac:(lra) L (f1 k Hk)). lra. }
    split; [| easy].
    assert (exists k, (k < K)%nat /\ p < f k) as (k & Hk & L).
    { apply NNPP. intros No. assert (total K f <= total K (fun _ => p)).
      { apply total_le. intros k Hk. apply Rnot_lt_le. intros L. apply No. now exists k. }
      rewrite total_const in H. lra. }
    apply Rlt_le_trans with (g p - g (f k)); [specialize (D p (f k) ltac:(lra) L (f1 k Hk)); lra |].
    apply (total_ge_term K (fun k => g p - g (f k))); easy. }
  assert (F : forall f, 0 < total K (fun k => g p - g (f k)) -> risk K w (normalised_negative K p g) f =
            total K w - total K (fun k => w k * (g p - g (f k))) / total K (fun k => g p - g (f k))).
  { intros f P. unfold risk, normalised_negative. set (T := total K (fun k => g p - g (f k))) in *.
    unfold Rdiv. rewrite (Rmult_comm (total K (fun k => w k * _))), <- total_scal, <- total_minus.
    apply total_ext. intros. ring. }
  assert (Vs : total K v = 1).
  { unfold v, cut_off_vertex. rewrite (total_ext K _ (fun k => p + (if Nat.eq_dec k m then 1 - INR K * p else 0))).
    - rewrite total_plus, total_const, (total_indicator K (fun _ => 1 - INR K * p)) by easy. ring.
    - intros k _. destruct (Nat.eq_dec k m); ring. }
  assert (Vm : v m = 1 - (INR K - 1) * p) by (unfold v, cut_off_vertex; now destruct (Nat.eq_dec m m)).
  assert (Vk : forall k, k <> m -> v k = p) by (intros k N; unfold v, cut_off_vertex; now destruct (Nat.eq_dec k m)).
  assert (Vp : forall k, (k < K)%nat -> p <= v k).
  { intros k _. destruct (Nat.eq_dec k m) as [-> | N]; [rewrite Vm | rewrite Vk by easy]; lra. }
  destruct (S v Vp Vs) as [Pv Hv]. destruct (S u (proj1 Hu) (proj2 Hu)) as [Pu Hh].
  rewrite !F by easy. apply Rplus_lt_compat_l, Ropp_lt_contravar.
  (* the average of the weights is w_m at v, and less at u *)
  assert (Av : total K (fun k => w k * (g p - g (v k))) / total K (fun k => g p - g (v k)) = w m).
  { rewrite (total_ext K (fun k => w k * (g p - g (v k))) (fun k => w m * (g p - g (v k)))).
    - rewrite total_scal. field. lra.
    - intros k _. destruct (Nat.eq_dec k m) as [-> | N]; [ring | rewrite Vk by easy; ring]. }
  rewrite Av.
  assert (exists k, (k < K)%nat /\ k <> m /\ p < u k) as (j & Hj & Jm & L).
  { apply NNPP. intros No. apply Off. intros k Hk. fold v.
    assert (P : forall k, (k < K)%nat -> k <> m -> u k = p).
    { intros i Hi N. apply Rle_antisym; [| now apply Hu]. apply Rnot_lt_le. intros L. apply No. now exists i. }
    destruct (Nat.eq_dec k m) as [-> | N]; [| rewrite Vk by easy; auto].
    pose proof (proj2 Hu) as Su. rewrite (total_split K u m Hm) in Su.
    rewrite (total_split K v m Hm) in Vs.
    rewrite (total_ext K (fun k => if Nat.eq_dec k m then 0 else u k) (fun k => if Nat.eq_dec k m then 0 else v k)) in Su; [lra |].
    intros i Hi. destruct (Nat.eq_dec i m) as [| N]; [reflexivity |]. now rewrite P, Vk by easy. }
  apply Rmult_lt_reg_r with (total K (fun k => g p - g (u k))); [easy |].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  assert (u1 : u j <= 1).
  { rewrite <- (proj2 Hu). apply total_ge_term; [easy |]. intros i Hi. pose proof (proj1 Hu i Hi). lra. }
  assert (hj : 0 < g p - g (u j)) by (specialize (D p (u j) ltac:(lra) L u1); lra).
  assert (Gap : 0 < (w m - w j) * (g p - g (u j))).
  { apply Rmult_lt_0_compat; [| easy]. specialize (U j Hj Jm). lra. }
  assert (B : (w m - w j) * (g p - g (u j)) <= total K (fun k => (w m - w k) * (g p - g (u k)))).
  { apply (total_ge_term K (fun k => (w m - w k) * (g p - g (u k)))); [easy |]. intros i Hi.
    apply Rmult_le_pos; [| auto]. destruct (Nat.eq_dec i m) as [-> | N]; [lra |]. specialize (U i Hi N). lra. }
  rewrite (total_ext K (fun k => (w m - w k) * (g p - g (u k))) (fun k => w m * (g p - g (u k)) - w k * (g p - g (u k)))) in B
    by (intros; ring).
  rewrite total_minus, total_scal in B. lra.
Qed.

Theorem nnce_asymmetric K w m p :
  weights K w -> unique_largest K w m -> 0 < p -> INR K * p < 1 ->
  forall u, cut_off K p u -> ~ same K u (cut_off_vertex K p m) ->
    risk K w (normalised_negative K p cross_entropy) (cut_off_vertex K p m)
    < risk K w (normalised_negative K p cross_entropy) u.
Proof.
  intros Hw Hm Pp Room. apply negative_asymmetric; try easy. intros x y Hx L _. unfold cross_entropy.
  pose proof (ln_increasing x y ltac:(lra) L). lra.
Qed.

Lemma focal_decreasing gamma x y : 0 <= gamma -> 0 < x -> x < y -> y <= 1 -> focal gamma y < focal gamma x.
Proof.
  intros Hg Hx L Hy. pose proof (base_positive _ (focal_base gamma Hg) x ltac:(lra)) as P.
  destruct Hy as [Hy | ->]; [| unfold focal; rewrite ln_1, Rmult_0_r, Ropp_0; exact P].
  unfold focal in *. pose proof (Rpower_pos (1 - y) gamma).
  assert (Rpower (1 - y) gamma <= Rpower (1 - x) gamma) by (apply Rle_Rpower_l; lra).
  pose proof (ln_increasing x y Hx L). pose proof (ln_neg x ltac:(lra)).
  assert (Rpower (1 - y) gamma * - ln y < Rpower (1 - y) gamma * - ln x) by (apply Rmult_lt_compat_l; lra).
  assert (Rpower (1 - y) gamma * - ln x <= Rpower (1 - x) gamma * - ln x) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Theorem nnfl_asymmetric K w m p gamma : 0 <= gamma ->
  weights K w -> unique_largest K w m -> 0 < p -> INR K * p < 1 ->
  forall u, cut_off K p u -> ~ same K u (cut_off_vertex K p m) ->
    risk K w (normalised_negative K p (focal gamma)) (cut_off_vertex K p m)
    < risk K w (normalised_negative K p (focal gamma)) u.
Proof.
  intros Hg Hw Hm Pp Room. apply negative_asymmetric; try easy. intros x y Hx L Hy. apply focal_decreasing; lra.
Qed.

(** ** Cross entropy and focal loss

    They are infinite at 0, so the risk grows without bound towards [e_m] while [w_n > 0]: never asymmetric, also with any
    separable loss added. *)
Theorem infinite_never K w m n g alpha A P :
  (2 <= K)%nat -> weights K w -> unique_largest K w m -> runner_up K w m n -> 0 < w n -> unbounded_base g -> 0 < alpha ->
  nonincreasing01 A -> nondecreasing01 P ->
  ~ asymmetric_in_the_limit K (risk K w (fun u y => alpha * g (u y) + separable K A P u y)) m.
Proof.
  intros HK Hw Hm Hn Pn Hg Pa D I As.
  set (F := risk K w (fun u y => alpha * g (u y) + separable K A P u y)) in *.
  set (S := risk K w (separable K A P)).
  assert (E : forall u, F u = alpha * total K (fun k => w k * g (u k)) + S u).
  { intros u. unfold F, S, risk. rewrite <- total_scal, <- total_plus. apply total_ext. intros; ring. }
  (* S is bounded below *)
  set (b := total K (fun k => w k * (A 1 + total K (fun j => if Nat.eq_dec j k then 0 else P 0)))).
  assert (B : forall u, simplex K u -> b <= S u).
  { intros u Hu. apply total_le. intros k Hk. apply Rmult_le_compat_l; [now apply Hw |]. unfold separable.
    assert (U : forall j, (j < K)%nat -> in01 (u j)) by (intros j Hj; split; [now apply Hu | now apply (simplex_le1 K)]).
    apply Rplus_le_compat.
    - apply D; [now apply U | unfold in01; lra | now apply U].
    - apply total_le. intros j Hj. destruct (Nat.eq_dec j k); [lra |]. apply I; [unfold in01; lra | now apply U | now apply U]. }
  assert (G0 : forall u k, interior K u -> (k < K)%nat -> 0 <= w k * g (u k)).
  { intros u k Hu Hk. apply Rmult_le_pos; [now apply Hw |]. left. apply base_positive; [easy |].
    split; [now apply Hu | now apply (interior_lt_1 K)]. }
  assert (L : forall u, interior K u -> alpha * (w n * g (u n)) + b <= F u).
  { intros u Hu. rewrite E. apply Rplus_le_compat; [| now apply B, interior_simplex].
    apply Rmult_le_compat_l; [lra |]. apply (total_ge_term K (fun k => w k * g (u k))); [apply Hn | auto]. }
  set (c := fun _ : nat => / INR K).
  assert (PK : 0 < INR K) by (apply lt_0_INR; lia).
  assert (C : interior K c).
  { split; [intros k _; now apply Rinv_0_lt_compat |]. unfold c. rewrite total_const. field. lra. }
  destruct (base_unbounded g Hg ((F c + 1 - b) / (alpha * w n))) as (d & Hd & Big).
  destruct (As (Rmin d 1)) as (eps & He & Near); [apply Rmin_pos; lra |].
  destruct (nearly_least_exists K F b c C) with (eps := Rmin eps 1) as (u & Hu & Least).
  - intros v Hv. specialize (L v Hv). pose proof (G0 v n Hv (proj1 Hn)).
    assert (0 <= alpha * (w n * g (v n))) by (apply Rmult_le_pos; lra). lra.
  - apply Rmin_pos; lra.
  - pose proof (Rmin_l eps 1). pose proof (Rmin_r eps 1). pose proof (Rmin_l d 1).
    assert (U : 1 - Rmin d 1 < u m).
    { apply Near. split; [easy |]. intros v Hv. specialize (Least v Hv). lra. }
    pose proof (near_vertex K u m (Rmin d 1) (interior_simplex K u Hu) (proj1 Hm) U n (proj1 Hn)) as Un.
    rewrite vertex_other, Rminus_0_r in Un by apply Hn.
    pose proof (proj1 Hu n (proj1 Hn)) as P0. rewrite Rabs_pos_eq in Un by lra.
    specialize (Big (u n) ltac:(lra) (interior_lt_1 K u n HK Hu (proj1 Hn))).
    assert (Q : 0 < alpha * w n) by (now apply Rmult_lt_0_compat).
    apply (Rmult_lt_compat_l (alpha * w n)) in Big; [| easy].
    replace (alpha * w n * ((F c + 1 - b) / (alpha * w n))) with (F c + 1 - b) in Big by (field; lra).
    specialize (L u Hu). specialize (Least c C). lra.
Qed.
