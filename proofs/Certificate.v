(** * Verdicts on given numbers

    What a file written by [asymtheory check --certificate] uses. Weights and points are lists of rational numbers, checked by
    computation; what is left is one inequality between numbers, for [interval] or [lra]. *)

From Coq Require Export Reals QArith.
From Coq Require Import Lra Lia Qreals List Bool.
From Interval Require Export Tactic.
From Asymtheory Require Export Simplex Risk Slopes Kkt Power Agce Aul Ael Amse Normalised Parts.
Open Scope R_scope.

Definition row (ws : list Q) (k : nat) : R := Q2R (nth k ws 0%Q).

Fixpoint qsum (ws : list Q) : Q := match ws with nil => 0%Q | cons x xs => Qred (x + qsum xs) end.

Definition below (x y : Q) : bool := Qle_bool x y && negb (Qeq_bool x y).

(** [ws]: weights that are not negative, the only largest one at [m], the second largest at [n], of total [W]. *)
Definition row_ok (ws : list Q) (m n : nat) (W wm wn : Q) : bool :=
  (m <? length ws)%nat && (n <? length ws)%nat && negb (n =? m)%nat &&
  forallb (fun x => Qle_bool 0 x) ws &&
  forallb (fun k => (k =? m)%nat || (below (nth k ws 0%Q) wm && Qle_bool (nth k ws 0%Q) wn)) (seq 0 (length ws)) &&
  Qeq_bool (nth m ws 0%Q) wm && Qeq_bool (nth n ws 0%Q) wn && Qeq_bool (qsum ws) W.

Lemma below_correct x y : below x y = true -> Q2R x < Q2R y.
Proof.
  unfold below. rewrite andb_true_iff, negb_true_iff. intros [A B]. apply Qle_bool_iff in A. apply Qeq_bool_neq in B.
  apply Qlt_Rlt. apply Qle_lteq in A. tauto.
Qed.

Lemma Qle_bool_correct x y : Qle_bool x y = true -> Q2R x <= Q2R y.
Proof. intros A. apply Qle_Rle. now apply Qle_bool_iff. Qed.

Lemma Qeq_bool_correct x y : Qeq_bool x y = true -> Q2R x = Q2R y.
Proof. intros A. apply Qeq_eqR. now apply Qeq_bool_iff. Qed.

Lemma zero_number : Q2R 0 = 0.
Proof. unfold Q2R. simpl. lra. Qed.

Lemma total_shift K f : total (S K) f = f 0%nat + total K (fun k => f (S k)).
Proof. induction K as [| K IH]; [simpl; ring |]. simpl in *. rewrite IH. ring. Qed.

Lemma total_row ws : total (length ws) (row ws) = Q2R (qsum ws).
Proof.
  induction ws as [| x ws IH]; [simpl; now rewrite zero_number |].
  change (qsum (x :: ws)) with (Qred (x + qsum ws)). rewrite (Qeq_eqR _ _ (Qred_correct _)), Q2R_plus, <- IH.
  simpl length. rewrite total_shift. reflexivity.
Qed.

Lemma nonneg_row ws : forallb (fun x => Qle_bool 0 x) ws = true -> weights (length ws) (row ws).
Proof.
  intros H k Hk. rewrite forallb_forall in H. rewrite <- zero_number. apply Qle_bool_correct, H. now apply nth_In.
Qed.

Lemma row_facts ws m n W wm wn : row_ok ws m n W wm wn = true ->
  weights (length ws) (row ws) /\ unique_largest (length ws) (row ws) m /\ runner_up (length ws) (row ws) m n /\
  total (length ws) (row ws) = Q2R W /\ row ws m = Q2R wm /\ row ws n = Q2R wn.
