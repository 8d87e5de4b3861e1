(** * The separable-risk theorem

    [F_w(u) = sum_k phi_k(u_k)] with [phi_k = w_k active + (W - w_k) passive].
    (a) If every [phi_k] is convex, [e_m] minimises [F_w] iff [phi_m'(1) <= phi_n'(0)]; it is the only minimiser if the
        inequality is strict, or if [phi_m] is strictly convex next to 1.
    (b) If every [phi_k] is concave, [e_m] is the only minimiser.
    Both come with a bound: [F_w(u) - F_w(e_m) >= slack (1 - u_m)]. *)

From Coq Require Import Reals Lra Lia PeanoNat.
From Asymtheory Require Import Simplex Risk Slopes.
Open Scope R_scope.

Lemma ends_in01 : in01 0 /\ in01 1.
Proof. unfold in01. lra. Qed.

(** ** For any functions [phi_k] *)

Section Separable_sum.

Variables (K m : nat) (phi : nat -> R -> R).
Hypothesis Hm : (m < K)%nat.

Let F (u : nat -> R) : R := total K (fun k => phi k (u k)).

Lemma sum_at_vertex : F (vertex m) = total K (fun k => phi k 0) + (phi m 1 - phi m 0).
Proof.
  unfold F. rewrite (total_split K _ m Hm), (total_split K (fun k => phi k 0) m Hm). rewrite vertex_same.
  rewrite (total_ext K (fun k => if Nat.eq_dec k m then 0 else phi k (vertex m k))
             (fun k => if Nat.eq_dec k m then 0 else phi k 0)); [ring |].
  intros k _. destruct (Nat.eq_dec k m) as [| N]; [reflexivity | now rewrite vertex_other].
Qed.

(** Convex: the tangents at the vertex bound the risk from below. *)
Lemma convex_bound d0 d1 u :
  (forall k, (k < K)%nat -> convex01 (phi k)) ->
  (forall k, (k < K)%nat -> k <> m -> slope_at_0 (phi k) (d0 k)) -> slope_at_1 (phi m) d1 ->
  simplex K u ->
  F (vertex m) + total K (fun k => if Nat.eq_dec k m then 0 else (d0 k - d1) * u k)
    + (phi m (u m) - (phi m 1 - d1 * (1 - u m))) <= F u.
Proof.
  intros C S0 S1 Hu. rewrite sum_at_vertex. unfold F.
  rewrite (total_split K (fun k => phi k (u k)) m Hm), (total_split K (fun k => phi k 0) m Hm).
  pose proof (simplex_rest K u m Hu Hm) as R.
  assert (B : total K (fun k => if Nat.eq_dec k m then 0 else phi k 0)
            + total K (fun k => if Nat.eq_dec k m then 0 else d0 k * u k)
            <= total K (fun k => if Nat.eq_dec k m then 0 else phi k (u k))).
  { rewrite <- total_plus. apply total_le. intros k Hk. destruct (Nat.eq_dec k m) as [| N]; [lra |].
    apply tangent_at_0; [now apply C | now apply S0 |]. split; [now apply Hu | now apply (simplex_le1 K)]. }
  assert (E : total K (fun k => if Nat.eq_dec k m then 0 else (d0 k - d1) * u k)
            = total K (fun k => if Nat.eq_dec k m then 0 else d0 k * u k) - d1 * (1 - u m)).
  { rewrite <- R, <- total_scal, <- total_minus. apply total_ext. intros k _.
    destruct (Nat.eq_dec k m); ring. }
  lra.
Qed.

(** No convexity is needed for this half: moving mass from [m] to [n] may not pay at first order. *)
Lemma minimiser_slopes n d0 d1 :
  (n < K)%nat -> n <> m -> slope_at_0 (phi n) d0 -> slope_at_1 (phi m) d1 ->
  minimises K F (vertex m) -> d1 <= d0.
Proof.
  intros Hn N S0 S1 [_ M]. apply slope_at_1_reflect in S1.
  pose proof (slope_at_0_linear_combination _ _ _ _ 1 1 S0 S1) as S. simpl in S.
  assert (0 <= 1 * d0 + 1 * - d1); [| lra].
  apply (slope_ge _ _ 0 1 S); [lra |]. intros t Ht.
  apply div_nonneg; [| lra]. rewrite Rminus_0_r.
  specialize (M _ (edge_simplex K m n t Hm Hn N ltac:(lra))).
  rewrite sum_at_vertex in M. unfold F in M. rewrite total_edge in M by easy. lra.
