"""What leaves a home for others' eyes and tools, and what comes from there.

run_report  several runs as a report: one HTML file with live charts, or Markdown
live_page   that HTML file: plotly.js once, nothing fetched
histories   a run as other trackers see it: parameters, scalars over steps, results
trackers    the trackers there are, each with what it can do; one module each: tensorboard, mlflow, wandb
"""
