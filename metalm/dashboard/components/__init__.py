"""Parts of a page that Streamlit lacks, each a function beside the JavaScript that it mounts.

chart           a plotly figure that follows the theme and keeps the reader's zoom while its data change
character_view  a text whose characters are coloured by their bits, with a slider over adaptation steps
assets          plotly.js, served from the installed plotly wheel
"""