Qed.

(** A slope of minus infinity at 0 always pays. *)
Lemma minimiser_no_infinite_slope n d1 :
  (n < K)%nat -> n <> m -> slope_at_0_minus_infinity (phi n) -> slope_at_1 (phi m) d1 ->
  ~ minimises K F (vertex m).
Proof.
  intros Hn N S0 S1 [_ M]. apply slope_at_1_reflect in S1.
  destruct (S1 1 ltac:(lra)) as (p & Hp & P). destruct (S0 (d1 - 1)) as (r & Hr & Q).
  set (t := Rmin 1 (Rmin p r) / 2).
  assert (0 < Rmin 1 (Rmin p r)) by (apply Rmin_pos; [lra | now apply Rmin_pos]).
  pose proof (Rmin_l 1 (Rmin p r)). pose proof (Rmin_r 1 (Rmin p r)).
  pose proof (Rmin_l p r). pose proof (Rmin_r p r).
  assert (T : 0 < t < p /\ t < r /\ t < 1) by (unfold t; lra).
  specialize (P t ltac:(lra)). specialize (Q t ltac:(lra)). apply Rabs_def2 in P.
  rewrite Rminus_0_r in P.
  specialize (M _ (edge_simplex K m n t Hm Hn N ltac:(lra))).
  rewrite sum_at_vertex in M. unfold F in M. rewrite total_edge in M by easy.
  assert (0 <= (phi m (1 - t) - phi m 1) / t + (phi n t - phi n 0) / t); [| lra].
  rewrite <- Rdiv_plus_distr. apply div_nonneg; lra.
Qed.

(** Concave: the risk lies above the average of its values at the vertices. *)
Lemma concave_bound u :
  (forall k, (k < K)%nat -> concave01 (phi k)) -> simplex K u ->
  total K (fun k => phi k 0 + u k * (phi k 1 - phi k 0)) <= F u.
Proof.
  intros C Hu. apply total_le. intros k Hk.
  specialize (C k Hk 1 0 (u k) (proj2 ends_in01) (proj1 ends_in01)).
  replace (u k * 1 + (1 - u k) * 0) with (u k) in C by ring.
  assert (in01 (u k)) by (split; [now apply Hu | now apply (simplex_le1 K)]). specialize (C H). lra.
Qed.

