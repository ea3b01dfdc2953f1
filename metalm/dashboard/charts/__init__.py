"""Charts: functions from a DataFrame to a plotly figure. No streamlit, no store.

curves       learning curves by outer step, tokens, seconds or compute
lines        one curve as line and band, with marks where there is no number
curve_differences  curves as what sets them apart from the baseline's
spread       how tasks spread over outer steps, as a ribbon
diagnostics  measures of a training by weight and adaptation step: norms, rates, drift, rank
adaptation   what adaptation brings: over steps, over support bytes, along a text
resemblance  which tasks a text looks like, from place to place
tasks        task by task: before and after adaptation, or the one score of the online track
matrices     heat maps: runs x tasks, leakage between roles, learned rates
texts        one corpus or split: Zipf plot, sizes of tasks
parallel     settings and an outcome as upright axes, every run a line
group_curves mean and deviation over repetitions
lineage      who started from whom: warm starts, twins, studies
forest       mean differences with their intervals, one below the other
still        a line chart as SVG, for a page without plotly
resources    CPU, memory and GPU while a run trains
frame        what they share: axes, fonts, hover, margins

Columns are named in each docstring. Colours are those of the light theme; the chart component swaps them for
their dark twins in the browser.
"""
