"""The pages' parts: a module a part, named after the page it belongs to. No SQL, no torch.

every page     contents (the table of contents), page_frame, tour, glossary, news, messages, empty
what parts use state (the one door to session, address bar, home and queue), widgets, wording, palette,
               table_height, long_work and job_progress (work that goes on, with a way to stop it)
Overview       overview_runs, first_steps, sample_runs
Corpora        corpus_table, corpus_entry, corpus_upload
Tasks          split_list, split_sources, split_roles, split_results, split_audit; of one task: task_page,
               task_results, task_samples, task_text
Train          train_settings, train_launch, train_estimate, train_watch, algorithm_guide, first_batch,
               queue_list
Runs           run_table with run_rows, run_columns, run_filters, run_views; run_groups, run_group_curves,
               run_insight; run_selection, run_actions, run_bin, run_import, run_sharing; baseline, the pinned
               run; of one run: run_choice, run_page, run_results, run_evaluate, run_adaptation, run_learned,
               run_records
Compare        compare_runs, compare_curves with curve_controls and curve_data; compare_tasks, compare_facets,
               compare_results, compare_means, compare_evidence, compare_verdict, evidence_tables;
               compare_training, compare_settings; diagnostics with measures
Studies        study_list, study_launch, study_progress, study_report
Adapt          adapt_text, adapt_run, adapt_live; adapt_view with adapt_shown, adapt_verdict, adapt_gains,
               adapt_samples, adapt_resemblance; adapt_saved, adapt_record, adapt_present, adapt_export

charts/ makes figures of DataFrames, components/ is what Streamlit lacks.
"""
