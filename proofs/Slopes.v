(** * Convex functions on [0, 1] and their slopes at the ends

    The slopes are one-sided limits of difference quotients, so that functions such as [x^q] at 0 are covered. Where a
    function is differentiable its derivative is the slope ([slope_at_0_of_derivative], [slope_at_1_of_derivative]). *)

From Coq Require Import Reals Lra Lia Ranalysis.
Open Scope R_scope.

Definition in01 (x : R) : Prop := 0 <= x <= 1.

Definition convex01 (f : R -> R) : Prop :=
  forall x y t, in01 x -> in01 y -> in01 t -> f (t * x + (1 - t) * y) <= t * f x + (1 - t) * f y.

Definition concave01 (f : R -> R) : Prop :=
  forall x y t, in01 x -> in01 y -> in01 t -> t * f x + (1 - t) * f y <= f (t * x + (1 - t) * y).

(** Strictly convex on some [1 - e, 1]. *)
Definition strictly_convex_next_to_1 (f : R -> R) : Prop :=
  exists e, 0 < e <= 1 /\ forall x y t, 1 - e <= x -> x < y -> y <= 1 -> 0 < t < 1 ->
    f (t * x + (1 - t) * y) < t * f x + (1 - t) * f y.

Definition nonincreasing01 (f : R -> R) : Prop := forall x y, in01 x -> in01 y -> x <= y -> f y <= f x.
Definition nondecreasing01 (f : R -> R) : Prop := forall x y, in01 x -> in01 y -> x <= y -> f x <= f y.

(** The right derivative at 0 is [d]. *)
Definition slope_at_0 (f : R -> R) (d : R) : Prop :=
  forall eps, 0 < eps -> exists delta, 0 < delta /\
    forall t, 0 < t < delta -> Rabs ((f t - f 0) / t - d) < eps.

(** The left derivative at 1 is [d]. *)
Definition slope_at_1 (f : R -> R) (d : R) : Prop :=
  forall eps, 0 < eps -> exists delta, 0 < delta /\
    forall t, 0 < t < delta -> Rabs ((f 1 - f (1 - t)) / t - d) < eps.

(** The right derivative at 0 is minus infinity. *)
Definition slope_at_0_minus_infinity (f : R -> R) : Prop :=
  forall M, exists delta, 0 < delta /\ forall t, 0 < t < delta -> (f t - f 0) / t < M.

Lemma div_nonneg a b : 0 <= a -> 0 < b -> 0 <= a / b.
Proof. intros Ha Hb. apply Rmult_le_pos; [easy | left; now apply Rinv_0_lt_compat]. Qed.

(** ** Slopes of sums, multiples and differentiable functions *)

Lemma slope_at_1_reflect f d : slope_at_1 f d <-> slope_at_0 (fun t => f (1 - t)) (- d).
Proof.
  unfold slope_at_1, slope_at_0.
  split; intros H eps He; destruct (H eps He) as (delta & Hd & A); exists delta; split; try easy; intros t Ht;
    specialize (A t Ht); rewrite Rminus_0_r in *.
  - replace ((f (1 - t) - f 1) / t - - d) with (- ((f 1 - f (1 - t)) / t - d)) by (field; lra). now rewrite Rabs_Ropp.
  - rewrite <- Rabs_Ropp. replace (- ((f 1 - f (1 - t)) / t - d)) with ((f (1 - t) - f 1) / t - - d) by (field; lra).
    easy.
Qed.

Lemma slope_at_0_ext f g d :
  (forall x, in01 x -> f x = g x) -> slope_at_0 f d -> slope_at_0 g d.
Proof.
  intros E H eps He. destruct (H eps He) as (delta & Hd & A). exists (Rmin delta 1).
  split; [apply Rmin_pos; lra |]. intros t Ht.
  pose proof (Rmin_l delta 1). pose proof (Rmin_r delta 1).
  rewrite <- !E by (unfold in01; lra). apply A. lra.
Qed.

Lemma slope_at_1_ext f g d :
  (forall x, in01 x -> f x = g x) -> slope_at_1 f d -> slope_at_1 g d.
Proof.
  rewrite !slope_at_1_reflect. intros E. apply slope_at_0_ext. intros x Hx. apply E. unfold in01 in *. lra.
Qed.