Proof.
  unfold row_ok. rewrite !andb_true_iff. intros (((((((A & B) & C) & D) & E) & F) & G) & H).
  apply Nat.ltb_lt in A. apply Nat.ltb_lt in B. apply negb_true_iff, Nat.eqb_neq in C.
  apply Qeq_bool_correct in F, G, H.
  assert (O : forall k, (k < length ws)%nat -> k <> m -> row ws k < Q2R wm /\ row ws k <= Q2R wn).
  { intros k Hk N. rewrite forallb_forall in E. specialize (E k). rewrite in_seq in E. specialize (E ltac:(lia)).
    rewrite orb_true_iff, andb_true_iff in E. destruct E as [E | [E1 E2]]; [apply Nat.eqb_eq in E; contradiction |].
    split; [now apply below_correct | now apply Qle_bool_correct]. }
  split; [now apply nonneg_row |]. split; [split; [easy |] | split; [repeat split; try easy |]].
  - intros k Hk N. unfold row at 2. rewrite F. now apply O.
  - intros k Hk N. unfold row at 2. rewrite G. now apply O.
  - split; [| split]; [rewrite total_row; exact H | exact F | exact G].
Qed.

(** ** Yes *)

Section Row.

Variables (ws : list Q) (m n : nat) (W wm wn : Q).
Hypothesis ok : row_ok ws m n W wm wn = true.

Let K := length ws.
Let w := row ws.

Lemma two_classes_or_more : (2 <= K)%nat.
Proof. destruct (row_facts ws m n W wm wn ok) as (_ & [A _] & (B & C & _) & _). unfold K. lia. Qed.

(** [phi_n'(0) - phi_m'(1)] in numbers. *)
Definition number_slack (a0 p0 a1 p1 : R) : R :=
  (Q2R wn * a0 + (Q2R W - Q2R wn) * p0) - (Q2R wm * a1 + (Q2R W - Q2R wm) * p1).

Lemma slack_in_numbers a0 p0 a1 p1 : slack K w m n a0 p0 a1 p1 = number_slack a0 p0 a1 p1.
Proof.
  destruct (row_facts ws m n W wm wn ok) as (_ & _ & _ & T & Em & En). unfold slack, number_slack, K, w.
  now rewrite T, Em, En.
Qed.

Lemma phi_convex A P a0 p0 a1 p1 k : convex_parts A P a0 p0 a1 p1 -> (k < K)%nat ->
  convex01 (phi (total K w) (w k) A P).
Proof.
  intros [] Hk. destruct (row_facts ws m n W wm wn ok) as (Hw & _).
  apply convex01_combination; try easy; [now apply Hw |].
  pose proof (weight_le_total K w k Hw Hk). lra.
Qed.

Lemma phi_concave A P k : concave_parts A P -> (k < K)%nat -> concave01 (phi (total K w) (w k) A P).
Proof.
  intros [] Hk. destruct (row_facts ws m n W wm wn ok) as (Hw & _).
  apply concave01_combination; try easy; [now apply Hw |].
  pose proof (weight_le_total K w k Hw Hk). lra.
Qed.

Lemma phi_strict A P a0 p0 a1 p1 : convex_parts A P a0 p0 a1 p1 -> strictly_convex_next_to_1 A ->
  strictly_convex_next_to_1 (phi (total K w) (w m) A P).
Proof.
  intros [] S. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  destruct (largest_pos K w m n Hw Hm Hn). apply strictly_convex_combination; try easy; [lra |].
  pose proof (weight_le_total K w m Hw (proj1 Hm)). lra.
Qed.

Theorem yes_convex A P a0 p0 a1 p1 : convex_parts A P a0 p0 a1 p1 ->
  0 < number_slack a0 p0 a1 p1 \/ (0 <= number_slack a0 p0 a1 p1 /\ strictly_convex_next_to_1 A) ->
  asymmetric K (separable K A P) w m.
