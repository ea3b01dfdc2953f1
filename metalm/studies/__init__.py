"""Studies: questions that sets of ordinary runs and their evaluations answer, with a report.

plan        what a study is made of: planned runs, what is asked of them, and the study itself
carry_out   from the plan to the report; can be stopped anywhere, and makes nothing twice
evidence    the rows of a study's evaluations, and the tables that are made of them
report      text, tables and figures, as Markdown and as one HTML file
pages       a report as Markdown and as HTML
figures     SVG of one look
look        its colours
pretrained  what the studies share: joint pre-training, meta-training from there, its equal-compute twin
splitting   splits that studies make of another
scaling     curves through means over tasks, with intervals
kept        the studies of a home: begun, found, deleted
kinds       every kind of study by name; one module each: speed, data, languages, compute, claims; with
            data_report, languages_report, compute_report, claims_report, claims_evidence, claims_keys
"""