Lemma slope_at_0_linear_combination f g d e b c :
  slope_at_0 f d -> slope_at_0 g e -> slope_at_0 (fun x => b * f x + c * g x) (b * d + c * e).
Proof.
  intros Hf Hg eps He.
  set (B := Rabs b + Rabs c + 1).
  assert (HB : 0 < B) by (unfold B; pose proof (Rabs_pos b); pose proof (Rabs_pos c); lra).
  destruct (Hf (eps / B)) as (p & Hp & P); [now apply Rdiv_lt_0_compat |].
  destruct (Hg (eps / B)) as (r & Hr & Q); [now apply Rdiv_lt_0_compat |].
  exists (Rmin p r). split; [now apply Rmin_pos |]. intros t Ht.
  pose proof (Rmin_l p r). pose proof (Rmin_r p r).
  specialize (P t ltac:(lra)). specialize (Q t ltac:(lra)).
  set (x := (f t - f 0) / t - d) in *. set (y := (g t - g 0) / t - e) in *.
  replace ((b * f t + c * g t - (b * f 0 + c * g 0)) / t - (b * d + c * e)) with (b * x + c * y)
    by (unfold x, y; field; lra).
  eapply Rle_lt_trans; [apply Rabs_triang |]. rewrite !Rabs_mult.
  assert (Rabs b * Rabs x <= Rabs b * (eps / B)) by (apply Rmult_le_compat_l; [apply Rabs_pos | lra]).
  assert (Rabs c * Rabs y <= Rabs c * (eps / B)) by (apply Rmult_le_compat_l; [apply Rabs_pos | lra]).
  assert (0 < eps / B) by (now apply Rdiv_lt_0_compat).
  replace eps with (Rabs b * (eps / B) + Rabs c * (eps / B) + eps / B) by (unfold B in *; field; lra). lra.
Qed.

Lemma slope_at_1_linear_combination f g d e b c :
  slope_at_1 f d -> slope_at_1 g e -> slope_at_1 (fun x => b * f x + c * g x) (b * d + c * e).
Proof.
  rewrite !slope_at_1_reflect. intros Hf Hg.
  replace (- (b * d + c * e)) with (b * - d + c * - e) by ring.
  now apply (slope_at_0_linear_combination (fun t => f (1 - t)) (fun t => g (1 - t))).
Qed.

Lemma slope_at_0_of_derivative f d : derivable_pt_lim f 0 d -> slope_at_0 f d.
Proof.
  intros H eps He. destruct (H eps He) as (delta & A). exists delta. split; [apply cond_pos |].
  intros t Ht. specialize (A t ltac:(lra)). rewrite Rplus_0_l in A. apply A. rewrite Rabs_pos_eq; lra.
Qed.

Lemma slope_at_1_of_derivative f d : derivable_pt_lim f 1 d -> slope_at_1 f d.
Proof.
  intros H eps He. destruct (H eps He) as (delta & A). exists delta. split; [apply cond_pos |].
  intros t Ht. specialize (A (- t) ltac:(lra)). rewrite Rabs_Ropp in A.
  replace ((f 1 - f (1 - t)) / t) with ((f (1 + - t) - f 1) / - t); [| unfold Rminus at 3; field; lra].
  apply A. rewrite Rabs_pos_eq; lra.
Qed.

(** ** What a slope means for a convex function *)

(** Two limits of one quantity on the two sides of an inequality. *)
Lemma slope_le f d c delta : slope_at_0 f d -> 0 < delta ->
  (forall t, 0 < t < delta -> (f t - f 0) / t <= c) -> d <= c.
Proof.
  intros H Hd A. apply Rnot_lt_le. intros N. destruct (H (d - c) ltac:(lra)) as (e & He & B).
  set (t := Rmin delta e / 2).
  assert (0 < Rmin delta e) by (now apply Rmin_pos).
  pose proof (Rmin_l delta e). pose proof (Rmin_r delta e).
  assert (T : 0 < t < delta /\ t < e) by (unfold t; lra).
  specialize (A t ltac:(lra)). specialize (B t ltac:(lra)). apply Rabs_def2 in B. lra.
Qed.

Lemma slope_ge f d c delta : slope_at_0 f d -> 0 < delta ->
  (forall t, 0 < t < delta -> c <= (f t - f 0) / t) -> c <= d.
