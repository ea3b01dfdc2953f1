"""The glossary: every word that the pages use in a sense of their own, explained in one line. No streamlit.

A page gives the words that it uses as the `help` of its first caption; the whole list opens from the sidebar.
"""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Texts and tasks": {
        "corpus": "one text, kept once, with its language, licence and source",
        "task": "one text source with a support set and a query set; what a run adapts to and is judged on",
        "support set": "what a run adapts on: the bytes of a task's text that stand before its query set",
        "query set": "what a run is judged on: the end of a task's text, from which nothing is ever learned",
        "split": "a frozen partition of tasks into three roles; its hash stands for the very bytes",
        "role": "what a split uses a task for: meta-train, meta-validation or meta-test",
        "meta-train": "the role of the tasks that slow weights are learned from",
        "meta-validation": "the role of the tasks that settings, checkpoints and adaptation are chosen by",
        "meta-test": "the role of the tasks that are only ever judged on; every opening is recorded",
        "opening": "a look at meta-test, counted for its split, because nothing may be chosen by it",
        "fold": "one of several splits of the same tasks, each with others of them in meta-test",
        "relatives": "tasks of one source, or sister languages; they never stand in two roles of a split",
        "family": "the language family of a task; with its script, it makes the task near or far",
        "near": "a meta-test task whose family or script is in meta-train too",
        "far": "a meta-test task that shares neither family nor script with meta-train",
        "leakage": "text that stands in two roles, or in both sets of one task, and so flatters the results",
        "token": "what the network reads and predicts one by one: a byte, a character, a piece of a word",
        "tokenizer": "what cuts a text into tokens",
        "vocabulary": "all tokens of a tokenizer",
        "window": "a piece of text of so many tokens, read in one go",
    },
    "Learning": {
        "run": "one training, with its config, curves, weights and results",
        "config": "all that was asked of a run: its settings",
        "algorithm": "how a run learns its slow weights: maml, fomaml, reptile, joint and others",
        "outer step": "one update of the slow weights",
        "outer loop": "all outer steps of a run",
        "meta-batch": "the tasks whose losses are averaged in one outer step",
        "episode": "one task met once: adapt to its support set, then be judged",
        "inner loop": "the adaptation steps on the support set of one task",
        "adaptation step": "one step of the inner loop: the fast weights move, the slow ones stay",
        "slow weights": "what the outer loop learns; every adaptation starts from them",
        "fast weights": "what adaptation makes of the slow weights for one task, and is dropped after it",
        "report": "one line that a run leaves behind an outer step: losses with their counts",
        "checkpoint": "weights saved on the way, from which a run goes on or by which it is judged",
        "budget": "how long a run trains: so many outer steps, tokens or minutes",
        "seed": "the number that every draw follows from: the same seed gives the same run",
        "warm start": "a run that begins with the weights of a finished one",
        "joint": "ordinary training on batches from all meta-train tasks; the baseline to beat",
        "twin": "joint training from a run's own start for as much compute; beating it is what counts",
        "control": "the run or baseline that others are compared with on the very same tasks",
        "tuned": "adaptation steps and rate that were chosen on meta-validation when a run ended",
        "step size": "how far one adaptation step moves a weight; some algorithms learn it",
        "learned rates": "step sizes of adaptation that a run has learned, a weight or a step each",
        "gradient evaluation": "one token whose gradient was taken: compute, whatever the machine",
        "FLOPs": "operations of arithmetic, estimated from the shapes of the network",
        "drift": "how far the weights have moved from where the run began, relative to their size there",
        "effective rank": "how many directions a weight matrix really uses; a fall is a warning",
        "task agreement": "the cosine between the gradients of two tasks: 1 when both want the same",
    },
    "Judging": {
        "bits per byte": "what a text costs, nats / (ln 2 x UTF-8 bytes); less is better",
        "nats": "natural-log loss, summed over a text",
        "nats per token": "nats over the tokens predicted; compares runs of one vocabulary only",
        "perplexity": "exp(nats per token); compares runs of one vocabulary only",
        "bits per character": "nats / (ln 2 x characters)",
        "zero-shot": "before the first adaptation step, with slow weights alone",
        "k-step": "after k adaptation steps",
        "evaluation": "scores of a run on tasks that it has never seen, before and after adaptation",
        "baseline": "what a run must beat: counting bytes, training from scratch, joint training and others",
        "pinned baseline": "the run that a reader measures all others against, in tables and charts",
        "track": "whether what is scored goes on learning while it codes (online) or not (static)",
        "static track": "weights rest after the support set; the two tracks are never on one axis",
        "online track": "learning goes on while the query set is coded, as compressors do",
        "dynamic evaluation": "a run whose weights go on learning while they code; on the online track",
        "n-gram": "a baseline that counts the bytes that follow up to five others",
        "joint fine-tuning": "the joint run adapted by plain steps; only this baseline is called fine-tuning",
        "scratch": "the same network from random weights, trained on the support set alone",
        "pool": "the article's formula: experts of the meta-train tasks, mixed",
        "expert": "a run moved to one meta-train task as a whole",
        "95 % interval": "where a mean over tasks would lie, 95 times of 100, if they were drawn anew",
        "paired difference": "the mean over tasks of how far two runs are apart on the very same bytes",
        "effect size": "a mean difference over its spread between tasks: how far the tasks agree on it",
        "seen": "a task that a run or its ancestors learned from; it stays out of every mean",
        "helped and hurt": "whether a task's query set costs less, or more, after adaptation than before",
    },
    "At work": {
        "home": "the folder that holds all of this: texts, splits, runs and results",
        "queue": "what waits for its turn to train or evaluate; it outlives tabs and the app",
        "demo": "runs that adapt to one text before your eyes; it is kept and has an address",
        "sample": "text that a run has written",
        "study": "a question that a set of runs answers, with a report of tables and figures",
        "bundle": "a run as a folder or zip file: settings, split, weights, curves, results",
        "group": "runs that differ in the seed alone (or in what you choose), shown as one",
        "lineage": "which run started from which, which is whose twin, and which study they belong to",
        "saved view": "a filter with columns, order and baseline, kept under a name",
        "stopped": "ended by hand, with a checkpoint: it can be resumed",
        "failed": "ended by an error, which its page shows: it can be resumed",
        "interrupted": "its process ended under it: it resumes from its last checkpoint",
        "imported": "a run of another program: curves and results, no weights",
    },
}