Proof.
  intros C S. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  rewrite <- slack_in_numbers in S.
  apply (convex_only_minimiser K w m n A P Hm Hn (convex_decreasing C) (convex_increasing C) a0 p0 a1 p1
    (fun k => phi_convex A P a0 p0 a1 p1 k C) (convex_active_start C) (convex_passive_start C) (convex_active_end C) (convex_passive_end C)).
  destruct S as [S | [S St]]; [now left | right]. split; [easy | now apply (phi_strict A P a0 p0 a1 p1)].
Qed.

Theorem no_convex A P a0 p0 a1 p1 : convex_parts A P a0 p0 a1 p1 -> number_slack a0 p0 a1 p1 < 0 ->
  ~ asymmetric K (separable K A P) w m.
Proof.
  intros C S As. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  rewrite <- slack_in_numbers in S. apply asymmetric_minimises in As; [| exact Hm].
  apply (convex_minimiser_iff K w m n A P Hm Hn (convex_decreasing C) (convex_increasing C) a0 p0 a1 p1
    (fun k => phi_convex A P a0 p0 a1 p1 k C) (convex_active_start C) (convex_passive_start C) (convex_active_end C) (convex_passive_end C)) in As. lra.
Qed.

Theorem yes_concave A P : concave_parts A P -> asymmetric K (separable K A P) w m.
Proof.
  intros C. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  apply (concave_only_minimiser K w m n A P Hm Hn (concave_decreasing C) (concave_increasing C)); [| exact (concave_falls C)].
  intros k. now apply phi_concave.
Qed.

(** *** With NCE or NFL added: in the limit *)

Definition with_normalised (alpha : R) (g A P : R -> R) : loss :=
  fun u y => alpha * normalised K g u y + separable K A P u y.

Lemma with_normalised_risk alpha g A P u :
  risk K w (with_normalised alpha g A P) u = alpha * risk K w (normalised K g) u + risk K w (separable K A P) u.
Proof. unfold risk, with_normalised. rewrite <- total_scal, <- total_plus. apply total_ext. intros; ring. Qed.

Lemma with_normalised_limit alpha g A P :
  asymmetric_in_the_limit K (fun u => alpha * risk K w (normalised K g) u + risk K w (separable K A P) u) m <->
  asymmetric_in_the_limit K (risk K w (with_normalised alpha g A P)) m.
Proof. split; apply asymmetric_in_the_limit_ext; intros u _; now rewrite with_normalised_risk. Qed.

Theorem yes_normalised_convex alpha g A P a0 p0 a1 p1 : unbounded_base g -> 0 < alpha -> convex_parts A P a0 p0 a1 p1 ->
  0 < number_slack a0 p0 a1 p1 \/ (0 <= number_slack a0 p0 a1 p1 /\ strictly_convex_next_to_1 A) ->
  asymmetric_in_the_limit K (risk K w (with_normalised alpha g A P)) m.
Proof.
  intros Hg Ha C S. apply with_normalised_limit.
  destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  rewrite <- slack_in_numbers in S.
  apply (sum_above_threshold K w g alpha m n A P a0 p0 a1 p1 two_classes_or_more Hw Hm Hn Hg Ha (convex_decreasing C)
    (convex_increasing C) (convex_active_continuous C) (convex_passive_continuous C) (fun k => phi_convex A P a0 p0 a1 p1 k C)
    (convex_active_start C) (convex_passive_start C) (convex_active_end C) (convex_passive_end C)).
  destruct S as [S | [S St]]; [now left | right]. split; [easy | now apply (phi_strict A P a0 p0 a1 p1)].
Qed.

Theorem no_normalised_convex alpha g A P a0 p0 a1 p1 : unbounded_base g -> flat_at_1 g -> 0 < alpha ->
  convex_parts A P a0 p0 a1 p1 -> number_slack a0 p0 a1 p1 < 0 ->
  ~ asymmetric_in_the_limit K (risk K w (with_normalised alpha g A P)) m.
