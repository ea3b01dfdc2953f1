"""DuckDB: the schema, its migrations, and every SQL statement. Rows leave as dataclasses or DataFrames.

the file      store (one file and its sections), database, opening, schema, values
texts         corpora, splits, tokenizers
runs          runs with run_queries, run_heads; run_table with run_fields and run_filter; bundles, bin, events
curves        metrics with metric_queries, task_metrics; curves with lines and line_queries
judged        evaluations, task_results, tunings, adaptations (demos)
else          jobs (the queue), studies, views, gauges
"""