TERMS: dict[str, str] = {term: told for section in SECTIONS.values() for term, told in section.items()}

# The words that a page meets its reader with, in its first caption.
_OF_PAGES: dict[str, tuple[str, ...]] = {
    "Overview": ("corpus", "task", "split", "run", "outer step", "adaptation step", "bits per byte"),
    "Corpora": ("corpus", "task", "family", "near", "far"),
    "Tasks": (
        "task",
        "support set",
        "query set",
        "split",
        "role",
        "meta-train",
        "meta-validation",
        "meta-test",
        "opening",
        "near",
        "far",
        "relatives",
        "fold",
        "leakage",
    ),
    "Task": ("task", "support set", "query set", "role", "relatives", "near", "far", "track", "seen"),
    "Train": (
        "algorithm",
        "slow weights",
        "outer step",
        "meta-batch",
        "adaptation step",
        "warm start",
        "budget",
        "seed",
        "report",
        "checkpoint",
        "tokenizer",
        "window",
        "gradient evaluation",
        "FLOPs",
    ),
    "Runs": (
        "run",
        "config",
        "bits per byte",
        "evaluation",
        "group",
        "pinned baseline",
        "twin",
        "lineage",
        "bundle",
        "stopped",
        "failed",
        "interrupted",
        "imported",
    ),
    "Run": ("run", "outer step", "adaptation step", "bits per byte", "tuned", "checkpoint", "twin"),
    "Compare": (
        "bits per byte",
        "nats per token",
        "perplexity",
        "control",
        "paired difference",
        "95 % interval",
        "effect size",
        "near",
        "far",
        "track",
        "baseline",
        "seen",
        "gradient evaluation",
    ),
    "Studies": ("study", "run", "evaluation", "control", "joint fine-tuning", "95 % interval"),
    "Adapt": (
        "support set",
        "query set",
        "adaptation step",
        "bits per byte",
        "baseline",
        "n-gram",
        "online track",
        "demo",
        "sample",
        "expert",
    ),
}


def lines(*terms: str) -> str:
    """What these terms mean, a line each, as markdown for a widget's `help`. Raises KeyError for another."""
    return "\n".join(f"- **{term}**: {TERMS[term]}" for term in terms)


def of_page(page: str) -> str:
    """`lines` of the words that the page of this name uses."""
    return lines(*_OF_PAGES[page])


def found(wanted: str) -> dict[str, dict[str, str]]:
    """The sections with those terms that hold `wanted` in their name or explanation; all for ""."""
    wanted = wanted.strip().casefold()
    matching = {
        section: {term: told for term, told in terms.items() if wanted in f"{term} {told}".casefold()}
        for section, terms in SECTIONS.items()
    }
    return {section: terms for section, terms in matching.items() if terms}
