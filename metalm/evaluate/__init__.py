"""What runs are worth on unseen tasks: contenders read a support set and are charged for a query set.

the way to judge   protocol (a contender meets tasks), contenders (what can be judged), statistics, bootstrap,
                   stretches, importance (what may be claimed)
ways to adapt      ways; live, one text as a demo watches it, with guesses
the online track   dynamic, cache, cached with coder and mixing, compressors
baselines          baselines, ngram
the formula        mixture, experts, resemblance
text               sampling
"""
