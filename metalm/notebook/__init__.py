"""metalm for notebooks and scripts: `runs` as tables, `trained` runs put to use; by way of `import metalm`.

A home is opened for each call and free between two, so that a notebook never keeps others from it; where a
running app owns it, the app is asked. Models work in the notebook's own process, whoever owns the home.
"""
