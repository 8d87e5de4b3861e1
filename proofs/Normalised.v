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
