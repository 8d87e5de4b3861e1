(** * Statements of the papers that fail at a point

    Each lemma evaluates a printed statement at the ledger's counterexample. (ALF Theorem 6 is refuted in Ratio.v.) *)

From Coq Require Import Reals Lra Lia PeanoNat.
From Coquelicot Require Import Coquelicot.
From Interval Require Import Tactic.
From Asymtheory Require Import Simplex Risk Slopes Kkt Power Agce Aul Amse Ratio Normalised.
Open Scope R_scope.

(** A point or a vector of weights of three classes. *)
Definition triple (x y z : R) (k : nat) : R := match k with 0%nat => x | 1%nat => y | 2%nat => z | _ => 0 end.
Definition pair (x y : R) (k : nat) : R := match k with 0%nat => x | 1%nat => y | _ => 0 end.

Ltac classes := intros [| [| [| k]]]; simpl; try lia; try lra.

Lemma power_half x : 0 <= x -> power x (1 / 2) = sqrt x.
Proof.
  intros [H | <-]; [| now rewrite power_0, sqrt_0]. rewrite power_pos by easy.
  replace (1 / 2) with (/ 2) by field. now apply Rpower_sqrt.
Qed.

(** ** ALF Theorem 3: "symmetric loss functions are completely asymmetric" (alf-thm3, alf-symmetric-asymmetric-noise)

    Normalised GCE with q = 1/2 is symmetric. On [w = (3/5, 2/5, 0)] its risk is 67/370 at
    [(1600/1681, 81/1681, 0)], less than 1/5 at [e_1]. *)

Definition ngce_half : loss := normalised 3 (gce (1 / 2)).

Lemma gce_half x : 0 <= x -> gce (1 / 2) x = 2 * (1 - sqrt x).
Proof. intros H. unfold gce. rewrite power_half by easy. field. Qed.

Lemma ngce_symmetric u : simplex 3 u -> total 3 (ngce_half u) = 1.
Proof.
  intros Hu. unfold ngce_half, normalised. set (T := total 3 (fun k => gce (1 / 2) (u k))).
  assert (P : forall k, (k < 3)%nat -> 0 <= gce (1 / 2) (u k) /\ (u k < 1 -> 0 < gce (1 / 2) (u k))).
  { intros k Hk. pose proof (proj1 Hu k Hk). pose proof (simplex_le1 3 u k Hu Hk). rewrite gce_half by easy. split.
    - assert (sqrt (u k) <= 1) by (rewrite <- sqrt_1; apply sqrt_le_1; lra). lra.
    - intros L. assert (sqrt (u k) < 1) by (rewrite <- sqrt_1; apply sqrt_lt_1; lra). lra. }
  assert (0 < T).
  { pose proof (proj2 Hu) as S. pose proof (proj1 Hu) as N. unfold T. simpl in *.
    pose proof (P 0%nat ltac:(lia)). pose proof (P 1%nat ltac:(lia)). pose proof (P 2%nat ltac:(lia)).
    pose proof (N 0%nat ltac:(lia)). pose proof (N 1%nat ltac:(lia)). pose proof (N 2%nat ltac:(lia)).
    destruct (Rlt_dec (u 0%nat) 1); [lra |]. destruct (Rlt_dec (u 1%nat) 1); lra. }
  unfold T in *. simpl in *. field. lra.
Qed.

Lemma ngce_risks :
  risk 3 (triple (3 / 5) (2 / 5) 0) ngce_half (triple (1600 / 1681) (81 / 1681) 0) = 67 / 370 /\
  risk 3 (triple (3 / 5) (2 / 5) 0) ngce_half (vertex 0) = 1 / 5.
Proof.
  assert (A : sqrt (1600 / 1681) = 40 / 41) by (replace (1600 / 1681) with (40 / 41 * (40 / 41)) by field; apply sqrt_square; lra).
  assert (B : sqrt (81 / 1681) = 9 / 41) by (replace (81 / 1681) with (9 / 41 * (9 / 41)) by field; apply sqrt_square; lra).
  unfold risk, ngce_half, normalised, vertex. simpl.
  rewrite !gce_half by lra. rewrite A, B, sqrt_0, sqrt_1. split; field.
Qed.

Theorem theorem_3_as_printed_is_false :
  ~ (forall K L C, (2 <= K)%nat -> local_loss K L -> (forall u, simplex K u -> total K (L u) = C) -> completely_asymmetric K L).
Proof.
  intros T. destruct ngce_risks as [A B].
  assert (l : local_loss 3 ngce_half).
  { intros u v y Hy E. unfold ngce_half, normalised. rewrite (E y Hy). f_equal. apply total_ext.
    intros k Hk. now rewrite (E k Hk). }
  assert (C : asymmetric 3 ngce_half (triple (3 / 5) (2 / 5) 0) 0).
  { apply (T 3%nat ngce_half 1); [lia | exact l | exact ngce_symmetric | intros k Hk | split; [lia |]];
      [revert k Hk | intros k Hk N; revert k Hk N]; classes. }
  apply (proj1 (asymmetric_iff 3 _ _ 0 ltac:(lia) l)) with (u := triple (1600 / 1681) (81 / 1681) 0) in C.
  - rewrite A, B in C. lra.
  - split; [classes | simpl; lra].
  - intros S. specialize (S 0%nat ltac:(lia)). rewrite vertex_same in S. simpl in S. lra.
Qed.

(** ** ALF Theorem 7 (alf-thm7)

    AUL with a = p = 2, two inputs, noise rate 1/4 at both, and three hypotheses by their probability of the true class:
    (2/5, 2/5), (1, 0) and (0, 1). The first has the least noisy risk; for no positive weights has it the least clean risk. *)

Definition aul_2_2_noisy (p : R) : R := 3 / 4 * aul 2 2 p + 1 / 4 * aul 2 2 (1 - p).

Theorem theorem_7_as_printed_is_false :
  aul_2_2_noisy (2 / 5) + aul_2_2_noisy (2 / 5) < aul_2_2_noisy 1 + aul_2_2_noisy 0 /\
  forall v1 v2, 0 < v1 -> 0 < v2 ->
    ~ (v1 * aul 2 2 (2 / 5) + v2 * aul 2 2 (2 / 5) <= v1 * aul 2 2 1 + v2 * aul 2 2 0 /\
       v1 * aul 2 2 (2 / 5) + v2 * aul 2 2 (2 / 5) <= v1 * aul 2 2 0 + v2 * aul 2 2 1).
Proof.
  assert (E : forall x, x <= 1 -> aul 2 2 x = ((2 - x) ^ 2 - 1) / 2).
  { intros x Hx. unfold aul. rewrite !power_2 by lra. field. }
  unfold aul_2_2_noisy. rewrite !E by lra. split; [lra |]. intros v1 v2 H1 H2. lra.
Qed.

(** ** Definition 3 as printed, for concave losses (alf-def3-agce, alf-def3-aul) *)

Theorem definition_3_agce : quotient (agce 1 2) 0 1 (1 / 2) = 5 / 7.
Proof. unfold quotient, agce. rewrite !power_2 by lra. field. Qed.

Theorem definition_3_aul : quotient (aul 2 (1 / 2)) 0 1 (1 / 2) < 85 / 100.
Proof. unfold quotient, aul. rewrite !power_half by lra. interval. Qed.

(** So the ratio of Definition 3 as printed is less than the 1 that the paper gives. *)
Theorem definition_3_agce_is_not_1 : ~ r_pointwise (agce 1 2) 1.
Proof.
  intros [L _]. assert (1 <= quotient (agce 1 2) 0 1 (1 / 2)).
  { apply L. exists 0, 1, (1 / 2). repeat split; lra. }
  rewrite definition_3_agce in H. lra.
Qed.

(** ** "A loss with r >= 1/1.5 is asymmetric on all synthetic noises" (alf-r15)

    Slopes -3/2 and -1: the risk on [(3/2, 1, 0)], where c r = 1, is 5/4 at [(1/2, 1/2, 0)] and at [e_1]. *)

Definition bent_three_halves (x : R) : R := Rmax (5 / 4 - 3 / 2 * x) (1 - x).

Theorem r15_tie :
  risk 3 (triple (3 / 2) 1 0) (active_loss bent_three_halves) (triple (1 / 2) (1 / 2) 0)
  = risk 3 (triple (3 / 2) 1 0) (active_loss bent_three_halves) (vertex 0).
Proof.
  unfold risk, active_loss, bent_three_halves, vertex. simpl.
  rewrite (Rmax_left (5 / 4 - 3 / 2 * 0)), (Rmax_right (5 / 4 - 3 / 2 * 1)), (Rmax_left (5 / 4 - 3 / 2 * (1 / 2))); lra.
Qed.

(** ** "AGCE (q = 0.5) whose asymmetry ratio is smaller than 16/65" (alf-overfit-text)

    At a = 1/8 the ratio is 1/3 >= 16/65, and AGCE is not asymmetric on symmetric noise 0.8 (10 classes, c = 9/4). *)

Definition symmetric_80 (k : nat) : R := match k with 0%nat => 9 / 4 | _ => 1 end.

Theorem overfit_text :
  r_pointwise (agce (1 / 8) (1 / 2)) (1 / 3) /\ 16 / 65 < 1 / 3 /\
  ~ asymmetric 10 (active_loss (agce (1 / 8) (1 / 2))) symmetric_80 0.
Proof.
  assert (Root : forall x y, 0 < y -> x = y * y -> Rpower x (1 - 1 / 2) = y).
  { intros x y Hy ->. replace (1 - 1 / 2) with (/ 2) by field.
    rewrite Rpower_sqrt by (now apply Rmult_lt_0_compat). apply sqrt_square. lra. }
  split; [| split; [lra |]].
  - destruct (agce_ratio (1 / 8) (1 / 2) ltac:(lra) ltac:(lra)) as [R _]. now rewrite (Root _ (1 / 3)) in R by lra.
  - intros A. apply (corollary_1 10 symmetric_80 0 1 (1 / 8) (1 / 2)) in A; try lra.
    + unfold agce_threshold in A. destruct (Rle_dec (1 / 2) 1); [| lra].
      rewrite (Root _ 3) in A by lra. simpl in A. lra.
    + intros [| k] _; simpl; lra.
    + split; [lia |]. intros [| k] _ N; simpl; lra || lia.
    + repeat split; try lia. intros [| k] _ N; simpl; lra || lia.
Qed.

(** ** APL Eq. 4 (apl-eq4): the sign. K = 10, p_y = 1/2, A = -4: RCE / (A (K - 1)) is -1/18, NRCE is 1/18. *)

Theorem eq_4_sign : let rce := - (-4) * (1 - 1 / 2) in
  rce / (-4 * (10 - 1)) = - (1 / 18) /\ (1 - 1 / 2) / (10 - 1) = 1 / 18.
Proof. simpl. split; field. Qed.

(** ** APL Eq. 5 (apl-eq5): at p = (4/5, 1/5), gamma = 2, the printed logarithm is not NFL *)

Theorem eq_5 :
  let nfl := (1 - 4 / 5) ^ 2 * ln (4 / 5) / ((1 - 4 / 5) ^ 2 * ln (4 / 5) + (1 - 1 / 5) ^ 2 * ln (1 / 5)) in
  let printed := ln ((1 - 4 / 5) ^ 2 * (4 / 5)) / ln ((1 - 4 / 5) ^ 2 * (4 / 5) * ((1 - 1 / 5) ^ 2 * (1 / 5))) in
  nfl < 1 / 100 /\ 6 / 10 < printed.
Proof. simpl. split; interval. Qed.

(** ** APL Lemma 2's condition (apl-lemma2-condition): 0 <= L_norm <= 1/(K - 1) fails for NCE *)

Theorem lemma_2_condition : 1 / (3 - 1) < normalised 3 cross_entropy (triple (1 / 100) (99 / 200) (99 / 200)) 0%nat.
Proof. unfold normalised, cross_entropy. simpl. interval. Qed.

(** ** APL Lemma 3 (apl-lemma3)

    Of the two points [p] and [p'], unhinged prefers [p] on clean and on noisy weights, MSE prefers [p'] on both, so both
    are tolerant on the class [{p, p'}]. The sum 13/12 unhinged + MSE prefers [p] clean and [p'] noisy. *)

Definition mse (K : nat) : loss := fun u y => / INR K * separable K (fun x => (1 - x) ^ 2) (fun x => x ^ 2) u y.

Theorem lemma_3_as_printed_is_false :
  let p := triple (3 / 20) 0 (17 / 20) in
  let p' := triple (1 / 10) (3 / 20) (3 / 4) in
  let clean := triple 1 0 0 in
  let noisy := triple (3 / 5) (1 / 5) (1 / 5) in
  let unhinged := active_loss (fun x => 1 - x) in
  let both := fun u y => 13 / 12 * unhinged u y + 1 * mse 3 u y in
  (risk 3 clean unhinged p < risk 3 clean unhinged p' /\ risk 3 noisy unhinged p < risk 3 noisy unhinged p') /\
  (risk 3 clean (mse 3) p' < risk 3 clean (mse 3) p /\ risk 3 noisy (mse 3) p' < risk 3 noisy (mse 3) p) /\
  (risk 3 clean both p < risk 3 clean both p' /\ risk 3 noisy both p' < risk 3 noisy both p).
Proof. unfold risk, active_loss, mse, separable. simpl. repeat split; lra. Qed.

(** ** APL Section 4.2 (apl-q-term): Q = - sum_(k <> y) log p_k is not highest where the other p_k are equal *)

Theorem q_term : - ln (1 / 4) - ln (1 / 4) < - ln (49 / 100) - ln (1 / 100).
Proof. interval. Qed.

(** ** APL Section 4.3 (apl-nlnl): the mean over complementary labels is not -1/(C - 1) log(1 - RCE) *)

Theorem nlnl : (- ln (1 - 3 / 10) - ln (1 - 1 / 10)) / 2 < 24 / 100 /\ 25 / 100 < - (1 / (3 - 1)) * ln (1 - (1 - 6 / 10)).
Proof. split; interval. Qed.

(** ** ANL Eq. 3 (anl-eq3): the denominator lacks its minus sign; p = (1/2, 1/2) gives -1/2 *)

Theorem eq_3_sign : - ln (1 / 2) / (ln (1 / 2) + ln (1 / 2)) = - (1 / 2) /\
  normalised 2 cross_entropy (pair (1 / 2) (1 / 2)) 0%nat = 1 / 2.
Proof.
  assert (ln (1 / 2) < 0) by (apply ln_neg; lra). unfold normalised, cross_entropy. simpl. split; field; lra.
Qed.

(** ** ANL Section 3.1 (anl-passive): the A of Eq. 7 is no constant for NCE, with p_y = p_min = 1e-7 *)

Theorem flipping_nce :
  normalised 3 cross_entropy (triple (1 / 10000000) (1 / 10000000) (1 - 2 / 10000000)) 0%nat < 6 / 10 /\
  9 / 10 < normalised 3 cross_entropy (triple (1 / 10000000) (1 / 2) (1 / 2 - 1 / 10000000)) 0%nat.
Proof. unfold normalised, cross_entropy. simpl. split; interval. Qed.

(** With a constant A, flipping returns NCE: [sum_(k <> y) (1 - NCE_k) = K - 2 + NCE_y]. *)
Theorem flipping_returns_nce K g u y : (y < K)%nat -> total K (fun k => g (u k)) <> 0 ->
  total K (fun k => if Nat.eq_dec k y then 0 else 1 - normalised K g u k) = INR K - 2 + normalised K g u y.
Proof.
  intros Hy T.
  assert (S : total K (normalised K g u) = 1).
  { unfold normalised, Rdiv. rewrite (total_ext K _ (fun k => / total K (fun k => g (u k)) * g (u k))) by (intros; ring).
    rewrite total_scal. now field. }
  rewrite (total_ext K _ (fun k => (1 - normalised K g u k) - (if Nat.eq_dec k y then 1 - normalised K g u k else 0)))
    by (intros k _; destruct (Nat.eq_dec k y); ring).
  rewrite !total_minus, total_const, S, (total_indicator K (fun k => 1 - normalised K g u k)) by easy. ring.
Qed.

(** ** ANL Eq. 15 (anl-eq15): the branch j = y, at p = (1/2, 1/2), A = - log 1e-7 *)

Definition nnce_in_own (A p2 x : R) : R := 1 - (A + ln x) / ((A + ln x) + (A + ln p2)).

Theorem eq_15_own : let A := - ln (1 / 10000000) in
  exists d, is_derive (nnce_in_own A (1 / 2)) (1 / 2) d /\ d < -3 / 100 /\
    -3 / 1000 < - (1 / (1 / 2)) / ((A + ln (1 / 2)) + (A + ln (1 / 2))) ^ 2.
Proof.
  intros A. exists (- (1 / (1 / 2)) * (A + ln (1 / 2)) / ((A + ln (1 / 2)) + (A + ln (1 / 2))) ^ 2).
  assert (H : 30 < (A + ln (1 / 2)) + (A + ln (1 / 2))) by (unfold A; interval).
  split; [| unfold A; split; interval].
  unfold nnce_in_own. auto_derive; [lra | field; lra].
Qed.

(** ** ANL Theorem 2 (anl-thm2): where p_y = p_min both slopes are 0 *)

Theorem theorem_2_boundary (p1 p2 H : R) : let A := - ln (1 / 10000000) in
  ~ (1 / p2 * ((A + ln (1 / 10000000)) / H ^ 2) < 1 / p1 * ((A + ln (1 / 10000000)) / H ^ 2)).
Proof. intros A. unfold A. replace (- ln (1 / 10000000) + ln (1 / 10000000)) with 0 by ring. unfold Rdiv. lra. Qed.

(** ** ANL Section 3.2 (anl-tolerance): ANL-CE on pair noise 0.4, three classes, alpha = beta *)

Theorem anl_tolerance : let p := 1 / 10000000 in
  let anl := fun u y => 1 * normalised 3 cross_entropy u y + 1 * normalised_negative 3 p cross_entropy u y in
  let w := triple (3 / 5) (2 / 5) 0 in
  risk 3 w anl (triple (1 / 2) (1 / 2 - p) p) < 54 / 100 /\ 59 / 100 < risk 3 w anl (cut_off_vertex 3 p 0).
Proof.
  intros p anl w. unfold risk, anl, w, normalised, normalised_negative, cut_off_vertex, cross_entropy, p. simpl.
  split; interval.
Qed.

(** ** JAL Supplement A (jal-a473): at a = 4.73, q = 3 fails on symmetric noise 0.8; the threshold is (9 + 6 sqrt 6)/5 *)

Definition symmetric_80_10 (k : nat) : R := match k with 0%nat => 9 | _ => 4 end.

Lemma symmetric_80_10_weights :
  weights 10 symmetric_80_10 /\ unique_largest 10 symmetric_80_10 0 /\ runner_up 10 symmetric_80_10 0 1.
Proof.
  split; [| split].
  - intros [| k] _; simpl; lra.
  - split; [lia |]. intros [| k] _ N; simpl; lra || lia.
  - repeat split; try lia. intros [| k] _ N; simpl; lra || lia.
Qed.

Lemma amse_cube_iff a : 1 <= a ->
  (asymmetric 10 (amse 10 a 3) symmetric_80_10 0 <-> 4 * a ^ 2 + 36 <= 9 * (a - 1) ^ 2).
Proof.
  intros Ha. destruct symmetric_80_10_weights as (W & M & N).
  rewrite (amse_convex_iff 10 symmetric_80_10 0 1 a 3 W M N Ha) by lra.
  replace (3 - 1) with 2 by ring. rewrite !power_2 by lra. simpl. split; lra.
Qed.

Theorem a_473_fails : ~ asymmetric 10 (amse 10 (473 / 100) 3) symmetric_80_10 0.
Proof. rewrite amse_cube_iff by lra. lra. Qed.

Theorem a_473_exact a : 1 <= a -> (asymmetric 10 (amse 10 a 3) symmetric_80_10 0 <-> (9 + 6 * sqrt 6) / 5 <= a).
Proof.
  intros Ha. rewrite (amse_cube_iff a Ha).
  assert (S : sqrt 6 * sqrt 6 = 6) by (apply sqrt_sqrt; lra).
  assert (P : 2 < sqrt 6 < 3) by (split; interval).
  (* 5 a^2 - 18 a - 27 = (a - x)(5 a - y), x = (9 + 6 sqrt 6)/5 the positive root *)
  assert (E : 9 * (a - 1) ^ 2 - (4 * a ^ 2 + 36) = (a - (9 + 6 * sqrt 6) / 5) * (5 * a - (9 - 6 * sqrt 6))).
  { replace ((a - (9 + 6 * sqrt 6) / 5) * (5 * a - (9 - 6 * sqrt 6)))
      with (5 * a ^ 2 - 18 * a + (81 - 36 * (sqrt 6 * sqrt 6)) / 5) by field. rewrite S. field. }
  assert (Q : 0 < 5 * a - (9 - 6 * sqrt 6)) by lra.
  split; intros H.
  - apply Rnot_lt_le. intros L. assert (0 < ((9 + 6 * sqrt 6) / 5 - a) * (5 * a - (9 - 6 * sqrt 6))).
    { apply Rmult_lt_0_compat; lra. } lra.
  - assert (0 <= (a - (9 + 6 * sqrt 6) / 5) * (5 * a - (9 - 6 * sqrt 6))) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** JAL, proof of Theorem 4.1 for q <= 1 (jal-thm41-concave): 1 + (a-1)^q <= x^q + (a-x)^q at a = 2, q = 1/2, x = 0 *)

Theorem theorem_4_1_concave_step : power 0 (1 / 2) + power (2 - 0) (1 / 2) < 1 + power (2 - 1) (1 / 2).
Proof. rewrite !power_half by lra. rewrite sqrt_0. interval. Qed.

(** ** JAL Section 4.3 (jal-tolerance): NCE is symmetric and not asymmetric, [w = (3, 2, 1)] *)

Theorem nce_321 : ~ asymmetric_in_the_limit 3 (risk 3 (triple 3 2 1) (normalised 3 cross_entropy)) 0.
Proof.
  apply nce_not_asymmetric; [lia | classes |]. split; [lia |]. intros k Hk N. revert k Hk N. classes.
Qed.
