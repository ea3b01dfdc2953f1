"""The network, and what computes with many tasks' weights at once.

the network    gru; dropout, fast_weights, task_weights, weight_files, flops, device
engines        engine (what one computes), engines (which one), reference (autograd, plain and slow), fast
fast engine    passes and tangents (the whole network), parts and threads (how work is shared)
one GRU layer  recurrence; native (gru_scan.c, with compiled), or loops with gates; on a GPU fused and replay
text           stepper (a token at a time), draws, writer (both compiled)
"""