Proof.
  intros Hg Hf Ha C S As. apply with_normalised_limit in As. revert As.
  destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  rewrite <- slack_in_numbers in S.
  now apply (sum_below_threshold K w g alpha m n A P a0 p0 a1 p1 two_classes_or_more Hw Hm Hn Hg Hf Ha (convex_decreasing C)
    (convex_increasing C) (convex_active_continuous C) (convex_passive_continuous C) (fun k => phi_convex A P a0 p0 a1 p1 k C)
    (convex_active_start C) (convex_passive_start C) (convex_active_end C) (convex_passive_end C)).
Qed.

Theorem yes_normalised_concave alpha g A P : unbounded_base g -> 0 < alpha -> concave_parts A P ->
  asymmetric_in_the_limit K (risk K w (with_normalised alpha g A P)) m.
Proof.
  intros Hg Ha C. apply with_normalised_limit.
  destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _).
  apply (sum_threshold_concave K w g alpha m n A P two_classes_or_more Hw Hm Hn Hg Ha (concave_decreasing C)
    (concave_increasing C) (concave_active_continuous C) (concave_passive_continuous C)); [| exact (concave_falls C)].
  intros k. now apply phi_concave.
Qed.

Theorem no_normalised_alone g : unbounded_base g -> (2 <? length ws)%nat = true ->
  ~ asymmetric_in_the_limit K (risk K w (normalised K g)) m.
Proof.
  intros Hg H. apply Nat.ltb_lt in H. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & _).
  now apply normalised_not_asymmetric.
Qed.

Theorem yes_normalised_two_classes g : unbounded_base g -> length ws = 2%nat ->
  asymmetric_in_the_limit K (risk K w (normalised K g)) m.
Proof.
  intros Hg H. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & _). unfold K, w in *. rewrite H in *.
  now apply normalised_two_classes.
Qed.

(** *** Cross entropy or focal loss, alone or with a separable loss *)

Definition with_unbounded (alpha : R) (g A P : R -> R) : loss := fun u y => alpha * g (u y) + separable K A P u y.

Theorem no_unbounded alpha g A P : unbounded_base g -> 0 < alpha -> nonincreasing01 A -> nondecreasing01 P ->
  below 0 wn = true -> ~ asymmetric_in_the_limit K (risk K w (with_unbounded alpha g A P)) m.
Proof.
  intros Hg Ha D I Pn. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & Hn & _ & _ & En).
  apply (infinite_never K w m n g alpha A P two_classes_or_more Hw Hm Hn); try easy.
  fold w in En. rewrite En, <- zero_number. now apply below_correct.
Qed.

(** *** The normalised negative losses: the cut-off vertex is the one minimiser *)

Theorem yes_negative p g : 0 < p -> INR K * p < 1 -> (forall x y, p <= x -> x < y -> y <= 1 -> g y < g x) ->
  forall u, cut_off K p u -> ~ same K u (cut_off_vertex K p m) ->
    risk K w (normalised_negative K p g) (cut_off_vertex K p m) < risk K w (normalised_negative K p g) u.
Proof.
  intros Hp Room D. destruct (row_facts ws m n W wm wn ok) as (Hw & Hm & _). now apply negative_asymmetric.
Qed.

End Row.

(** ** No: a better point *)

(** [us]: a point of the simplex other than [e_m]. *)
Definition point_ok (ws us : list Q) (m : nat) : bool :=
  (length us =? length ws)%nat && (m <? length us)%nat && forallb (fun x => Qle_bool 0 x) us && Qeq_bool (qsum us) 1 &&
  below (nth m us 0%Q) 1.

(** [sum_k (phi_k(u_k) - phi_k(0))] over the classes with [u_k > 0]. *)
Fixpoint moved_risk (A P : R -> R) (W : R) (ws us : list Q) : R :=
  match ws, us with
  | cons w ws', cons u us' =>
      match Qnum u with Z0 => 0 | _ => phi W (Q2R w) A P (Q2R u) - phi W (Q2R w) A P 0 end + moved_risk A P W ws' us'
  | _, _ => 0
  end.