Proof.
  intros H Hd A.
  assert (- d <= - c); [| lra].
  apply (slope_le (fun x => -1 * f x + 0 * f x) (- d) (- c) delta); [| easy |].
  - replace (- d) with (-1 * d + 0 * d) by ring. now apply slope_at_0_linear_combination.
  - intros t Ht. specialize (A t Ht).
    replace ((-1 * f t + 0 * f t - (-1 * f 0 + 0 * f 0)) / t) with (- ((f t - f 0) / t)) by (field; lra). lra.
Qed.

Lemma slope_at_0_nonneg f d : nondecreasing01 f -> slope_at_0 f d -> 0 <= d.
Proof.
  intros M H. apply (slope_ge f d 0 1 H); [lra |]. intros t Ht.
  apply div_nonneg; [| lra]. specialize (M 0 t). unfold in01 in M. lra.
Qed.

Lemma slope_at_0_nonpos f d : nonincreasing01 f -> slope_at_0 f d -> d <= 0.
Proof.
  intros M H. apply (slope_le f d 0 1 H); [lra |]. intros t Ht.
  assert (f t <= f 0) by (apply M; unfold in01; lra).
  apply Rmult_le_reg_r with t; [lra |]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra.
Qed.

Lemma convex01_reflect f : convex01 f -> convex01 (fun t => f (1 - t)).
Proof.
  intros H x y t Hx Hy Ht. unfold in01 in *.
  replace (1 - (t * x + (1 - t) * y)) with (t * (1 - x) + (1 - t) * (1 - y)) by ring.
  apply H; unfold in01; lra.
Qed.

(** A convex function lies above its tangent at 0. *)
Lemma tangent_at_0 f d : convex01 f -> slope_at_0 f d -> forall x, in01 x -> f 0 + d * x <= f x.
Proof.
  intros C H x Hx. unfold in01 in Hx. destruct (Req_dec x 0) as [-> | N]; [lra |].
  assert (d <= (f x - f 0) / x).
  { apply (slope_le f d _ x H); [lra |]. intros t Ht.
    specialize (C x 0 (t / x)). unfold in01 in C.
    assert (T : 0 <= t / x <= 1).
    { split; [apply div_nonneg; lra |]. apply Rmult_le_reg_r with x; [lra |].
      unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
    specialize (C ltac:(lra) ltac:(lra) T).
    replace (t / x * x + (1 - t / x) * 0) with t in C by (field; lra).
    replace ((f x - f 0) / x) with ((t / x * (f x - f 0)) / t) by (field; lra).
    unfold Rdiv at 1 2. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra |]. lra. }
  apply Rmult_le_compat_r with (r := x) in H0; [| lra].
  replace ((f x - f 0) / x * x) with (f x - f 0) in H0 by (field; lra). lra.
Qed.

(** A convex function lies above its tangent at 1. *)
Lemma tangent_at_1 f d : convex01 f -> slope_at_1 f d -> forall x, in01 x -> f 1 - d * (1 - x) <= f x.
Proof.
  intros C H x Hx. apply convex01_reflect in C. apply slope_at_1_reflect in H.
  pose proof (tangent_at_0 _ _ C H (1 - x) ltac:(unfold in01 in *; lra)) as T. simpl in T.
  rewrite Rminus_0_r in T. replace (1 - (1 - x)) with x in T by ring. lra.
Qed.

(** And strictly so where it is strictly convex next to 1. *)
Lemma strict_tangent_at_1 f d : convex01 f -> strictly_convex_next_to_1 f -> slope_at_1 f d ->
  forall x, in01 x -> x < 1 -> f 1 - d * (1 - x) < f x.
Proof.
  intros C (e & He & S) H.
  pose proof (tangent_at_1 f d C H) as T. unfold in01 in T.
  assert (near : forall y, 1 - e <= y -> y < 1 -> f 1 - d * (1 - y) < f y).
  { intros y Hy Hy1. specialize (S y 1 (/ 2) Hy Hy1 ltac:(lra) ltac:(lra)).
    specialize (T (/ 2 * y + (1 - / 2) * 1) ltac:(lra)). lra. }
  intros x Hx Hx1. destruct (Rle_dec (1 - e) x) as [L | L]; [now apply near |].
  unfold in01 in *. set (y := 1 - e) in *. assert (Hy : x < y < 1) by (unfold y in *; lra).
  specialize (near y ltac:(lra) ltac:(lra)).
  set (t := (1 - y) / (1 - x)).
  assert (Ht : 0 < t <= 1).
  { unfold t. split; [apply Rdiv_lt_0_compat; lra |]. apply Rmult_le_reg_r with (1 - x); [lra |].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  specialize (C x 1 t ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)).
  replace (t * x + (1 - t) * 1) with y in C by (unfold t; field; lra).
  assert (E : 1 - y = t * (1 - x)) by (unfold t; field; lra). rewrite E in near.
  apply Rmult_lt_reg_l with t; [lra |]. lra.
