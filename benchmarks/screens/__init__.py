"""What dashboard.py measures, a module a part: start, runs, curves, tasks, adapt, tabs, trackers.

rows.py says what a row is, sizes.py how much is done; apps.py starts apps, browsers.py looks at their pages,
wire.py asks a server without a browser, made.py fills homes. tracker_data.py fills the stores of other
trackers, tracker_servers.py starts them.
"""