Lemma moved_risk_correct A P W ws us : length us = length ws ->
  moved_risk A P W ws us = total (length ws) (fun k => phi W (row ws k) A P (row us k) - phi W (row ws k) A P 0).
Proof.
  revert us. induction ws as [| x ws IH]; intros [| y us] E; simpl in E; try discriminate; [reflexivity |].
  simpl length. rewrite total_shift. simpl moved_risk. rewrite (IH us) by lia. f_equal.
  unfold row. simpl. destruct (Qnum y) eqn:Z; [| reflexivity | reflexivity].
  assert (Q2R y = 0) as -> by (unfold Q2R; rewrite Z; simpl; lra). ring.
Qed.

Theorem better_point ws us m W wm A P :
  point_ok ws us m = true -> Qeq_bool (qsum ws) W = true -> Qeq_bool (nth m ws 0%Q) wm = true ->
  moved_risk A P (Q2R W) ws us < phi (Q2R W) (Q2R wm) A P 1 - phi (Q2R W) (Q2R wm) A P 0 ->
  let K := length ws in
  simplex K (row us) /\
  risk K (row ws) (separable K A P) (row us) < risk K (row ws) (separable K A P) (vertex m).
Proof.
  intros O T Em H K. unfold point_ok in O. rewrite !andb_true_iff in O. destruct O as ((((L & M) & N) & S) & B).
  apply Nat.eqb_eq in L. apply Nat.ltb_lt in M. apply Qeq_bool_correct in S, T, Em.
  assert (Hu : simplex K (row us)).
  { unfold K. rewrite <- L. split; [now apply nonneg_row |]. rewrite total_row, S. unfold Q2R. simpl. lra. }
  split; [easy |]. rewrite !risk_separates. unfold K.
  rewrite (sum_at_vertex (length ws) m (fun k => phi (total (length ws) (row ws)) (row ws k) A P)) by (rewrite <- L; easy).
  rewrite total_row, T. rewrite moved_risk_correct, total_minus in H by easy.
  fold (row ws m) in Em. rewrite Em. lra.
Qed.

Theorem no_better ws us m W wm A P :
  point_ok ws us m = true -> Qeq_bool (qsum ws) W = true -> Qeq_bool (nth m ws 0%Q) wm = true ->
  moved_risk A P (Q2R W) ws us < phi (Q2R W) (Q2R wm) A P 1 - phi (Q2R W) (Q2R wm) A P 0 ->
  ~ asymmetric (length ws) (separable (length ws) A P) (row ws) m.
Proof.
  intros O T Em H As.
  destruct (better_point ws us m W wm A P O T Em H) as [Hu Less].
  assert (Hm : (m < length ws)%nat).
  { unfold point_ok in O. rewrite !andb_true_iff in O. destruct O as ((((L & M) & _) & _) & _).
    apply Nat.eqb_eq in L. apply Nat.ltb_lt in M. lia. }
  pose proof (vertex_simplex (length ws) m Hm) as V.
  assert (M : minimises (length ws) (risk (length ws) (row ws) (separable (length ws) A P)) (vertex m))
    by (apply As; [exact V | now intros k _]).
  destruct M as [_ Least].
  specialize (Least _ Hu). lra.
Qed.

(** ** Losses by their names *)

Theorem active_verdict K l w m : asymmetric K (active_loss l) w m <-> asymmetric K (separable K l zero) w m.
Proof. apply asymmetric_active. Qed.

Theorem amse_verdict ws m n W wm wn a q : row_ok ws m n W wm wn = true -> 1 <= a ->
  (asymmetric (length ws) (amse (length ws) a q) (row ws) m <->
   asymmetric (length ws) (separable (length ws) (amse_active a q) (amse_passive q)) (row ws) m).
Proof. intros ok Ha. destruct (row_facts ws m n W wm wn ok) as (_ & Hm & _). now apply amse_scaled. Qed.