Qed.

(** ** Sums *)

Lemma convex01_combination f g b c : 0 <= b -> 0 <= c -> convex01 f -> convex01 g ->
  convex01 (fun x => b * f x + c * g x).
Proof.
  intros Hb Hc Hf Hg x y t Hx Hy Ht. specialize (Hf x y t Hx Hy Ht). specialize (Hg x y t Hx Hy Ht).
  apply (Rmult_le_compat_l b) in Hf; [| easy]. apply (Rmult_le_compat_l c) in Hg; [| easy]. lra.
Qed.

Lemma concave01_combination f g b c : 0 <= b -> 0 <= c -> concave01 f -> concave01 g ->
  concave01 (fun x => b * f x + c * g x).
Proof.
  intros Hb Hc Hf Hg x y t Hx Hy Ht. specialize (Hf x y t Hx Hy Ht). specialize (Hg x y t Hx Hy Ht).
  apply (Rmult_le_compat_l b) in Hf; [| easy]. apply (Rmult_le_compat_l c) in Hg; [| easy]. lra.
Qed.

Lemma strictly_convex_combination f g b c : 0 < b -> 0 <= c -> strictly_convex_next_to_1 f -> convex01 g ->
  strictly_convex_next_to_1 (fun x => b * f x + c * g x).
Proof.
  intros Hb Hc (e & He & S) C. exists e. split; [easy |]. intros x y t Hx Hxy Hy Ht.
  specialize (S x y t Hx Hxy Hy Ht).
  specialize (C x y t ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)).
  apply (Rmult_lt_compat_l b) in S; [| easy]. apply (Rmult_le_compat_l c) in C; [| easy]. lra.
Qed.

Lemma convex01_linear b c : convex01 (fun x => b * x + c).
Proof. intros x y t _ _ _. lra. Qed.

Lemma concave01_linear b c : concave01 (fun x => b * x + c).
Proof. intros x y t _ _ _. lra. Qed.

Lemma concave01_opp f : concave01 (fun x => - f x) <-> convex01 f.
Proof. split; intros H x y t Hx Hy Ht; specialize (H x y t Hx Hy Ht); lra. Qed.

Lemma convex01_opp f : convex01 (fun x => - f x) <-> concave01 f.
Proof. split; intros H x y t Hx Hy Ht; specialize (H x y t Hx Hy Ht); lra. Qed.

(** ** Convexity from a monotone derivative inside (0, 1) *)

