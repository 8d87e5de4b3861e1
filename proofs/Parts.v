(** * What the separable-risk theorem needs to know of a loss, and sums of losses

    [convex_parts A P a0 p0 a1 p1]: active part [A] and passive part [P] are convex, with these slopes at 0 and at 1.
    [concave_parts A P]: both are concave. Each loss has its own lemma; positive multiples and sums keep either. *)

From Coq Require Import Reals Lra Lia Ranalysis.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power Agce Aul Ael Amse.
Open Scope R_scope.

Record convex_parts (A P : R -> R) (a0 p0 a1 p1 : R) : Prop := {
  convex_decreasing : nonincreasing01 A;
  convex_increasing : nondecreasing01 P;
  convex_active : convex01 A;
  convex_passive : convex01 P;
  convex_active_start : slope_at_0 A a0;
  convex_passive_start : slope_at_0 P p0;
  convex_active_end : slope_at_1 A a1;
  convex_passive_end : slope_at_1 P p1;
  convex_active_continuous : forall x, in01 x -> continuity_pt A x;
  convex_passive_continuous : forall x, in01 x -> continuity_pt P x }.

Record concave_parts (A P : R -> R) : Prop := {
  concave_decreasing : nonincreasing01 A;
  concave_increasing : nondecreasing01 P;
  concave_active : concave01 A;
  concave_passive : concave01 P;
  concave_falls : 0 < drop A P;
  concave_active_continuous : forall x, in01 x -> continuity_pt A x;
  concave_passive_continuous : forall x, in01 x -> continuity_pt P x }.

Arguments convex_decreasing {A P a0 p0 a1 p1}.
Arguments convex_increasing {A P a0 p0 a1 p1}.
Arguments convex_active {A P a0 p0 a1 p1}.
Arguments convex_passive {A P a0 p0 a1 p1}.
Arguments convex_active_start {A P a0 p0 a1 p1}.
Arguments convex_passive_start {A P a0 p0 a1 p1}.
Arguments convex_active_end {A P a0 p0 a1 p1}.
Arguments convex_passive_end {A P a0 p0 a1 p1}.
Arguments convex_active_continuous {A P a0 p0 a1 p1}.
Arguments convex_passive_continuous {A P a0 p0 a1 p1}.
Arguments concave_decreasing {A P}.
Arguments concave_increasing {A P}.
Arguments concave_active {A P}.
Arguments concave_passive {A P}.
Arguments concave_falls {A P}.
Arguments concave_active_continuous {A P}.
Arguments concave_passive_continuous {A P}.

(** ** Sums and multiples *)

Lemma continuity_combination f g b c x :
  continuity_pt f x -> continuity_pt g x -> continuity_pt (fun x => b * f x + c * g x) x.
Proof.
  intros F G. apply continuity_pt_plus; apply continuity_pt_mult; try easy; apply continuity_pt_const; easy.
Qed.

Lemma monotone_combination f g b c : 0 <= b -> 0 <= c ->
  (nonincreasing01 f -> nonincreasing01 g -> nonincreasing01 (fun x => b * f x + c * g x)) /\
  (nondecreasing01 f -> nondecreasing01 g -> nondecreasing01 (fun x => b * f x + c * g x)).
Proof.
  intros Hb Hc. split; intros F G x y Hx Hy L; specialize (F x y Hx Hy L); specialize (G x y Hx Hy L);
    apply (Rmult_le_compat_l b) in F; try easy; apply (Rmult_le_compat_l c) in G; try easy; lra.
Qed.