Lemma cross_entropy_decreasing p x y : 0 < p -> p <= x -> x < y -> y <= 1 -> cross_entropy y < cross_entropy x.
Proof. intros Hp Hx L _. unfold cross_entropy. pose proof (ln_increasing x y ltac:(lra) L). lra. Qed.

Lemma focal_decreasing_from p gamma x y : 0 <= gamma -> 0 < p -> p <= x -> x < y -> y <= 1 -> focal gamma y < focal gamma x.
Proof. intros Hg Hp Hx L Hy. apply focal_decreasing; lra. Qed.

(** ** The inequality that is left *)

(** [x^(p/d) = r] from whole powers. *)
Lemma power_rational x r (p d : nat) : 0 < x -> 0 < r -> (0 < d)%nat -> x ^ p = r ^ d -> power x (INR p / INR d) = r.
Proof.
  intros Hx Hr Hd E. rewrite power_pos by easy. pose proof (lt_0_INR d Hd) as D.
  apply (f_equal (fun z => Rpower z (/ INR d))) in E. rewrite <- !Rpower_pow, !Rpower_mult in E by easy.
  rewrite Rinv_r, Rpower_1 in E by lra. exact E.
Qed.

Lemma power_rational_inverse x r (p d : nat) : 0 < x -> 0 < r -> (0 < d)%nat -> x ^ p * r ^ d = 1 ->
  power x (- (INR p / INR d)) = r.
Proof.
  intros Hx Hr Hd E. rewrite power_pos, Rpower_Ropp by easy. rewrite <- (power_pos x) by easy.
  rewrite (power_rational x (/ r) p d); [now rewrite Rinv_inv | easy | now apply Rinv_0_lt_compat | easy |].
  assert (r ^ d <> 0) by (apply pow_nonzero; lra).
  rewrite pow_inv. apply Rmult_eq_reg_r with (r ^ d); [rewrite E; field |]; easy.
Qed.

(** [x^(p/d) = r y^(p/d)] from whole powers. *)
Lemma power_ratio x y r (p d : nat) : 0 < x -> 0 < y -> 0 < r -> (0 < d)%nat -> x ^ p = r ^ d * y ^ p ->
  power x (INR p / INR d) = r * power y (INR p / INR d).
Proof.
  intros Hx Hy Hr Hd E.
  assert (Q : power (x / y) (INR p / INR d) = r).
  { apply power_rational; try easy; [now apply Rdiv_lt_0_compat |]. unfold Rdiv. rewrite Rpow_mult_distr, pow_inv, E.
    assert (y ^ p <> 0) by (apply pow_nonzero; lra). field. easy. }
  rewrite <- Q, !power_pos by (try easy; now apply Rdiv_lt_0_compat).
  rewrite Rpower_mult_distr by (try easy; now apply Rdiv_lt_0_compat). f_equal. field. lra.
Qed.

Lemma power_ratio_inverse x y r (p d : nat) : 0 < x -> 0 < y -> 0 < r -> (0 < d)%nat -> y ^ p = r ^ d * x ^ p ->
  power x (- (INR p / INR d)) = r * power y (- (INR p / INR d)).
Proof.
  intros Hx Hy Hr Hd E. pose proof (power_ratio y x r p d Hy Hx Hr Hd E) as Q.
  rewrite !power_pos, !Rpower_Ropp in * by easy. rewrite Q.
  pose proof (Rpower_pos x (INR p / INR d)). field. lra.
Qed.

(** Rational numbers and powers in the form that [interval] reads. *)
Ltac numbers :=
  cbv [moved_risk number_slack phi separable zero falling rising amse_active amse_passive agce gce aul ael
       Q2R Qnum Qden nth];
  cbn [taylor_ce INR].

Ltac powers :=
  repeat match goal with
  | |- context [power ?x ?q] =>
      first [rewrite (power_pos x q) by lra | replace x with 0 by lra; rewrite (power_0 q)]
  end; unfold Rpower.

Ltac certify precision := numbers; powers; interval with (i_prec precision).
