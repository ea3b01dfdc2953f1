"""From files to tasks: texts kept once under their content's id, cut into tasks, frozen into splits.

files        readers with archives and tables; encodings, detection with alphabets
corpora      ingest, corpora, statistics with scripts, samples (what ships)
tasks        tasks, splits, audit with fingerprints
tokens       vocabulary, tokenizers with bpe and bpe_process, tokens (token files)
"""