(** Water filling: one multiplier [lambda] with [phi_k'(u_k) = lambda] where [u_k > 0] and [phi_k'(0) >= lambda] elsewhere.
    The slopes enter as the inequality that a convex function's tangent at [u_k] gives. *)
Theorem water_filling lambda g u :
  simplex K u ->
  (forall k, (k < K)%nat -> forall x, in01 x -> phi k (u k) + g k * (x - u k) <= phi k x) ->
  (forall k, (k < K)%nat -> lambda <= g k /\ (0 < u k -> g k = lambda)) ->
  minimises K F u.
Proof.
  intros Hu T G. split; [easy |]. intros v Hv. unfold F.
  assert (E : total K (fun k => phi k (u k) + lambda * (v k - u k)) = total K (fun k => phi k (u k))).
  { rewrite total_plus, total_scal, total_minus, (proj2 Hu), (proj2 Hv). ring. }
  rewrite <- E. apply total_le. intros k Hk.
  assert (V : in01 (v k)) by (split; [now apply Hv | now apply (simplex_le1 K)]).
  pose proof (T k Hk (v k) V) as B. destruct (G k Hk) as [G1 G2].
  destruct (proj1 Hu k Hk) as [P | P].
  - rewrite (G2 P) in B. lra.
  - rewrite <- P in *. assert (0 <= (g k - lambda) * v k) by (apply Rmult_le_pos; [lra | apply V]). lra.
Qed.

End Separable_sum.

(** ** For a separable loss on weights [w] *)

Section On_weights.

Variables (K : nat) (w : nat -> R) (m n : nat) (active passive : R -> R).
Hypothesis Hw : weights K w.
Hypothesis Hm : unique_largest K w m.
Hypothesis Hn : runner_up K w m n.
Hypothesis decreasing : nonincreasing01 active.
Hypothesis increasing : nondecreasing01 passive.

Let W := total K w.
Let L := separable K active passive.
Let F := risk K w L.
Let phi_ (k : nat) := phi W (w k) active passive.

Lemma m_is_class : (m < K)%nat.
Proof. apply Hm. Qed.

Lemma risk_is_sum u : F u = total K (fun k => phi_ k (u k)).
Proof. apply risk_separates. Qed.

Lemma risk_at_vertex j : (j < K)%nat ->
  F (vertex j) = total K (fun k => phi_ k 0) + W * (passive 1 - passive 0)
                 - w j * (active 0 - active 1 + passive 1 - passive 0).
Proof. intros Hj. rewrite risk_is_sum, (sum_at_vertex K j phi_ Hj). unfold phi_, phi. ring. Qed.

Lemma minimises_is_sum u :
  minimises K F u <-> minimises K (fun u => total K (fun k => phi_ k (u k))) u.
Proof.
  split; intros [Hu M]; split; try easy; intros v Hv; specialize (M v Hv); rewrite !risk_is_sum in *; easy.
Qed.

(** *** (a) Convex *)

Section Convex.

Variables a0 p0 a1 p1 : R.
Hypothesis convex : forall k, (k < K)%nat -> convex01 (phi_ k).
Hypothesis active_slope_0 : slope_at_0 active a0.
Hypothesis passive_slope_0 : slope_at_0 passive p0.
Hypothesis active_slope_1 : slope_at_1 active a1.
Hypothesis passive_slope_1 : slope_at_1 passive p1.

(** [phi_n'(0) - phi_m'(1)]. *)
Definition slack : R := (w n * a0 + (W - w n) * p0) - (w m * a1 + (W - w m) * p1).

Lemma phi_slope_0 k : slope_at_0 (phi_ k) (w k * a0 + (W - w k) * p0).
Proof. now apply slope_at_0_linear_combination. Qed.

Lemma phi_slope_1 k : slope_at_1 (phi_ k) (w k * a1 + (W - w k) * p1).
Proof. now apply slope_at_1_linear_combination. Qed.

(** [phi_k'(0)] is least for the largest weight, [k = n]. *)
Lemma least_slope k : (k < K)%nat -> k <> m ->
  w n * a0 + (W - w n) * p0 <= w k * a0 + (W - w k) * p0.
Proof.
  intros Hk N. pose proof (slope_at_0_nonpos _ _ decreasing active_slope_0).
  pose proof (slope_at_0_nonneg _ _ increasing passive_slope_0).
  assert (w k <= w n) by (now apply Hn).
  assert (0 <= (w n - w k) * (p0 - a0)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma convex_risk_bound u : simplex K u ->
  F (vertex m) + slack * (1 - u m)
    + (phi_ m (u m) - (phi_ m 1 - (w m * a1 + (W - w m) * p1) * (1 - u m))) <= F u.
Proof.
  intros Hu. rewrite !risk_is_sum.
  pose proof (convex_bound K m phi_ m_is_class (fun k => w k * a0 + (W - w k) * p0) (w m * a1 + (W - w m) * p1) u
                convex (fun k _ _ => phi_slope_0 k) (phi_slope_1 m) Hu) as B.
  assert (slack * (1 - u m) <= total K (fun k => if Nat.eq_dec k m then 0
            else ((w k * a0 + (W - w k) * p0) - (w m * a1 + (W - w m) * p1)) * u k)); [| lra].
  rewrite <- (simplex_rest K u m Hu m_is_class), <- total_scal. apply total_le. intros k Hk.
  destruct (Nat.eq_dec k m) as [| N]; [lra |]. apply Rmult_le_compat_r; [now apply Hu |].
  pose proof (least_slope k Hk N). unfold slack. lra.
Qed.

(** [F_w(u) - F_w(e_m) >= slack (1 - u_m)]. *)
Theorem convex_regret u : simplex K u -> slack * (1 - u m) <= F u - F (vertex m).
Proof.
  intros Hu. pose proof (convex_risk_bound u Hu) as B.
  pose proof (tangent_at_1 _ _ (convex m m_is_class) (phi_slope_1 m) (u m)) as T.
  assert (in01 (u m)) by (split; [apply Hu | apply (simplex_le1 K)]; auto using m_is_class).
  specialize (T H). lra.
Qed.

(** [e_m] minimises [F_w] iff [phi_m'(1) <= phi_n'(0)]. *)
Theorem convex_minimiser_iff : minimises K F (vertex m) <-> 0 <= slack.
Proof.
  split.
  - intros M. apply minimises_is_sum in M.
    pose proof (minimiser_slopes K m phi_ m_is_class n _ _ (proj1 Hn) (proj1 (proj2 Hn))
                  (phi_slope_0 n) (phi_slope_1 m) M). unfold slack. lra.
  - intros S. split; [apply vertex_simplex, m_is_class |]. intros u Hu.
    pose proof (convex_regret u Hu). pose proof (simplex_le1 K u m Hu m_is_class).
    assert (0 <= slack * (1 - u m)) by (apply Rmult_le_pos; lra). lra.
Qed.

(** It is the only minimiser if the inequality is strict, or if [phi_m] is strictly convex next to 1. *)
Theorem convex_only_minimiser :
  0 < slack \/ (0 <= slack /\ strictly_convex_next_to_1 (phi_ m)) -> asymmetric K L w m.
Proof.
  intros H. apply asymmetric_iff; [exact m_is_class | apply separable_local |]. intros u Hu Off.
  apply (off_vertex K u m Hu m_is_class) in Off. change (F (vertex m) < F u).
  destruct H as [S | [S C]].
  - pose proof (convex_regret u Hu). assert (0 < slack * (1 - u m)) by (apply Rmult_lt_0_compat; lra). lra.
  - pose proof (convex_risk_bound u Hu).
    assert (in01 (u m)) by (split; [apply Hu | apply (simplex_le1 K)]; auto using m_is_class).
    pose proof (strict_tangent_at_1 _ _ (convex m m_is_class) C (phi_slope_1 m) (u m) H0 Off).
    assert (0 <= slack * (1 - u m)) by (apply Rmult_le_pos; lra). lra.
Qed.

(** The same, with a bound that holds at every distance from [e_m]. *)
Theorem convex_well_posed :
  0 < slack \/ (0 <= slack /\ strictly_convex_next_to_1 (phi_ m)) -> well_posed K F m.
Proof.
  intros H delta Hd.
  set (tangent := fun x => phi_ m 1 - (w m * a1 + (W - w m) * p1) * (1 - x)).
  destruct (Rlt_dec 1 delta) as [Big | Small].
  { exists 1. split; [lra |]. intros u Hu Far. pose proof (proj1 Hu m m_is_class). lra. }
  destruct H as [S | [S C]].
  - exists (slack * delta). split; [now apply Rmult_lt_0_compat |]. intros u Hu Far.
    pose proof (convex_regret u Hu). assert (slack * delta <= slack * (1 - u m)) by (apply Rmult_le_compat_l; lra). lra.
  - exists (phi_ m (1 - delta) - tangent (1 - delta)).
    assert (I : in01 (1 - delta)) by (unfold in01; lra).
    pose proof (strict_tangent_at_1 _ _ (convex m m_is_class) C (phi_slope_1 m) (1 - delta) I ltac:(lra)) as T.
    fold (tangent (1 - delta)) in T. split; [lra |]. intros u Hu Far.
    pose proof (convex_risk_bound u Hu) as B. fold (tangent (u m)) in B.
    pose proof (proj1 Hu m m_is_class) as P.
    assert (0 <= slack * (1 - u m)) by (apply Rmult_le_pos; lra).
    set (t := delta / (1 - u m)).
    assert (Ht : 0 < t <= 1).
    { unfold t. split; [apply Rdiv_lt_0_compat; lra |]. apply Rmult_le_reg_r with (1 - u m); [lra |].
      unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
    assert (E : t * (1 - u m) = delta) by (unfold t; field; lra).
    pose proof (convex m m_is_class (u m) 1 t ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)) as D.
    replace (t * u m + (1 - t) * 1) with (1 - delta) in D by lra.
    assert (T' : tangent (1 - delta) = t * tangent (u m) + (1 - t) * phi_ m 1) by (unfold tangent; rewrite <- E; ring).
    set (h := phi_ m (u m) - tangent (u m)) in *.
    assert (A : phi_ m (1 - delta) - tangent (1 - delta) <= t * h) by (unfold h; lra).
    assert (Hh : 0 < h).
    { apply Rmult_lt_reg_l with t; [easy |]. lra. }
    assert (t * h <= 1 * h) by (apply Rmult_le_compat_r; lra). unfold h in *. lra.
Qed.

(** Where the inequality fails the risk falls along the edge from [e_m] to [e_n], at first order. *)
Theorem convex_descent : slack < 0 -> exists delta, 0 < delta <= 1 /\
  forall t, 0 < t < delta -> F (edge m n t) - F (vertex m) < slack / 2 * t.
Proof.
  intros S.
  pose proof (proj1 (slope_at_1_reflect _ _) (phi_slope_1 m)) as S1.
  pose proof (slope_at_0_linear_combination _ _ _ _ 1 1 (phi_slope_0 n) S1) as Sum. cbv beta in Sum.
  destruct (Sum (- slack / 2) ltac:(lra)) as (d & Hd & A). exists (Rmin d 1).
  pose proof (Rmin_l d 1). pose proof (Rmin_r d 1). split; [split; [apply Rmin_pos; lra | easy] |]. intros t Ht.
  specialize (A t ltac:(lra)). apply Rabs_def2 in A. rewrite Rminus_0_r in A.
  rewrite !risk_is_sum, (sum_at_vertex K m phi_ m_is_class).
  rewrite (total_edge K phi_ m n t m_is_class (proj1 Hn) (proj1 (proj2 Hn))).
  unfold slack in *. apply Rmult_lt_reg_r with (/ t); [apply Rinv_0_lt_compat; lra |].
  set (x := phi_ n t) in *. set (y := phi_ n 0) in *. set (z := phi_ m (1 - t)) in *. set (v := phi_ m 1) in *.
  match goal with |- _ < ?r => match r with ?s / 2 * t * / t => replace r with (s / 2) by (field; lra) end end.
  match goal with |- ?l < _ => replace l with ((1 * x + 1 * z - (1 * y + 1 * v)) / t) by (field; lra) end.
  lra.
Qed.

Lemma asymmetric_minimises : asymmetric K L w m -> minimises K F (vertex m).
Proof. intros A. apply A; [apply vertex_simplex, m_is_class | intros k _; reflexivity]. Qed.

(** So for strictly convex losses the inequality decides. *)
Theorem convex_asymmetric_iff :
  strictly_convex_next_to_1 (phi_ m) -> (asymmetric K L w m <-> 0 <= slack).
Proof.
  intros C. split.
  - intros A. now apply convex_minimiser_iff, asymmetric_minimises.
  - intros S. apply convex_only_minimiser. now right.
Qed.

End Convex.

(** A loss whose active part falls from 0 at an infinite rate is never asymmetric while [w_n > 0]. *)
Theorem infinite_slope_never a1 p1 :
  slope_at_0_minus_infinity (phi_ n) -> slope_at_1 active a1 -> slope_at_1 passive p1 ->
  ~ minimises K F (vertex m).
Proof.
  intros S0 A P M. apply minimises_is_sum in M.
  exact (minimiser_no_infinite_slope K m phi_ m_is_class n _ (proj1 Hn) (proj1 (proj2 Hn)) S0
           (slope_at_1_linear_combination _ _ _ _ _ _ A P) M).
Qed.

(** *** (b) Concave or linear *)

Section Concave.

Hypothesis concave : forall k, (k < K)%nat -> concave01 (phi_ k).

(** How far the loss falls from a wrong vertex to the right one. *)
Definition drop : R := active 0 - active 1 + passive 1 - passive 0.

(** [F_w(u) - F_w(e_m) >= (w_m - w_n) drop (1 - u_m)]. *)
Theorem concave_regret u : simplex K u -> (w m - w n) * drop * (1 - u m) <= F u - F (vertex m).
Proof.
  intros Hu.
  assert (B : total K (fun k => phi_ k 0 + u k * (phi_ k 1 - phi_ k 0)) <= F u)
    by (rewrite risk_is_sum; exact (concave_bound K phi_ u concave Hu)).
  rewrite risk_at_vertex by apply m_is_class.
  assert (D : 0 <= drop).
  { unfold drop. pose proof (decreasing 0 1 (proj1 ends_in01) (proj2 ends_in01)).
    pose proof (increasing 0 1 (proj1 ends_in01) (proj2 ends_in01)). lra. }
  assert (E : total K (fun k => phi_ k 0 + u k * (phi_ k 1 - phi_ k 0))
            = total K (fun k => phi_ k 0) + W * (passive 1 - passive 0) - drop * total K (fun k => w k * u k)).
  { rewrite <- total_scal. replace (W * (passive 1 - passive 0)) with (total K (fun k => W * (passive 1 - passive 0) * u k)).
    - rewrite <- total_plus, <- total_minus. apply total_ext. intros k _. unfold phi_, phi, drop. ring.
    - rewrite total_scal. rewrite (proj2 Hu). ring. }
  assert (S : total K (fun k => w k * u k) <= w m * u m + w n * (1 - u m)).
  { rewrite (total_split K (fun k => w k * u k) m m_is_class).
    rewrite <- (simplex_rest K u m Hu m_is_class), <- total_scal. apply Rplus_le_compat_l, total_le.
    intros k Hk. destruct (Nat.eq_dec k m) as [| N]; [lra |].
    apply Rmult_le_compat_r; [now apply Hu | now apply Hn]. }
  apply (Rmult_le_compat_l drop) in S; [| easy].
  rewrite E in B. fold drop. replace (active 0 - active 1 + passive 1 - passive 0) with drop by reflexivity. lra.
Qed.

(** A unique largest weight suffices. *)
Theorem concave_only_minimiser : 0 < drop -> asymmetric K L w m.
Proof.
  intros D. apply asymmetric_iff; [exact m_is_class | apply separable_local |]. intros u Hu Off.
  apply (off_vertex K u m Hu m_is_class) in Off. change (F (vertex m) < F u).
  pose proof (concave_regret u Hu). destruct Hm as [_ U], Hn as (Hn1 & Hn2 & _).
  specialize (U n Hn1 Hn2).
  assert (0 < (w m - w n) * drop * (1 - u m)) by (repeat apply Rmult_lt_0_compat; lra). lra.
Qed.

Theorem concave_well_posed : 0 < drop -> well_posed K F m.
Proof.
  intros D delta Hd. destruct Hm as [_ U]. specialize (U n (proj1 Hn) (proj1 (proj2 Hn))).
  exists ((w m - w n) * drop * delta). split; [repeat apply Rmult_lt_0_compat; lra |]. intros u Hu Far.
  pose proof (concave_regret u Hu).
  assert (0 < (w m - w n) * drop) by (apply Rmult_lt_0_compat; lra).
  assert ((w m - w n) * drop * delta <= (w m - w n) * drop * (1 - u m)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

End Concave.

End On_weights.

(** ** Monotonicity in the weights

    Both sides of the condition are monotone: where it holds, it still holds with a larger share of [w_m] and a smaller
    share of [w_n]. *)
Theorem slack_monotone a0 p0 a1 p1 W W' wm wm' wn wn' :
  0 < W -> 0 < W' -> a0 <= p0 -> a1 <= p1 -> wm / W <= wm' / W' -> wn' / W' <= wn / W ->
  0 <= (wn * a0 + (W - wn) * p0) - (wm * a1 + (W - wm) * p1) ->
  0 <= (wn' * a0 + (W' - wn') * p0) - (wm' * a1 + (W' - wm') * p1).
Proof.
  intros HW HW' A P M N S.
  set (x := wm / W) in *. set (x' := wm' / W') in *. set (y := wn / W) in *. set (y' := wn' / W') in *.
  replace wm with (x * W) in S by (unfold x; field; lra). replace wn with (y * W) in S by (unfold y; field; lra).
  replace wm' with (x' * W') by (unfold x'; field; lra). replace wn' with (y' * W') by (unfold y'; field; lra).
  assert (S' : 0 <= (y * a0 + (1 - y) * p0) - (x * a1 + (1 - x) * p1)).
  { apply Rmult_le_reg_l with W; lra. }
  assert (0 <= (y - y') * (p0 - a0)) by (apply Rmult_le_pos; lra).
  assert (0 <= (x' - x) * (p1 - a1)) by (apply Rmult_le_pos; lra).
  assert (0 <= W' * ((y' * a0 + (1 - y') * p0) - (x' * a1 + (1 - x') * p1))); [| lra].
  apply Rmult_le_pos; lra.
Qed.

(** ** Active losses: [L(u, y) = l(u_y)] *)

Section Active.

Variables (K : nat) (w : nat -> R) (m n : nat) (l : R -> R).
Hypothesis Hw : weights K w.
Hypothesis Hm : unique_largest K w m.
Hypothesis Hn : runner_up K w m n.
Hypothesis decreasing : nonincreasing01 l.

Lemma zero_nondecreasing : nondecreasing01 (fun _ => 0).
Proof. intros x y _ _ _. lra. Qed.

Lemma zero_convex : convex01 (fun _ => 0).
Proof. intros x y t _ _ _. lra. Qed.

Lemma zero_slope_0 : slope_at_0 (fun _ => 0) 0.
Proof. apply slope_at_0_of_derivative, derivable_pt_lim_const. Qed.

Lemma zero_slope_1 : slope_at_1 (fun _ => 0) 0.
Proof. apply slope_at_1_of_derivative, derivable_pt_lim_const. Qed.

Lemma phi_active_convex k : convex01 l -> (k < K)%nat -> convex01 (phi (total K w) (w k) l (fun _ => 0)).
Proof.
  intros C Hk. apply convex01_combination; [now apply Hw | | easy | apply zero_convex].
  pose proof (weight_le_total K w k Hw Hk). lra.
Qed.

Theorem active_convex_regret d0 d1 u :
  convex01 l -> slope_at_0 l d0 -> slope_at_1 l d1 -> simplex K u ->
  (w n * d0 - w m * d1) * (1 - u m) <= risk K w (active_loss l) u - risk K w (active_loss l) (vertex m).
Proof.
  intros C S0 S1 Hu.
  pose proof (convex_regret K w m n l (fun _ => 0) Hm Hn decreasing zero_nondecreasing d0 0 d1 0
    (fun k => phi_active_convex k C) S0 zero_slope_0 S1 zero_slope_1 u Hu) as B.
  unfold slack in B. unfold risk in *.
  rewrite (total_ext K (fun k => w k * active_loss l u k) (fun k => w k * separable K l (fun _ => 0) u k))
    by (intros; now rewrite <- active_is_separable).
  rewrite (total_ext K (fun k => w k * active_loss l (vertex m) k) (fun k => w k * separable K l (fun _ => 0) (vertex m) k))
    by (intros; now rewrite <- active_is_separable). lra.
Qed.

Theorem active_convex_iff d0 d1 :
  convex01 l -> strictly_convex_next_to_1 l -> slope_at_0 l d0 -> slope_at_1 l d1 ->
  (asymmetric K (active_loss l) w m <-> w m * d1 <= w n * d0).
Proof.
  intros C SC S0 S1. rewrite asymmetric_active.
  rewrite (convex_asymmetric_iff K w m n l (fun _ => 0) Hm Hn decreasing zero_nondecreasing d0 0 d1 0
    (fun k => phi_active_convex k C) S0 zero_slope_0 S1 zero_slope_1).
  - unfold slack. split; lra.
  - destruct (largest_pos K w m n Hw Hm Hn). apply strictly_convex_combination; [lra | | easy | apply zero_convex].
    pose proof (weight_le_total K w m Hw (proj1 Hm)). lra.
Qed.

Theorem active_concave : concave01 l -> l 1 < l 0 -> asymmetric K (active_loss l) w m.
Proof.
  intros C D. rewrite asymmetric_active.
  apply (concave_only_minimiser K w m n l (fun _ => 0) Hm Hn decreasing zero_nondecreasing); [| unfold drop; lra].
  intros k Hk. apply concave01_combination; [now apply Hw | | easy | intros x y t _ _ _; lra].
  pose proof (weight_le_total K w k Hw Hk). lra.
Qed.

(** A slope of minus infinity at 0: never, while [w_n > 0]. *)
Theorem active_infinite_never d1 :
  slope_at_0_minus_infinity l -> slope_at_1 l d1 -> 0 < w n -> ~ asymmetric K (active_loss l) w m.
Proof.
  intros S0 S1 P A. rewrite asymmetric_active in A. apply asymmetric_minimises in A; [| exact Hm].
  revert A. apply (infinite_slope_never K w m n l (fun _ => 0) Hm Hn d1 0); [| easy | apply zero_slope_1].
  intros M. destruct (S0 (M / w n)) as (delta & Hd & H). exists delta. split; [easy |]. intros t Ht.
  specialize (H t Ht). unfold phi. apply (Rmult_lt_compat_l (w n)) in H; [| easy].
  replace (w n * (M / w n)) with M in H by (field; lra).
  replace ((w n * l t + (total K w - w n) * 0 - (w n * l 0 + (total K w - w n) * 0)) / t)
    with (w n * ((l t - l 0) / t)) by (field; lra). easy.
Qed.

End Active.