(** [b L + c L']. *)
Theorem convex_sum A P a0 p0 a1 p1 A' P' a0' p0' a1' p1' b c :
  0 <= b -> 0 <= c -> convex_parts A P a0 p0 a1 p1 -> convex_parts A' P' a0' p0' a1' p1' ->
  convex_parts (fun x => b * A x + c * A' x) (fun x => b * P x + c * P' x)
    (b * a0 + c * a0') (b * p0 + c * p0') (b * a1 + c * a1') (b * p1 + c * p1').
Proof.
  intros Hb Hc [] []. split; try (now apply monotone_combination); try (now apply convex01_combination);
    try (now apply slope_at_0_linear_combination); try (now apply slope_at_1_linear_combination);
    intros; now apply continuity_combination; auto.
Qed.

Theorem concave_sum A P A' P' b c : 0 < b -> 0 < c -> concave_parts A P -> concave_parts A' P' ->
  concave_parts (fun x => b * A x + c * A' x) (fun x => b * P x + c * P' x).
Proof.
  intros Hb Hc [] []. split; try (apply monotone_combination; auto; lra); try (apply concave01_combination; auto; lra);
    try (intros; now apply continuity_combination; auto).
  unfold drop in *.
  apply (Rmult_lt_compat_l b) in concave_falls0; [| easy]. apply (Rmult_lt_compat_l c) in concave_falls1; [| easy]. lra.
Qed.

(** [c L]. *)
Theorem convex_multiple A P a0 p0 a1 p1 c : 0 <= c -> convex_parts A P a0 p0 a1 p1 ->
  convex_parts (fun x => c * A x) (fun x => c * P x) (c * a0) (c * p0) (c * a1) (c * p1).
Proof.
  intros Hc H. destruct (convex_sum A P a0 p0 a1 p1 A P a0 p0 a1 p1 c 0 Hc (Rle_refl 0) H H).
  rewrite !Rmult_0_l, !Rplus_0_r in *.
  assert (E : forall f : R -> R, (forall x, c * f x + 0 * f x = c * f x)) by (intros; ring).
  destruct H. split.
  - intros x y Hx Hy L. specialize (convex_decreasing0 x y Hx Hy L). lra.
  - intros x y Hx Hy L. specialize (convex_increasing0 x y Hx Hy L). lra.
  - intros x y t Hx Hy Ht. specialize (convex_active0 x y t Hx Hy Ht). lra.
  - intros x y t Hx Hy Ht. specialize (convex_passive0 x y t Hx Hy Ht). lra.
  - revert convex_active_start0. apply slope_at_0_ext. intros; ring.
  - revert convex_passive_start0. apply slope_at_0_ext. intros; ring.
  - revert convex_active_end0. apply slope_at_1_ext. intros; ring.
  - revert convex_passive_end0. apply slope_at_1_ext. intros; ring.
  - intros x Hx. apply continuity_pt_mult; [apply continuity_pt_const; easy | auto].
  - intros x Hx. apply continuity_pt_mult; [apply continuity_pt_const; easy | auto].
Qed.

Theorem concave_multiple A P c : 0 < c -> concave_parts A P -> concave_parts (fun x => c * A x) (fun x => c * P x).
Proof.
  intros Hc []. split.
  - intros x y Hx Hy L. apply Rmult_le_compat_l; [lra | auto].
  - intros x y Hx Hy L. apply Rmult_le_compat_l; [lra | auto].
  - intros x y t Hx Hy Ht. specialize (concave_active0 x y t Hx Hy Ht).
    apply (Rmult_le_compat_l c) in concave_active0; lra.
  - intros x y t Hx Hy Ht. specialize (concave_passive0 x y t Hx Hy Ht).
    apply (Rmult_le_compat_l c) in concave_passive0; lra.
  - unfold drop in *. apply (Rmult_lt_compat_l c) in concave_falls0; lra.
  - intros x Hx. apply continuity_pt_mult; [apply continuity_pt_const; easy | auto].
  - intros x Hx. apply continuity_pt_mult; [apply continuity_pt_const; easy | auto].
Qed.

(** Strictly convex next to 1, for sums in which one term is. *)
Lemma strict_left f g b c : 0 < b -> 0 <= c -> strictly_convex_next_to_1 f -> convex01 g ->
  strictly_convex_next_to_1 (fun x => b * f x + c * g x).
Proof. apply strictly_convex_combination. Qed.

Lemma strict_right f g b c : 0 <= b -> 0 < c -> convex01 f -> strictly_convex_next_to_1 g ->
  strictly_convex_next_to_1 (fun x => b * f x + c * g x).
Proof.
  intros Hb Hc F (e & He & S). exists e. split; [easy |]. intros x y t Hx Hxy Hy Ht.
  specialize (S x y t Hx Hxy Hy Ht).
  specialize (F x y t ltac:(unfold in01; lra) ltac:(unfold in01; lra) ltac:(unfold in01; lra)).
  apply (Rmult_lt_compat_l c) in S; [| easy]. apply (Rmult_le_compat_l b) in F; [| easy]. lra.
Qed.

Lemma strict_multiple f c : 0 < c -> strictly_convex_next_to_1 f -> strictly_convex_next_to_1 (fun x => c * f x).
Proof.
  intros Hc (e & He & S). exists e. split; [easy |]. intros x y t Hx Hxy Hy Ht.
  specialize (S x y t Hx Hxy Hy Ht). apply (Rmult_lt_compat_l c) in S; [| easy]. lra.
Qed.

(** ** The losses *)

Definition zero (x : R) : R := 0.

Lemma zero_parts : nondecreasing01 zero /\ convex01 zero /\ concave01 zero /\ slope_at_0 zero 0 /\ slope_at_1 zero 0 /\
  forall x, in01 x -> continuity_pt zero x.
Proof.
  repeat split.
  - intros x y _ _ _. unfold zero. lra.
  - apply zero_convex.
  - intros x y t _ _ _. unfold zero. lra.
  - apply zero_slope_0.
  - apply zero_slope_1.
  - intros x _. apply continuity_pt_const. easy.
Qed.

Lemma active_convex_parts l d0 d1 : nonincreasing01 l -> convex01 l -> slope_at_0 l d0 -> slope_at_1 l d1 ->
  (forall x, in01 x -> continuity_pt l x) -> convex_parts l zero d0 0 d1 0.
Proof. intros. split; try easy; apply zero_parts. Qed.

Lemma active_concave_parts l : nonincreasing01 l -> concave01 l -> l 1 < l 0 ->
  (forall x, in01 x -> continuity_pt l x) -> concave_parts l zero.
Proof. intros. split; try easy; try apply zero_parts. unfold drop, zero. lra. Qed.

Theorem agce_convex_parts a q : 0 < a -> 0 < q <= 1 ->
  convex_parts (agce a q) zero (- power a (q - 1)) 0 (- power (a + 1) (q - 1)) 0.
Proof.
  intros Ha Hq. apply active_convex_parts.
  - apply agce_decreasing; lra.
  - apply agce_convex; lra.
  - replace (power a (q - 1)) with (power (a + 0) (q - 1)) by (f_equal; ring).
    apply slope_at_0_of_derivative, agce_derivative; lra.
  - apply slope_at_1_of_derivative, agce_derivative; lra.
  - intros x _. apply agce_continuous; lra.
Qed.

Theorem agce_concave_parts a q : 0 <= a -> 1 <= q -> concave_parts (agce a q) zero.
Proof.
  intros Ha Hq. apply active_concave_parts.
  - apply agce_decreasing; lra.
  - apply agce_concave; lra.
  - apply agce_falls; lra.
  - intros x _. apply agce_continuous; lra.
Qed.

Theorem aul_convex_parts a p : 1 <= a -> 1 < p ->
  convex_parts (aul a p) zero (- power a (p - 1)) 0 (- power (a - 1) (p - 1)) 0.
Proof.
  intros Ha Hp. apply active_convex_parts.
  - apply aul_decreasing; lra.
  - apply aul_convex; lra.
  - replace (power a (p - 1)) with (power (a - 0) (p - 1)) by (f_equal; ring).
    apply slope_at_0_of_derivative, aul_derivative; lra.
  - apply aul_slope_1; lra.
  - intros x _. apply aul_continuous; lra.
Qed.

Theorem aul_concave_parts a p : 1 <= a -> 0 < p <= 1 -> concave_parts (aul a p) zero.
Proof.
  intros Ha Hp. apply active_concave_parts.
  - apply aul_decreasing; lra.
  - apply aul_concave; lra.
  - apply aul_falls; lra.
  - intros x _. apply aul_continuous; lra.
Qed.

Theorem ael_convex_parts a : 0 < a ->
  convex_parts (ael a) zero (- / a * ael a 0) 0 (- / a * ael a 1) 0.
Proof.
  intros Ha. apply active_convex_parts.
  - now apply ael_decreasing.
  - now apply ael_convex.
  - apply slope_at_0_of_derivative, ael_derivative.
  - apply slope_at_1_of_derivative, ael_derivative.
  - intros x _. apply ael_continuous.
Qed.

(** AMSE without its factor [1/K], as a separable loss. *)
Definition amse_active (a q x : R) : R := power (a - x) q.
Definition amse_passive (q x : R) : R := power x q.

Theorem amse_convex_parts a q : 1 <= a -> 1 < q ->
  convex_parts (amse_active a q) (amse_passive q) (- (q * power a (q - 1))) 0 (- (q * power (a - 1) (q - 1))) q.
Proof.
  intros Ha Hq. split.
  - apply amse_decreasing; lra.
  - apply amse_increasing; lra.
  - apply power_minus_convex; lra.
  - apply power_convex; lra.
  - apply active_slope_0; lra.
  - now apply power_flat_at_0.
  - apply power_minus_slope_1; lra.
  - apply passive_slope_1.
  - intros x _. apply power_minus_continuous; lra.
  - intros x _. apply power_continuous; lra.
Qed.

Theorem amse_concave_parts a q : 1 <= a -> 0 < q <= 1 -> concave_parts (amse_active a q) (amse_passive q).
Proof.
  intros Ha Hq. split.
  - apply amse_decreasing; lra.
  - apply amse_increasing; lra.
  - apply power_minus_concave; lra.
  - apply power_concave; lra.
  - unfold drop, amse_active, amse_passive. rewrite power_0, power_base_1.
    pose proof (power_le (a - 1) (a - 0) q ltac:(lra) ltac:(lra) ltac:(lra)). lra.
  - intros x _. apply power_minus_continuous; lra.
  - intros x _. apply power_continuous; lra.
Qed.

Lemma amse_strict a q : 1 <= a -> 1 < q -> strictly_convex_next_to_1 (amse_active a q).
Proof. intros. apply power_minus_strictly_convex; lra. Qed.

(** Linear losses: [b (1 - u_y) + c sum_(k <> y) u_k]. MAE, NMAE, RCE, NRCE and unhinged are of this form. *)
Definition falling (b x : R) : R := b * (1 - x).
Definition rising (c x : R) : R := c * x.

Lemma falling_derivative b x : derivable_pt_lim (falling b) x (- b).
Proof.
  unfold falling. replace (- b) with (0 * (1 - x) + b * (0 - 1)) by ring.
  apply (derivable_pt_lim_mult (fun _ => b) (fun x => 1 - x)); [apply derivable_pt_lim_const |].
  apply derivable_pt_lim_minus; [apply derivable_pt_lim_const | apply derivable_pt_lim_id].
Qed.

Lemma rising_derivative c x : derivable_pt_lim (rising c) x c.
Proof.
  pose proof (derivable_pt_lim_scal id c x 1 (derivable_pt_lim_id x)) as D. rewrite Rmult_1_r in D. exact D.
Qed.

Theorem linear_convex_parts b c : 0 <= b -> 0 <= c -> convex_parts (falling b) (rising c) (- b) c (- b) c.
Proof.
  intros Hb Hc. split.
  - intros x y _ _ L. apply Rmult_le_compat_l; lra.
  - intros x y _ _ L. apply Rmult_le_compat_l; lra.
  - intros x y t _ _ _. unfold falling. lra.
  - intros x y t _ _ _. unfold rising. lra.
  - apply slope_at_0_of_derivative, falling_derivative.
  - apply slope_at_0_of_derivative, rising_derivative.
  - apply slope_at_1_of_derivative, falling_derivative.
  - apply slope_at_1_of_derivative, rising_derivative.
  - intros x _. apply derivable_continuous_pt. eexists. apply falling_derivative.
  - intros x _. apply derivable_continuous_pt. eexists. apply rising_derivative.
Qed.

Theorem linear_concave_parts b c : 0 <= b -> 0 <= c -> 0 < b + c -> concave_parts (falling b) (rising c).
Proof.
  intros Hb Hc Hbc. destruct (linear_convex_parts b c Hb Hc). split; try easy.
  - intros x y t _ _ _. unfold falling. lra.
  - intros x y t _ _ _. unfold rising. lra.
  - unfold drop, falling, rising. lra.
Qed.

(** Taylor cross entropy [sum_(j=1..t) (1 - u_y)^j / j]. *)
Fixpoint taylor_ce (t : nat) (x : R) : R :=
  match t with O => 0 | S t' => taylor_ce t' x + (1 - x) ^ t / INR t end.

(** Its slope is [- sum_(j<t) (1 - x)^j]. *)
Definition taylor_slope (t : nat) (x : R) : R := - total t (fun j => (1 - x) ^ j).

Lemma taylor_derivative t x : derivable_pt_lim (taylor_ce t) x (taylor_slope t x).
Proof.
  induction t as [| t IH]; [simpl; unfold taylor_slope; simpl; rewrite Ropp_0; apply derivable_pt_lim_const |].
  replace (taylor_slope (S t) x) with (taylor_slope t x + - (1 - x) ^ t) by (unfold taylor_slope; simpl; ring).
  change (taylor_ce (S t)) with (fun x => taylor_ce t x + (1 - x) ^ S t / INR (S t)).
  apply derivable_pt_lim_plus; [exact IH |].
  assert (N : INR (S t) <> 0) by (apply not_0_INR; lia).
  replace (- (1 - x) ^ t) with ((INR (S t) * (1 - x) ^ pred (S t) * (0 - 1)) * / INR (S t) + (1 - x) ^ S t * 0)
    by (change (pred (S t)) with t; field; easy).
  apply (derivable_pt_lim_mult (fun x => (1 - x) ^ S t) (fun _ => / INR (S t))); [| apply derivable_pt_lim_const].
  apply (derivable_pt_lim_comp (fun x => 1 - x) (fun y => y ^ S t)); [| apply derivable_pt_lim_pow].
  apply derivable_pt_lim_minus; [apply derivable_pt_lim_const | apply derivable_pt_lim_id].
Qed.

Lemma taylor_slope_increases t x y : 0 < x -> x < y -> y < 1 -> taylor_slope t x <= taylor_slope t y.
Proof.
  intros Hx Hxy Hy. apply Ropp_le_contravar, total_le. intros j _. apply pow_incr. lra.
Qed.

Lemma taylor_slope_increases_strictly t x y : (2 <= t)%nat -> 0 < x -> x < y -> y < 1 ->
  taylor_slope t x < taylor_slope t y.
Proof.
  intros Ht Hx Hxy Hy. apply Ropp_lt_contravar. rewrite (total_split t _ 1%nat ltac:(lia)).
  rewrite (total_split t (fun j => (1 - x) ^ j) 1%nat ltac:(lia)).
  assert (total t (fun j => if Nat.eq_dec j 1 then 0 else (1 - y) ^ j) <=
          total t (fun j => if Nat.eq_dec j 1 then 0 else (1 - x) ^ j)); [| simpl; lra].
  apply total_le. intros j _. destruct (Nat.eq_dec j 1); [lra | apply pow_incr; lra].
Qed.

Lemma taylor_slope_0 t : taylor_slope t 0 = - INR t.
Proof.
  unfold taylor_slope. rewrite (total_ext t _ (fun _ => 1)); [rewrite total_const; ring |].
  intros j _. rewrite Rminus_0_r. apply pow1.
Qed.

Lemma taylor_slope_1 t : (1 <= t)%nat -> taylor_slope t 1 = - (1).
Proof.
  intros Ht. unfold taylor_slope. f_equal. rewrite (total_split t _ 0%nat ltac:(lia)).
  rewrite total_zero; [simpl; ring |]. intros j _. destruct (Nat.eq_dec j 0); [reflexivity |].
  rewrite Rminus_eq_0. now apply pow_i; lia.
Qed.

Theorem taylor_convex_parts t : (1 <= t)%nat -> convex_parts (taylor_ce t) zero (- INR t) 0 (- (1)) 0.
Proof.
  intros Ht.
  assert (C : forall x, in01 x -> continuity_pt (taylor_ce t) x).
  { intros x _. apply derivable_continuous_pt. eexists. apply taylor_derivative. }
  apply active_convex_parts; try easy.
  - intros x y [Hx _] [_ Hy] L. clear C. induction t as [| t IH]; [lia |]. simpl.
    assert (P : 0 < / INR (S t)) by (apply Rinv_0_lt_compat, lt_0_INR; lia).
    assert (Q : (1 - y) ^ S t <= (1 - x) ^ S t) by (apply pow_incr; lra).
    apply (Rmult_le_compat_r (/ INR (S t))) in Q; [| lra]. simpl in Q, P.
    destruct t as [| t]; [unfold Rdiv; simpl in *; lra |].
    specialize (IH ltac:(lia)). unfold Rdiv. lra.
  - apply convex01_of_derivative with (f' := taylor_slope t); [exact C | intros; apply taylor_derivative |].
    intros x y A B D. now apply taylor_slope_increases.
  - rewrite <- taylor_slope_0. apply slope_at_0_of_derivative, taylor_derivative.
  - rewrite <- (taylor_slope_1 t Ht). apply slope_at_1_of_derivative, taylor_derivative.
Qed.

Lemma taylor_strict t : (2 <= t)%nat -> strictly_convex_next_to_1 (taylor_ce t).
Proof.
  intros Ht. apply strictly_convex_of_derivative with (f' := taylor_slope t).
  - intros x _. apply derivable_continuous_pt. eexists. apply taylor_derivative.
  - intros. apply taylor_derivative.
  - intros x y A B D. now apply taylor_slope_increases_strictly.
Qed.

(** Taylor-CE: [c >= t]. *)
Theorem taylor_ce_iff K w m n t : weights K w -> unique_largest K w m -> runner_up K w m n -> (2 <= t)%nat ->
  (asymmetric K (active_loss (taylor_ce t)) w m <-> w n * INR t <= w m).
Proof.
  intros Hw Hm Hn Ht. destruct (taylor_convex_parts t ltac:(lia)).
  rewrite (active_convex_iff K w m n (taylor_ce t) Hw Hm Hn convex_decreasing0 (- INR t) (- (1))); try easy.
  - split; lra.
  - now apply taylor_strict.
Qed.