Lemma mean_value f f' a b : a < b ->
  (forall x, a < x < b -> derivable_pt_lim f x (f' x)) -> (forall x, a <= x <= b -> continuity_pt f x) ->
  exists c, a < c < b /\ f b - f a = f' c * (b - a).
Proof.
  intros Hab D C.
  assert (pr1 : forall c, a < c < b -> derivable_pt f c) by (intros c Hc; exists (f' c); now apply D).
  assert (pr2 : forall c, a < c < b -> derivable_pt id c) by (intros c _; apply derivable_pt_id).
  destruct (MVT f id a b pr1 pr2 Hab C) as (c & P & E).
  { intros c _. apply derivable_continuous_pt, derivable_pt_id. }
  exists c. split; [easy |].
  rewrite (derive_pt_eq_0 f c (f' c) (pr1 c P) (D c P)) in E.
  rewrite (derive_pt_eq_0 id c 1 (pr2 c P) (derivable_pt_lim_id c)) in E. unfold id in E. lra.
Qed.

(** Continuous on [0, 1] with a nondecreasing derivative inside. *)
Lemma convex01_of_derivative f f' :
  (forall x, in01 x -> continuity_pt f x) -> (forall x, 0 < x < 1 -> derivable_pt_lim f x (f' x)) ->
  (forall x y, 0 < x -> x < y -> y < 1 -> f' x <= f' y) -> convex01 f.
Proof.
  intros C D M.
  assert (L : forall x y t, in01 x -> in01 y -> in01 t -> x < y ->
            f (t * x + (1 - t) * y) <= t * f x + (1 - t) * f y).
  { unfold in01. intros x y t Hx Hy Ht Hxy.
    destruct (Req_dec t 0) as [-> | N0].
    { replace (0 * x + (1 - 0) * y) with y by ring. lra. }
    destruct (Req_dec t 1) as [-> | N1].
    { replace (1 * x + (1 - 1) * y) with x by ring. lra. }
    set (z := t * x + (1 - t) * y).
    assert (Z1 : z - x = (1 - t) * (y - x)) by (unfold z; ring).
    assert (Z2 : y - z = t * (y - x)) by (unfold z; ring).
    assert (0 < (1 - t) * (y - x)) by (apply Rmult_lt_0_compat; lra).
    assert (0 < t * (y - x)) by (apply Rmult_lt_0_compat; lra).
    destruct (mean_value f f' x z) as (c1 & Hc1 & E1); [lra | intros; apply D; lra | intros; apply C; unfold in01; lra |].
    destruct (mean_value f f' z y) as (c2 & Hc2 & E2); [lra | intros; apply D; lra | intros; apply C; unfold in01; lra |].
    specialize (M c1 c2 ltac:(lra) ltac:(lra) ltac:(lra)).
    rewrite Z1 in E1. rewrite Z2 in E2.
    assert (0 <= (f' c2 - f' c1) * (t * (1 - t) * (y - x))).
    { repeat apply Rmult_le_pos; lra. }
    nra. }
  intros x y t Hx Hy Ht. destruct (Rtotal_order x y) as [G | [-> | G]].
  - now apply L.
  - replace (t * y + (1 - t) * y) with y by ring. lra.
  - unfold in01 in *. replace (t * x + (1 - t) * y) with ((1 - t) * y + (1 - (1 - t)) * x) by ring.
    specialize (L y x (1 - t)). lra.
Qed.

Lemma strictly_convex_of_derivative f f' :
  (forall x, in01 x -> continuity_pt f x) -> (forall x, 0 < x < 1 -> derivable_pt_lim f x (f' x)) ->
  (forall x y, 0 < x -> x < y -> y < 1 -> f' x < f' y) -> strictly_convex_next_to_1 f.
Proof.
  intros C D M. exists 1. split; [lra |]. intros x y t Hx Hxy Hy Ht.
  set (z := t * x + (1 - t) * y).
  assert (Z1 : z - x = (1 - t) * (y - x)) by (unfold z; ring).
  assert (Z2 : y - z = t * (y - x)) by (unfold z; ring).
  assert (0 < (1 - t) * (y - x)) by (apply Rmult_lt_0_compat; lra).
  assert (0 < t * (y - x)) by (apply Rmult_lt_0_compat; lra).
  destruct (mean_value f f' x z) as (c1 & Hc1 & E1); [lra | intros; apply D; lra | intros; apply C; unfold in01; lra |].
  destruct (mean_value f f' z y) as (c2 & Hc2 & E2); [lra | intros; apply D; lra | intros; apply C; unfold in01; lra |].
  specialize (M c1 c2 ltac:(lra) ltac:(lra) ltac:(lra)).
  rewrite Z1 in E1. rewrite Z2 in E2.
  assert (0 < (f' c2 - f' c1) * (t * (1 - t) * (y - x))).
  { repeat apply Rmult_lt_0_compat; lra. }
  nra.
Qed.

Lemma concave01_of_derivative f f' :
  (forall x, in01 x -> continuity_pt f x) -> (forall x, 0 < x < 1 -> derivable_pt_lim f x (f' x)) ->
  (forall x y, 0 < x -> x < y -> y < 1 -> f' y <= f' x) -> concave01 f.
Proof.
  intros C D M. apply convex01_opp. apply convex01_of_derivative with (f' := fun x => - f' x).
  - intros x Hx. now apply continuity_pt_opp, C.
  - intros x Hx. now apply derivable_pt_lim_opp, D.
  - intros x y A B E. specialize (M x y A B E). lra.
Qed.
