"""The engine's contest with its peers: works.py says what is measured, rounds.py measures, table.py judges.

worker.py is the process that one side runs in; plain.py, peers.py, ours.py and limit.py are the sides.
"""
