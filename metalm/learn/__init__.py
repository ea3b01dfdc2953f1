"""Meta-training: an outer loop that yields a Report a step, an inner loop, and one module an algorithm.

the loops      outer, learner (what an outer step changes), outer_gradient, optimizers; inner with moves,
               spaces, rules
algorithms     algorithms (their table): sequential, joint, maml, fomaml, reptile, anil, meta_sgd,
               maml_plus_plus, cavia, imaml; meta_gradient, the exact gradient that most of them share
data           meta_batches, drawing, windows, writing (made-up scripts), prefetch
what is told   reports, watch, measures, validation, score (the one way to score)
after a run    tuning; posterior with expert_files, the experts of the article's formula
on disk        checkpoints with state, rule_files
cost           calibration, estimates, memory; stopping, how work is told to stop
"""
